"""Session descriptions written: the answer to a publisher and the offer of a subscriber's pool.

Each line here was tried with Chromium. Either all three of `a=ssrc-group:FID` and the two `a=ssrc` lines, the media's
first, or none of them: with some of them retransmissions are never associated, or the wrong one is taken for the track.
Our own header extensions: mid everywhere, send time on video only, because an audio packet is retransmitted under its
own number and must then be byte-identical.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

from signaling.media.sdp import (
    LEVEL_EXTENSION,
    MID_EXTENSION,
    REPAIRED_RID_EXTENSION,
    RID_EXTENSION,
    SEND_TIME_EXTENSION,
    TRANSPORT_CC_EXTENSION,
    Chosen,
    MediaLine,
)

AUDIO_TYPE = 111
VIDEO_TYPES = {"VP8": (96, 97), "H264": (102, 103)}  # payload type, and of its retransmissions
MID_ID, SEND_TIME_ID = 1, 2  # our extension ids on the subscribe side
OPUS = "minptime=10;useinbandfec=1"
H264 = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"
# Header extensions taken from publishers
USUAL = {MID_EXTENSION, SEND_TIME_EXTENSION, TRANSPORT_CC_EXTENSION, LEVEL_EXTENSION}
OF_LAYERS = {RID_EXTENSION, REPAIRED_RID_EXTENSION}
VIDEO_FEEDBACK = ("nack", "nack pli", "ccm fir", "goog-remb")


@dataclass(frozen=True, slots=True)
class Transport:
    """Our end: credentials, certificate and the addresses to reach us at, best first."""

    ufrag: str
    password: str
    fingerprint: str
    candidates: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class PoolLine:
    """One m-line of a pool; `rtx_ssrc` only for video. Audio and video of a slot share `stream`."""

    mid: str
    kind: str
    stream: str
    ssrc: int
    rtx_ssrc: int | None


def answer(session: int, version: int, transport: Transport, lines: Sequence[tuple[MediaLine, Chosen | None]]) -> str:
    """The answer to a publisher's offer. A line without a codec is declined: inactive, or with port 0 if it was
    rejected.
    """
    mids = [line.mid for line, _ in lines if not line.is_rejected]
    out = _head(session, version, mids)
    for line, chosen in lines:
        if line.is_rejected:
            out += [
                f"m={line.kind} 0 {line.profile} {' '.join(line.formats) or '0'}",
                "c=IN IP4 0.0.0.0",
                f"a=mid:{line.mid}",
                "a=inactive",
            ]
            continue
        kept = chosen or _any_codec(line)
        types = [t for t in (kept.payload_type, kept.rtx_payload_type) if t is not None]
        out += [
            f"m={line.kind} 9 UDP/TLS/RTP/SAVPF {' '.join(map(str, types))}",
            *_transport(transport, "passive"),
            f"a=mid:{line.mid}",
        ]
        out += ["a=recvonly" if chosen else "a=inactive"]
        known = OF_LAYERS | USUAL if kept.rids else USUAL
        out += [f"a=extmap:{number} {uri}" for uri, number in line.extensions.items() if uri in known]
        out += _codec(kept.name, kept.payload_type, kept.rtx_payload_type, kept.clock_rate)
        if TRANSPORT_CC_EXTENSION in line.extensions:
            out.append(f"a=rtcp-fb:{kept.payload_type} transport-cc")
        if kept.rids:
            out += [f"a=rid:{rid} recv" for rid in kept.rids]
            out.append(f"a=simulcast:recv {';'.join(kept.rids)}")
    return "\r\n".join(out) + "\r\n"


def pool_offer(session: int, version: int, transport: Transport, lines: Sequence[PoolLine]) -> str:
    """The offer of a subscriber's whole pool. Sent again for an ICE restart: same mids, order and SSRCs, other
    credentials.
    """
    out = _head(session, version, [line.mid for line in lines])
    for line in lines:
        types = [AUDIO_TYPE] if line.kind == "audio" else [t for pair in VIDEO_TYPES.values() for t in pair]
        out += [
            f"m={line.kind} 9 UDP/TLS/RTP/SAVPF {' '.join(map(str, types))}",
            *_transport(transport, "actpass"),
            f"a=mid:{line.mid}",
        ]
        out += ["a=sendonly", f"a=msid:{line.stream} {line.stream}-{line.kind}", f"a=extmap:{MID_ID} {MID_EXTENSION}"]
        if line.kind == "audio":
            out += _codec("opus", AUDIO_TYPE, None, 48000)
        else:
            out.append(f"a=extmap:{SEND_TIME_ID} {SEND_TIME_EXTENSION}")
            for name, (payload_type, rtx) in VIDEO_TYPES.items():
                out += _codec(name, payload_type, rtx, 90000)
            out.append(f"a=ssrc-group:FID {line.ssrc} {line.rtx_ssrc}")
        out += [f"a=ssrc:{ssrc} cname:{line.stream}" for ssrc in (line.ssrc, line.rtx_ssrc) if ssrc is not None]
    return "\r\n".join(out) + "\r\n"


def _head(session: int, version: int, mids: Sequence[str]) -> list[str]:
    origin = f"o=- {session} {version} IN IP4 127.0.0.1"
    return ["v=0", origin, "s=-", "t=0 0", "a=ice-lite", f"a=group:BUNDLE {' '.join(mids)}", "a=msid-semantic: WMS *"]


def _transport(transport: Transport, setup: str) -> list[str]:
    lines = ["c=IN IP4 0.0.0.0", "a=rtcp:9 IN IP4 0.0.0.0"]
    for rank, (address, port) in enumerate(transport.candidates):
        # Priority: host type preference 126, then by our order (RFC 8445, section 5.1.2.1).
        priority = (126 << 24) + ((65535 - rank) << 8) + 255
        lines.append(f"a=candidate:{rank + 1} 1 udp {priority} {ipaddress.ip_address(address)} {port} typ host")
    lines += ["a=end-of-candidates", f"a=ice-ufrag:{transport.ufrag}", f"a=ice-pwd:{transport.password}"]
    return [*lines, f"a=fingerprint:sha-256 {transport.fingerprint}", f"a=setup:{setup}", "a=rtcp-mux", "a=rtcp-rsize"]


def _codec(name: str, payload_type: int, rtx: int | None, clock_rate: int) -> list[str]:
    if name == "opus":
        return [
            f"a=rtpmap:{payload_type} opus/48000/2",
            f"a=fmtp:{payload_type} {OPUS}",
            f"a=rtcp-fb:{payload_type} nack",
        ]
    lines = [f"a=rtpmap:{payload_type} {name}/{clock_rate}"]
    if name == "H264":
        lines.append(f"a=fmtp:{payload_type} {H264}")
    if name in VIDEO_TYPES:
        lines += [f"a=rtcp-fb:{payload_type} {feedback}" for feedback in VIDEO_FEEDBACK]
    if rtx is not None:
        lines += [f"a=rtpmap:{rtx} rtx/{clock_rate}", f"a=fmtp:{rtx} apt={payload_type}"]
    return lines


def _any_codec(line: MediaLine) -> Chosen:
    """An inactive line still has to name a format of the offer."""
    codec = line.codecs[0] if line.codecs else None
    if codec is None:
        return Chosen("unknown", int(line.formats[0]) if line.formats else 0, None, 90000)
    return Chosen(codec.name, codec.payload_type, None, codec.clock_rate)
