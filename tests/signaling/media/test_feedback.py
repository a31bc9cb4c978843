"""What is missing and when to ask for it; keyframes asked for and recognized."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaling.media.dtls import rtp
from signaling.media.feedback import ASKS, LARGEST_GAP, Gaps, KeyframeRequests, keyframe_wishes, remb_of, sender_report
from signaling.media.keyframes import h264_begins_keyframe, vp8_begins_keyframe


def test_a_missing_number_is_asked_for_after_a_moment_repeated_and_given_up() -> None:
    gaps = Gaps("video")
    gaps.jumped(65534, 3, 0.0)
    assert gaps.due(0.01) == []
    assert gaps.due(0.03) == [65535, 65536]
    assert gaps.due(0.05) == []
    assert gaps.due(0.10) == [65535, 65536]
    assert gaps.due(1.5) == []
    assert not gaps


def test_what_has_arrived_is_not_asked_for() -> None:
    gaps = Gaps("video")
    gaps.jumped(10, 4, 0.0)
    gaps.arrived(12)
    assert gaps.due(0.05) == [11, 13]


def test_sound_is_given_up_sooner_than_pictures() -> None:
    sound, picture = Gaps("audio"), Gaps("video")
    for gaps in (sound, picture):
        gaps.jumped(0, 2, 0.0)
    assert (sound.due(0.5), picture.due(0.5)) == ([], [1])


def test_nothing_is_asked_for_more_than_a_few_times() -> None:
    gaps = Gaps("video")
    gaps.jumped(0, 2, 0.0)
    asked = [seq for tick in range(1, 50) for seq in gaps.due(tick * 0.07 / 4)]
    assert len(asked) <= ASKS


def test_a_long_jump_is_a_new_beginning_and_the_memory_is_bounded() -> None:
    gaps = Gaps("video")
    gaps.jumped(0, LARGEST_GAP + 1, 0.0)
    assert not gaps
    for start in range(0, 5000, 100):
        gaps.jumped(start, 100, 0.0)
    assert len(gaps) <= LARGEST_GAP


def test_keyframe_wishes_are_coalesced() -> None:
    requests = KeyframeRequests()
    assert [requests.may_ask(now) for now in (10.0, 10.1, 10.49, 10.5, 10.6)] == [True, False, False, True, False]


def test_a_fir_names_its_source_in_its_entries_and_a_pli_in_its_header() -> None:
    fir = rtp.RtcpPsfbPacket(fmt=rtp.RTCP_PSFB_FIR, ssrc=1, media_ssrc=0, fci=bytes.fromhex("0000002a 07000000"))
    pli = rtp.RtcpPsfbPacket(fmt=rtp.RTCP_PSFB_PLI, ssrc=1, media_ssrc=43)
    assert (keyframe_wishes(fir), keyframe_wishes(pli)) == ([42], [43])
    cut = rtp.RtcpPsfbPacket(fmt=rtp.RTCP_PSFB_FIR, ssrc=1, media_ssrc=0, fci=b"\0\0\0")
    assert keyframe_wishes(cut) == []


def test_a_malformed_remb_says_nothing() -> None:
    def remb(fci: bytes) -> int | None:
        return remb_of(rtp.RtcpPsfbPacket(fmt=rtp.RTCP_PSFB_APP, ssrc=1, media_ssrc=0, fci=fci))

    assert remb(rtp.pack_remb_fci(1_000_000, [5])) == pytest.approx(1_000_000, rel=0.01)
    assert remb(b"REMB\xff") is None
    assert remb(b"REMB\xff\0\0\0") is None


def test_a_sender_report_carries_ntp_time_and_the_streams_name() -> None:
    packed = sender_report(9, "slot0", 0.5, 2**32 + 7, 3, 4)
    report, names = rtp.RtcpPacket.parse(packed)
    assert isinstance(report, rtp.RtcpSrPacket)
    assert isinstance(names, rtp.RtcpSdesPacket)
    assert (report.ssrc, report.sender_info.packet_count, report.sender_info.octet_count) == (9, 3, 4)
    assert report.sender_info.ntp_timestamp == (2208988800 << 32) + (1 << 31)
    assert report.sender_info.rtp_timestamp == 7
    assert names.chunks[0].items == [(1, b"slot0")]


@pytest.mark.parametrize(
    ("payload", "begins"),
    [
        ("10 00 9d012a", True),  # S bit, partition 0, P bit clear
        ("10 01 9d012a", False),  # an inter frame
        ("00 00 9d012a", False),  # not the start of the partition
        ("11 00 9d012a", False),  # another partition
        ("90 80 12 00 9d", True),  # with a 7-bit picture id
        ("90 80 92 34 00 9d", True),  # with a 15-bit picture id
        ("90 e0 92 34 05 20 00 9d", True),  # with TL0PICIDX and TID
        ("90 e0 92 34 05 20 01 9d", False),
        ("90 e0 92", False),  # cut short
        ("", False),
    ],
)
def test_vp8_keyframes_are_recognized_by_their_first_packet(payload: str, begins: bool) -> None:
    assert vp8_begins_keyframe(bytes.fromhex(payload)) is begins


@pytest.mark.parametrize(
    ("payload", "begins"),
    [
        ("67 42e01f", True),  # a sequence parameter set
        ("65 88", True),  # an IDR slice
        ("61 88", False),  # another slice
        ("78 0002 6742 0002 68ce", True),  # aggregated parameter sets
        ("78 0002 68ce 0002 6588", True),  # an IDR slice behind another unit
        ("78 0002 68ce", False),
        ("7c 85 88", True),  # the first fragment of an IDR slice
        ("7c 05 88", False),  # a later one
        ("78 ffff", False),
        ("67", False),
    ],
)
def test_h264_keyframes_are_recognized_by_their_first_packet(payload: str, begins: bool) -> None:
    assert h264_begins_keyframe(bytes.fromhex(payload)) is begins


@given(st.binary(max_size=40))
def test_no_payload_whatever_breaks_the_recognizers(payload: bytes) -> None:
    vp8_begins_keyframe(payload)
    h264_begins_keyframe(payload)
