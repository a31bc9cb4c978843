"""A participant's sending connection: the answer to its offer, and its packets sorted into sources.

A source is found by the mid, and of a picture in layers the rid, in the packet's header extension the first time an
SSRC is seen, or by the offer's a=ssrc lines; after that by SSRC alone. What the description does not name, and what is
not permitted, goes no further than this file.
"""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from signaling.media import extensions, feedback, sdp, sdp_lines
from signaling.media.arrivals import FEEDBACK_SECONDS, Arrivals
from signaling.media.dtls import IN_VIEW, rtp
from signaling.media.errors import SdpInvalid
from signaling.media.layers import Layered
from signaling.media.link import Host, Link
from signaling.media.plan import KIND
from signaling.media.source import Source, flowing
from signaling.media.values import Track

RATE_CAP = {"camera": 1_300_000, "screen": 2_500_000, "microphone": 96_000, "screen_audio": 128_000}  # bits per second
LAYERED_CAP = 1_900_000  # a camera in layers: all of them together
LAYERED = "camera"  # what is taken in layers; a screen has to be sharp, and comes once
HEADROOM = 1.25  # packets' headers, repairs and probes count for the browser's estimate, not for its encoders
SSRCS_PER_PUBLISHER = 32  # media and retransmissions; further ones are dropped unread
LARGEST_PAYLOAD = 1400  # with our header and SRTP's tag still one Ethernet frame; browsers stay under 1200
CLOCK_DRIFT = 1e-4  # seconds a second, more than any computer's clock
read_header = struct.Struct("!BBHII").unpack_from
read_number = struct.Struct("!H").unpack_from


class Publisher:
    """One user's sending peer. `flows` tells a track's beginning and end, `moved` that other layers of it arrive,
    `spoke` how loud each packet of its microphone is, `ended` the connection's end.
    """

    def __init__(
        self, host: Host, peer: str, user: int, *,
        flows: Callable[[Publisher, Layered, bool], None], moved: Callable[[Layered], None],
        spoke: Callable[[int, int], None], ended: Callable[[Publisher, str], None],
    ) -> None:  # fmt: skip
        self.peer, self.user = peer, user
        self.link = Link(host, self)
        self.tracks: dict[str, Layered] = {}  # by mid
        self._lines: dict[str, sdp.MediaLine] = {}
        self._by_ssrc: dict[int, tuple[Source, bool]] = {}  # (source, is it the retransmission stream)
        self._origin = ""
        self._clock_offset: float | None = None
        self._clock_at = time.monotonic()
        self._flows, self._moved, self._spoke, self._ended = flows, moved, spoke, ended
        self._counters = host.mux.counters
        self._level_at: int | None = None  # the header extension with the level of its sound
        self._number_at: int | None = None  # the header extension with the connection's own packet numbers
        self._arrivals = Arrivals()

    @property
    def sources(self) -> list[Source]:
        """All layers of all tracks."""
        return [source for track in self.tracks.values() for source in track.sources]

    def named(self) -> dict[str, Layered]:
        """Its tracks by name."""
        return {track.name: track for track in self.tracks.values()}

    def is_for(self, offer: sdp.Description) -> bool:
        """Does this offer come from the connection this publisher already has?"""
        return not self.link.closed and (self.link.fingerprints, self._origin) == (offer.fingerprints, offer.origin)

    def answer(self, offer: sdp.Description, tracks: Sequence[Track]) -> str:
        """Take an offer: the first, one with other tracks, or one with new ICE credentials. Returns our answer; raises
        SdpInvalid, and then nothing has changed.
        """
        lines = _lines_of(offer, tracks)
        chosen = {track.mid: _chosen(lines[track.mid], track.source) for track in tracks}
        if offer.setup == "passive":
            raise SdpInvalid(
                "The session description wants this server to open DTLS (a=setup:passive); it can only wait for it."
            )
        if self.link.remote_ufrag and self.link.remote_ufrag != offer.ufrag:
            self.link.restart()
        self.link.remote_ufrag, self._origin = offer.ufrag, offer.origin
        self._take(lines, chosen, tracks)
        self.link.versions += 1
        self.link.start(offer.fingerprints, server=True)
        answered = [(line, chosen.get(line.mid)) for line in offer.media]
        return sdp_lines.answer(self.link.session, self.link.versions, self.link.transport(), answered)

    def drop(self, names: Sequence[str]) -> None:
        """Unpublish these sources; their packets are dropped from now on."""
        for mid, track in list(self.tracks.items()):
            if track.name in names:
                self._remove(mid)

    def permit(self, may: frozenset[str]) -> None:
        """Which of its sources may be sent on; the others' packets are dropped at arrival, from this call on."""
        for track in self.tracks.values():
            track.permit(track.name in may)

    # --- behind the link --------------------------------------------------------------------------
    def up(self) -> None:
        """Nothing to do: sources begin with their first packets."""
        self.tick()

    def down(self, reason: str) -> None:
        """Its sources end with it."""
        for mid in list(self.tracks):
            self._remove(mid)
        self._ended(self, reason)

    def rtp(self, size: int) -> None:
        """Find the packet's source and payload in IN_VIEW."""
        if size < 12:
            self._counters.malformed_dropped += 1
            return
        first, second, seq, timestamp, ssrc = read_header(IN_VIEW)
        start = 12 + 4 * (first & 0x0F)
        if first & 0x10 and start + 4 <= size:
            start += 4 + 4 * read_number(IN_VIEW, start + 2)[0]  # whatever extensions came are not sent on
        if start > size or size - start > LARGEST_PAYLOAD:
            self._counters.malformed_dropped += 1
            return
        if self._number_at and start > 16 + 4 * (first & 0x0F):
            self._note_arrival(ssrc, 12 + 4 * (first & 0x0F), start)
        known = self._by_ssrc.get(ssrc) or self._learn(ssrc, second & 0x7F, size)
        if known is None:
            self._counters.unknown_dropped += 1
            return
        source, is_rtx = known
        if not source.permitted:
            self._counters.unpermitted_dropped += 1
            return
        if self._level_at and source.name == "microphone" and start > 16 + 4 * (first & 0x0F):
            level = extensions.one_byte(self._level_at, 12 + 4 * (first & 0x0F), start)
            if level is not None:
                self._spoke(self.user, level & 0x7F)
        end, padding = size, first & 0x20
        if padding and not 0 < IN_VIEW[size - 1] <= size - start:
            self._counters.malformed_dropped += 1
            return
        if is_rtx:
            if padding:
                end -= IN_VIEW[size - 1]  # bandwidth probes are padding on this stream
            if end - start > 2:
                original = read_number(IN_VIEW, start)[0]
                source.packet(original, timestamp, 0, second & 0x80, bytes(IN_VIEW[start + 2 : end]))
        elif second & 0x7F == source.chosen.payload_type:
            source.packet(seq, timestamp, padding, second & 0x80, bytes(IN_VIEW[start:end]))
        else:
            self._counters.unknown_dropped += 1

    def rtcp(self, packets: Sequence[Any]) -> None:
        """Sender reports: their clock, translated to ours by the smallest delay seen over all its tracks."""
        for packet in packets:
            if not isinstance(packet, rtp.RtcpSrPacket) or packet.ssrc not in self._by_ssrc:
                continue
            source = self._by_ssrc[packet.ssrc][0]
            field = packet.sender_info.ntp_timestamp
            delay = time.time() + feedback.NTP_EPOCH - field / 2**32
            self._clock_offset = self._clock(delay)
            for each in self.sources:
                each.clock_offset = self._clock_offset
            if source.sender_report(field, packet.sender_info.rtp_timestamp):
                for out in source.outs:
                    out.report()

    def tick(self) -> None:
        """Once a second: our reports and the rate cap; silent sources are noticed."""
        live = flowing(self.sources)
        if live:
            self.link.send_rtcp(
                rtp.RtcpRrPacket(ssrc=feedback.OUR_SSRC, reports=[source.receiver_report() for source in live])
            )
        if video := [source.ssrc for source in live if source.kind == "video" and source.ssrc is not None]:
            cap = sum(LAYERED_CAP if track.chosen.rids else RATE_CAP[track.name] for track in self.tracks.values())
            self.link.send_rtcp(*feedback.rate_cap(int(cap * HEADROOM), video))
        for track in self.tracks.values():
            track.tick()

    def _clock(self, delay: float) -> float:
        """The smallest delay seen, let up a little with time: two clocks drift apart, and an old minimum would stay for
        good.
        """
        now = time.monotonic()
        elapsed, self._clock_at = now - self._clock_at, now
        return delay if self._clock_offset is None else min(delay, self._clock_offset + CLOCK_DRIFT * elapsed)

    # --- inside -----------------------------------------------------------------------------------
    def _take(
        self, lines: Mapping[str, sdp.MediaLine], chosen: Mapping[str, sdp.Chosen], tracks: Sequence[Track]
    ) -> None:
        wanted = {track.mid: track.source for track in tracks}
        for mid, track in list(self.tracks.items()):
            if wanted.get(mid) != track.name or chosen[mid] != track.chosen:
                self._remove(mid)
        for mid, name in wanted.items():
            if mid not in self.tracks:
                self.tracks[mid] = Layered(
                    self.user, name, KIND[name], chosen[mid], send_rtcp=self.link.send_rtcp,
                    flows=lambda track, on: self._flows(self, track, on), moved=self._moved, counters=self._counters,
                )  # fmt: skip
        self._lines = dict(lines)
        self._number_at = _number_of(sdp.TRANSPORT_CC_EXTENSION, lines)
        self._level_at = _number_of(sdp.LEVEL_EXTENSION, lines)

    def _note_arrival(self, ssrc: int, at: int, end: int) -> None:
        """Its own number is in the extension block that ends at `end`."""
        number = extensions.two_bytes(self._number_at or 0, at, end)
        if number is not None and self._arrivals.arrived(number, self.link.mux.arrived_at):
            asyncio.get_running_loop().call_later(FEEDBACK_SECONDS, self._report_arrivals, ssrc)

    def _report_arrivals(self, ssrc: int) -> None:
        for message in self._arrivals.feedback(ssrc):
            self.link.send_rtcp(rtp.RtcpRrPacket(ssrc=feedback.OUR_SSRC), message)

    def _remove(self, mid: str) -> None:
        track = self.tracks.pop(mid)
        track.end()
        self._by_ssrc = {ssrc: known for ssrc, known in self._by_ssrc.items() if known[0] not in track.sources}

    def _learn(self, ssrc: int, payload_type: int, size: int) -> tuple[Source, bool] | None:
        """The first packet of an SSRC: its mid names the m-line, its rid the layer, its payload type tells media from
        retransmissions.
        """
        if len(self._by_ssrc) >= SSRCS_PER_PUBLISHER:
            return None
        names = extensions.names_in(size, self._lines)
        mid = names.mid if names else next((mid for mid, line in self._lines.items() if ssrc in line.ssrcs), None)
        track = self.tracks.get(mid or "")
        source = track.layers.get(names.rid if names and track.chosen.rids else "") if track else None
        if source is None or payload_type not in (source.chosen.payload_type, source.chosen.rtx_payload_type):
            return None
        is_rtx = payload_type != source.chosen.payload_type
        if not is_rtx:
            self._by_ssrc = {s: k for s, k in self._by_ssrc.items() if k != (source, False)}
            source.begin(ssrc)
        self._by_ssrc[ssrc] = (source, is_rtx)
        return source, is_rtx


def _number_of(extension: str, lines: Mapping[str, sdp.MediaLine]) -> int | None:
    """An extension has the same number on all lines of a bundle (RFC 8843, section 9.2)."""
    return next((number for line in lines.values() if (number := line.extensions.get(extension))), None)


def _chosen(line: sdp.MediaLine, name: str) -> sdp.Chosen:
    chosen = sdp.choose(line)
    return chosen if name == LAYERED else replace(chosen, rids=())


def _lines_of(offer: sdp.Description, tracks: Sequence[Track]) -> dict[str, sdp.MediaLine]:
    """The m-lines the tracks name. Raises SdpInvalid with the reason when they do not fit the offer."""
    lines = {line.mid: line for line in offer.media}
    if len({track.mid for track in tracks}) != len(tracks) or len({track.source for track in tracks}) != len(tracks):
        raise SdpInvalid("The tracks name a media line or a source twice.")
    for track in tracks:
        line = lines.get(track.mid)
        if line is None or line.is_rejected:
            raise SdpInvalid(
                f"The tracks name the media line {track.mid[:16]!r}, which the session description does not offer."
            )
        if track.source not in KIND or KIND[track.source] != line.kind:
            raise SdpInvalid(f"The media line {track.mid[:16]!r} cannot carry {track.source[:20]!r}.")
        if line.direction in ("recvonly", "inactive"):
            raise SdpInvalid(f"The media line {track.mid[:16]!r} does not send anything.")
    return {track.mid: lines[track.mid] for track in tracks}
