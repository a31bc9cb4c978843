"""A participant's receiving connection: the pool it was offered once, and what each of its m-lines carries now.

One counter numbers offers and bindings alike, so that a page can tell the newer of any two. Its m-lines are bound as
soon as the plan says so and fed once its SRTP is up.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from signaling.media import feedback, quality, sdp, sdp_lines
from signaling.media.dtls import rtp
from signaling.media.errors import SdpInvalid
from signaling.media.forward import Out
from signaling.media.layers import Layered
from signaling.media.link import Host, Link
from signaling.media.plan import KIND, NOBODY, POOL, PRECEDENCE, Binding, Holders
from signaling.media.pressure import Pressure
from signaling.media.values import Bindings, Offer, Wish

WISHES = 64  # of one subscriber; with another the oldest is forgotten, and its picture is sent as large as there is
AS_IT_COMES = Wish()
CODEC_REFUSED = "codec_unsupported"  # nothing is transcoded: this browser does not play what that one sends


class Subscriber:
    """One user's receiving peer. `ended` tells the connection's end."""

    def __init__(self, host: Host, peer: str, user: int, *, ended: Callable[[Subscriber, str], None]) -> None:
        self.peer, self.user = peer, user
        self.link = Link(host, self)
        self.seats: Holders = NOBODY
        self.revision = 0
        self._offered = 0  # the revision of the last offer, the only one that may be answered
        self._ended = ended
        self.outs = {line.mid: Out(self.link, line) for line in _pool_lines()}
        self.bindings: dict[str, Binding | None] = dict.fromkeys(self.outs)
        self._by_ssrc = {out.ssrc: out for out in self.outs.values()}
        self._after: dict[str, int] = {}
        self._refused: frozenset[str] = frozenset()  # lines whose track is in a codec this browser does not play
        self._tracks: dict[str, Layered] = {}  # by mid, of all lines that are bound
        self.pressure = Pressure(list(self.outs.values()), self._needed, lambda less: self.choose(at_once=less))
        self._wishes: dict[tuple[int, str], Wish] = {}  # by (user, source), the oldest first

    def offer(self) -> Offer:
        """The pool, under a new revision. Again after `link.restart()`: an ICE restart."""
        self.revision += 1
        self._offered = self.revision
        self.link.versions += 1
        lines = [out.line for out in self.outs.values()]
        text = sdp_lines.pool_offer(self.link.session, self.link.versions, self.link.transport(), lines)
        return Offer(self.revision, text, self.shown())

    def answer(self, revision: int, answer: sdp.Description) -> None:
        """The browser's answer to the offer of that revision. Raises SdpInvalid when it answers another, or does not
        fit.
        """
        if revision != self._offered:
            raise SdpInvalid("This answers an offer that has been replaced by a newer one.")
        if answer.setup not in ("active", "passive"):
            raise SdpInvalid("The answer does not choose a DTLS role (a=setup).")
        if [line.mid for line in answer.media] != list(self.outs):
            raise SdpInvalid("The answer does not have the media lines of the offer.")
        if self.link.fingerprints and self.link.fingerprints != answer.fingerprints:
            raise SdpInvalid("The answer comes from another connection than before.")
        self.link.remote_ufrag = answer.ufrag
        for line in answer.media:
            out = self.outs[line.mid]
            names = {"opus": "opus", "vp8": "VP8", "h264": "H264"}
            takes = not line.is_rejected and line.direction in ("recvonly", "sendrecv")
            out.codecs = frozenset(names[c.name] for c in line.codecs if c.name in names) if takes else frozenset()
            if out.wanted is not None and out.wanted.codec not in out.codecs:
                out.bind(None)
        self.link.start(answer.fingerprints, server=answer.setup == "active")

    def prefer(self, wishes: Mapping[tuple[int, str], Wish]) -> None:
        """How large the browser shows these pictures, and which it does not want for now; holds from the next `bind`.
        Sound is never paused.
        """
        for key, wish in wishes.items():
            self._wishes.pop(key, None)
            if wish != AS_IT_COMES and KIND.get(key[1]) == "video":
                self._wishes[key] = wish
        while len(self._wishes) > WISHES:
            del self._wishes[next(iter(self._wishes))]

    def bind(
        self, seats: Holders, bindings: Mapping[str, Binding | None], tracks: Mapping[tuple[int, str], Layered]
    ) -> bool:
        """Bring every m-line to what the plan says; True when something changed, and then the revision is a new one."""
        before_all, self._tracks = (self.bindings, self._refused), {}
        for mid, binding in bindings.items():
            out, before = self.outs[mid], self.bindings.get(mid)
            if binding is not None and (before is None or before.user_id != binding.user_id):
                # Frames of whoever was shown here before may still be in the browser's buffer; newer ones have a later
                # timestamp.
                self._after.pop(mid, None)
                if out.is_video and (last := out.last_timestamp) is not None:
                    self._after[mid] = last
            track = tracks.get((binding.user_id, binding.source)) if binding is not None else None
            if track is not None:
                self._tracks[mid] = track
        self.choose()
        self._refused = frozenset(
            mid for mid, track in self._tracks.items() if track.chosen.name not in self.outs[mid].codecs
        )
        self.seats, self.bindings = seats, dict(bindings)
        changed = (self.bindings, self._refused) != before_all
        if changed and self._offered:
            self.revision += 1
        return changed

    def choose(self, moved: Layered | None = None, *, at_once: bool = False) -> None:
        """Bring every m-line to the layer that fits what the page shows and the link carries; `moved` is the track to
        do it for, if this subscriber has it at all. `at_once`: what is too much is not sent until the other's keyframe.
        """
        if moved is not None and moved not in self._tracks.values():
            return
        chosen = {mid: track.sources[0] for mid, track in self._tracks.items() if track.kind == "audio"}
        pictures = self._pictures()
        budget = self.pressure.for_pictures()
        for mid, index in zip(pictures, quality.allot(list(pictures.values()), budget), strict=True):
            if index is not None:
                chosen[mid] = self._tracks[mid].sources[index]
        for mid, out in self.outs.items():
            source = chosen.get(mid)
            if source is not (out.wanted or out.source) or (at_once and out.source not in (None, source)):
                out.bind(source, at_once=at_once)

    def _pictures(self) -> dict[str, quality.Picture]:
        """What each video line could carry, in order of importance; without those that are not looked at."""
        pictures: dict[str, quality.Picture] = {}
        for mid in PRECEDENCE:
            track = self._tracks.get(mid)
            wish = self._wishes.get((track.user, track.name), AS_IT_COMES) if track is not None else AS_IT_COMES
            if track is not None and not wish.paused:
                carried = self.outs[mid].wanted or self.outs[mid].source
                current = track.sources.index(carried) if carried in track.sources else None
                pictures[mid] = quality.Picture(track.rungs(), wish.width, current)
        return pictures

    def _needed(self) -> float:
        return self.pressure.sound() + quality.cost(list(self._pictures().values()))

    def shown(self) -> Bindings:
        """The bindings for the page. `after`: this m-line showed somebody else before; frames whose RTP timestamp is
        not later than this (modulo 2**32) are still theirs. `refused`: nothing comes, for the reason given.
        """
        result: Bindings = {}
        for mid, binding in self.bindings.items():
            result[mid] = None
            if binding is not None:
                entry: dict[str, Any] = {"user_id": binding.user_id, "source": binding.source}
                if mid in self._after:
                    entry["after"] = self._after[mid]
                if mid in self._refused:
                    entry["refused"] = CODEC_REFUSED
                result[mid] = entry
        return result

    # --- behind the link --------------------------------------------------------------------------
    def up(self) -> None:
        """Only now may keyframes be asked for: before, they would be lost."""
        for out in self.outs.values():
            out.up()

    def down(self, reason: str) -> None:
        """Nobody feeds it any more."""
        self.pressure.close()
        for out in self.outs.values():
            out.bind(None)
        self._ended(self, reason)

    def rtp(self, size: int) -> None:
        """A subscriber sends no media; dropped."""
        self.link.counters.unknown_dropped += 1

    def rtcp(self, packets: Sequence[Any]) -> None:
        """NACK, PLI, FIR, and what the browser says of its link."""
        self.pressure.hear(packets)
        for packet in packets:
            if isinstance(packet, rtp.RtcpRtpfbPacket) and packet.fmt == rtp.RTCP_RTPFB_NACK:
                if out := self._by_ssrc.get(packet.media_ssrc):
                    out.retransmit(packet.lost)
            elif isinstance(packet, rtp.RtcpPsfbPacket):
                for ssrc in feedback.keyframe_wishes(packet):
                    if (out := self._by_ssrc.get(ssrc)) and out.source is not None:
                        out.source.want_keyframe()

    def tick(self) -> None:
        """Once a second: sender reports."""
        for out in self.outs.values():
            out.tick()


def _pool_lines() -> list[sdp_lines.PoolLine]:
    lines = []
    for index, slot in enumerate(POOL):
        for (mid, _), kind in zip(slot.sources(), ("audio", "video"), strict=True):
            rtx = secrets.randbits(31) | 1 if kind == "video" else None
            lines.append(sdp_lines.PoolLine(mid, kind, f"slot{index}", secrets.randbits(31) | 1, rtx))
    return lines
