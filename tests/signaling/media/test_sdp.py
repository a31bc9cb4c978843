"""Descriptions read and written: what is taken, what is refused with a sentence, and the lines browsers depend on."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signaling.media import sdp, sdp_lines
from signaling.media.errors import SdpInvalid
from tests.signaling.media.peers import PublishingPeer

TRANSPORT = sdp_lines.Transport("ufrag", "password", "AA:BB", (("192.0.2.1", 8081), ("2001:db8::1", 8081)))
H264 = "a=rtpmap:102 H264/90000\r\na=fmtp:102 packetization-mode=1;profile-level-id=42e01f\r\n"
BASELINE = "a=rtpmap:103 H264/90000\r\na=fmtp:103 packetization-mode=0;profile-level-id=42e01f\r\n"


def an_offer(*sources: str) -> str:
    """A browser's, with microphone and camera unless told otherwise."""
    return PublishingPeer(1, sources or ("microphone", "camera")).offer()


OFFER = an_offer()  # one text for all examples


def lines_of(text: str, mid: str) -> list[str]:
    """The lines of one media section."""
    return next(s for s in re.split(r"(?m)^(?=m=)", text) if f"a=mid:{mid}\r\n" in s).splitlines()


def test_an_offer_is_read_into_values() -> None:
    offer = sdp.read(an_offer())
    assert [(line.mid, line.kind, line.direction) for line in offer.media] == [
        ("0", "audio", "sendonly"),
        ("1", "video", "sendonly"),
    ]
    assert offer.setup == "actpass"
    assert sdp.choose(offer.media[1]) == sdp.Chosen("VP8", 96, 97, 90000)
    assert offer.media[1].extensions == {
        sdp.MID_EXTENSION: 4,
        sdp.TRANSPORT_CC_EXTENSION: 5,
        sdp.LEVEL_EXTENSION: 8,
    }


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda text: "", "no media lines"),
        (lambda text: "nonsense\r\n", "no media lines"),
        (lambda text: text.replace("m=video 9", "m=video x"), "could not be read"),
        (lambda text: text.replace("a=rtpmap:96 VP8/90000", "a=rtpmap:96 VP8"), "could not be read"),
        (lambda text: re.sub(r"a=ice-ufrag.*\r\n", "", text), "no ICE user name"),
        (lambda text: re.sub(r"a=setup.*\r\n", "", text), "no DTLS role"),
        (lambda text: re.sub(r"a=fingerprint.*\r\n", "", text), "no certificate fingerprint"),
        (lambda text: text.replace("fingerprint:sha-256", "fingerprint:md5"), "no certificate fingerprint"),
        (lambda text: text.replace("a=mid:1", "a=mid:0"), "same mid"),
        (lambda text: text.replace("a=mid:1", "a=mid:a b"), "no usable mid"),
        (lambda text: text.replace("a=rtcp-mux\r\n", ""), "rtcp-mux"),
        (lambda text: text.replace("BUNDLE 0 1", "BUNDLE 0"), "bundle"),
        (lambda text: text + "a=x:" + "y" * 40_000, "longer than 32768 bytes"),
        (lambda text: text + "a=x\r\n" * 2500, "more than 2000 lines"),
        (lambda text: text + "a=rtpmap:1 x/1\r\n" * 200, "128 lines a=rtpmap"),
        (lambda text: text + "".join(f"a=ssrc:{n} cname:x\r\n" for n in range(200)), "128 lines a=ssrc"),
        (lambda text: text + "a=rtcp-fb:* nack\r\n" * 20, r"16 lines a=rtcp-fb:\*"),
    ],
)
def test_a_spoiled_description_is_refused_with_a_sentence(spoil: object, sentence: str) -> None:
    with pytest.raises(SdpInvalid, match=sentence):
        sdp.read(spoil(an_offer()))  # type: ignore[operator]


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_description_whatever_raises_anything_else(data: st.DataObject) -> None:
    lines = OFFER.splitlines()
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(lines) - 1))
        change = data.draw(st.sampled_from(["drop", "double", "cut", "noise", "swap"]))
        if change == "drop" and len(lines) > 1:
            del lines[at]
        elif change == "double":
            lines.insert(at, lines[at])
        elif change == "cut":
            lines[at] = lines[at][: data.draw(st.integers(0, len(lines[at])))]
        elif change == "noise":
            lines[at] = lines[at][:6] + data.draw(st.text(max_size=20))
        else:
            other = data.draw(st.integers(0, len(lines) - 1))
            lines[at], lines[other] = lines[other], lines[at]
    try:
        offer = sdp.read("\r\n".join(lines))
        for line in offer.media:
            if not line.is_rejected:
                sdp.choose(line)
    except SdpInvalid:
        pass


def test_h264_is_chosen_only_where_vp8_is_lacking_and_then_only_its_common_form() -> None:
    both = an_offer().replace("a=rtpmap:97", H264 + "a=rtpmap:97")
    assert sdp.choose(sdp.read(both).media[1]).name == "VP8"
    only = both.replace("a=rtpmap:96 VP8/90000", BASELINE)
    assert sdp.choose(sdp.read(only).media[1]) == sdp.Chosen("H264", 102, None, 90000)
    with pytest.raises(SdpInvalid, match=r"neither VP8 nor H\.264"):
        sdp.choose(sdp.read(an_offer().replace("a=rtpmap:96 VP8/90000", BASELINE)).media[1])


def test_a_stopped_line_and_a_data_channel_are_declined_and_the_rest_goes_on() -> None:
    text = an_offer("microphone", "camera", "screen").replace("BUNDLE 0 1 2", "BUNDLE 0 2")
    stopped = re.sub(
        r"m=video 9 (.*?)\r\n.*?a=mid:1", r"m=video 0 \1\r\nc=IN IP4 0.0.0.0\r\na=mid:1", text, count=1, flags=re.DOTALL
    )
    data = stopped + "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:d\r\na=sctp-port:5000\r\n"
    offer = sdp.read(data)
    assert [line.is_rejected for line in offer.media] == [False, True, False, True]
    chosen = {line.mid: sdp.choose(line) for line in offer.media if not line.is_rejected}
    answer = sdp_lines.answer(1, 1, TRANSPORT, [(line, chosen.get(line.mid)) for line in offer.media])
    assert "a=group:BUNDLE 0 2\r\n" in answer
    assert lines_of(answer, "1")[0].startswith("m=video 0 ")
    assert lines_of(answer, "d")[0] == "m=application 0 UDP/DTLS/SCTP webrtc-datachannel"
    assert "a=recvonly" in lines_of(answer, "2")


def test_the_answer_is_passive_lite_and_keeps_the_browsers_numbers() -> None:
    offer = sdp.read(an_offer())
    answer = sdp_lines.answer(1, 1, TRANSPORT, [(line, sdp.choose(line)) for line in offer.media])
    assert "a=ice-lite\r\n" in answer
    assert "a=candidate:1 1 udp 2130706431 192.0.2.1 8081 typ host" in answer
    assert "a=candidate:2 1 udp 2130706175 2001:db8::1 8081 typ host" in answer
    audio, video = lines_of(answer, "0"), lines_of(answer, "1")
    assert {"a=setup:passive", "a=rtcp-fb:111 nack", "a=fmtp:111 minptime=10;useinbandfec=1"} <= set(audio)
    assert {"a=rtpmap:96 VP8/90000", "a=fmtp:97 apt=96", "a=rtcp-fb:96 nack pli", "a=rtcp-fb:96 goog-remb"} <= set(
        video
    )
    assert f"a=extmap:4 {sdp.MID_EXTENSION}" in video


def test_arrivals_are_told_to_publishers_that_understand_it_and_never_asked_of_subscribers() -> None:
    number = f"a=extmap:5 {sdp.TRANSPORT_CC_EXTENSION}"
    for able in (True, False):
        text = OFFER if able else OFFER.replace(number, "a=x-other")
        answer = sdp_lines.answer(1, 1, TRANSPORT, [(line, sdp.choose(line)) for line in sdp.read(text).media])
        for mid, payload_type in (("0", 111), ("1", 96)):
            lines = lines_of(answer, mid)
            assert (number in lines) is (f"a=rtcp-fb:{payload_type} transport-cc" in lines) is able
    pool = [sdp_lines.PoolLine("0", "audio", "slot0", 1, None), sdp_lines.PoolLine("1", "video", "slot0", 2, 3)]
    assert "transport-" not in sdp_lines.pool_offer(1, 1, TRANSPORT, pool)


def test_the_pool_names_its_sources_the_one_way_browsers_understand() -> None:
    pool = [
        sdp_lines.PoolLine("0", "audio", "slot0", 11, None),
        sdp_lines.PoolLine("1", "video", "slot0", 21, 22),
    ]
    offer = sdp_lines.pool_offer(1, 1, TRANSPORT, pool)
    video = lines_of(offer, "1")
    named = [line for line in video if line.startswith("a=ssrc")]
    assert named == ["a=ssrc-group:FID 21 22", "a=ssrc:21 cname:slot0", "a=ssrc:22 cname:slot0"]
    assert "a=msid:slot0 slot0-video" in video
    assert "a=setup:actpass" in video
    assert not any("abs-send-time" in line for line in lines_of(offer, "0"))
    assert sdp.read(offer).media[1].ssrcs == (21, 22)
