"""Session descriptions read into plain values: what a browser offers to send, or answers to our pool.

aiortc's parser does the reading; nothing of its types leaves this file. It was written for friendly input and fails in
many ways, so size and line counts are bounded first and every failure becomes SdpInvalid with a sentence. Candidates
are never looked at: an ICE-lite server learns addresses from checks (RFC 8445, section 2.5), and `.local` names would
only cost time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from signaling.media import dtls
from signaling.media.dtls import Fingerprint
from signaling.media.errors import SdpInvalid

SDP_BYTES = 32 * 1024  # the contract's limit; longer is refused unread
SDP_LINES = 2000
MEDIA_LINES = 32
FORMATS = 128  # payload types a media line may list
# Lines a media line may have of what the parser compares with all others of it, or with every format: two thousand of
# one kind would hold the worker's loop, and everybody's packets, for up to a second. Browsers need a quarter of these.
MOST_OF = {"a=rtpmap:": FORMATS, "a=fmtp:": FORMATS, "a=ssrc:": 128, "a=rtcp-fb:": 512, "a=rtcp-fb:*": 16}
SSRCS = 16  # a=ssrc sources of a media line that are looked at
LAYERS = 3  # of one picture; further ones are not asked for

TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`{|}~-]{1,16}\Z")  # a mid (RFC 5888, section 4), bounded
RID = re.compile(r"[A-Za-z0-9_-]{1,16}\Z")  # RFC 8851, section 10, bounded
CREDENTIAL = re.compile(r"[A-Za-z0-9+/=_-]{4,256}\Z")  # ice-ufrag (RFC 8839, section 5.4); - and _ are seen in the wild
MID_EXTENSION = "urn:ietf:params:rtp-hdrext:sdes:mid"
SEND_TIME_EXTENSION = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
RID_EXTENSION = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"
REPAIRED_RID_EXTENSION = "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id"
LEVEL_EXTENSION = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
TRANSPORT_CC_EXTENSION = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"


@dataclass(frozen=True, slots=True)
class Codec:
    """One payload type: `name` in lower case (`vp8`, `opus`), `parameters` as written in fmtp."""

    name: str
    payload_type: int
    clock_rate: int
    parameters: dict[str, str]

    def number(self, parameter: str) -> int | None:
        """A numeric parameter; None when absent or not a number."""
        value = self.parameters.get(parameter, "")
        return int(value) if value.isascii() and value.isdigit() else None


@dataclass(frozen=True, slots=True)
class MediaLine:
    """One m-line. `is_rejected` ones (port 0 outside a bundle, or not audio or video) carry nothing but their mid and
    kind. `rids` name the layers in which the picture is offered, at most LAYERS; empty: it comes once.
    """

    mid: str
    kind: str
    profile: str
    formats: tuple[str, ...]
    direction: str
    is_rejected: bool
    codecs: tuple[Codec, ...]
    extensions: dict[str, int]
    ssrcs: tuple[int, ...]
    rids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Description:
    """A browser's offer or answer, as far as it concerns us.

    `origin` stays the same for all descriptions of one connection (RFC 9429, section 5.2.1); `setup` is the DTLS role:
    active, passive or actpass.
    """

    origin: str

    ufrag: str
    fingerprints: tuple[Fingerprint, ...]
    setup: str
    media: tuple[MediaLine, ...]


def read(sdp: str) -> Description:
    """Parse a browser's session description. Raises SdpInvalid."""
    if not isinstance(sdp, str) or len(sdp.encode(errors="replace")) > SDP_BYTES:
        raise SdpInvalid(f"The session description is longer than {SDP_BYTES} bytes.")
    _bound(sdp)
    try:
        parsed = dtls.sdp.SessionDescription.parse(sdp)
    except Exception as error:  # the parser asserts, indexes and unpacks: any failure means the text is not usable
        raise SdpInvalid(f"The session description could not be read ({type(error).__name__}).") from error
    if not parsed.media:
        raise SdpInvalid("The session description has no media lines.")
    bundle = {str(mid) for group in parsed.group if group.semantic == "BUNDLE" for mid in group.items}
    sections = re.split(r"(?m)^(?=m=)", sdp)[1:]
    media = tuple(_media_line(line, bundle, text) for line, text in zip(parsed.media, sections, strict=False))
    if len({line.mid for line in media}) != len(media):
        raise SdpInvalid("Two media lines of the session description have the same mid.")
    return _with_transport(parsed, media)


def _bound(sdp: str) -> None:
    lines = sdp.splitlines()
    if len(lines) > SDP_LINES:
        raise SdpInvalid(f"The session description has more than {SDP_LINES} lines.")
    count, seen = 0, dict.fromkeys(MOST_OF, 0)
    for line in lines:
        if line.startswith("m="):
            count, seen = count + 1, dict.fromkeys(MOST_OF, 0)
        for kind, most in MOST_OF.items():
            seen[kind] += line.startswith(kind)
            if seen[kind] > most:
                raise SdpInvalid(f"A media line of the session description has more than {most} lines {kind}.")
        if count > MEDIA_LINES:
            raise SdpInvalid(f"The session description has more than {MEDIA_LINES} media lines.")


def _media_line(line: Any, bundle: set[str], text: str) -> MediaLine:
    mid = line.rtp.muxId
    if not isinstance(mid, str) or not TOKEN.match(mid):
        raise SdpInvalid("A media line of the session description has no usable mid.")
    if not re.match(r"[A-Za-z0-9/]{1,40}\Z", line.profile) or not re.match(r"[a-z]{1,20}\Z", line.kind):
        raise SdpInvalid("A media line of the session description is malformed.")
    is_rejected = line.kind not in ("audio", "video") or (line.port == 0 and mid not in bundle)
    if not is_rejected and not line.rtcp_mux:
        raise SdpInvalid("The session description does not use rtcp-mux, and there is only one port.")
    if not is_rejected and mid not in bundle:
        raise SdpInvalid("The session description does not bundle all its media lines, and there is only one port.")
    codecs = tuple(
        Codec(
            c.name.lower(),
            c.payloadType,
            c.clockRate,
            {str(k): "" if v is None else str(v) for k, v in c.parameters.items()},
        )
        for c in line.rtp.codecs
        if 0 <= c.payloadType < 128
    )
    extensions = {e.uri: e.id for e in line.rtp.headerExtensions if 1 <= e.id <= 14}
    return MediaLine(
        mid=mid, kind=line.kind, profile=line.profile, formats=tuple(str(f) for f in line.fmt)[:FORMATS],
        direction=line.direction or "sendrecv", is_rejected=is_rejected, codecs=codecs, extensions=extensions,
        ssrcs=tuple(s.ssrc for s in line.ssrc[:SSRCS] if 0 < s.ssrc < 2**32),
        rids=_layers(text) if line.kind == "video" and {RID_EXTENSION, MID_EXTENSION} <= extensions.keys() else (),
    )  # fmt: skip


def _layers(text: str) -> tuple[str, ...]:
    """What `a=simulcast:send` lists (RFC 8853, section 5.1): of alternatives the first, `~` (not sent yet) left out."""
    found = re.search(r"(?m)^a=simulcast:(?:.*\s)?send\s+(\S{1,200})", text)
    first = [each.split(",")[0].lstrip("~") for each in found.group(1).split(";")] if found else []
    rids = tuple(dict.fromkeys(rid for rid in first if RID.match(rid)))[:LAYERS]
    return rids if len(rids) > 1 else ()


def _with_transport(parsed: Any, media: tuple[MediaLine, ...]) -> Description:
    """Everything is bundled, so the first accepted line's transport is everybody's."""
    accepted = [raw for raw, line in zip(parsed.media, media, strict=True) if not line.is_rejected]
    if not accepted:
        raise SdpInvalid("The session description has no audio or video line to use.")
    first = accepted[0]
    ufrag = first.ice.usernameFragment or ""
    if not CREDENTIAL.match(ufrag):
        raise SdpInvalid("The session description has no ICE user name.")
    if first.dtls is None:
        raise SdpInvalid("The session description has no DTLS role (a=setup).")
    fingerprints = tuple(Fingerprint(f.algorithm, f.value) for f in first.dtls.fingerprints)
    if not any(f.algorithm.lower() in dtls.FINGERPRINT_ALGORITHMS for f in fingerprints):
        raise SdpInvalid("The session description has no certificate fingerprint we can check.")
    origin = " ".join((parsed.origin or "").split()[:2])
    return Description(origin, ufrag, fingerprints, dtls.sdp.DTLS_ROLE_SETUP[first.dtls.role], media)


# --- Which codec a publisher uses -----------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Chosen:
    """The codec picked from an offer: its payload type, the one of its retransmissions (None: it has none), and the
    layers it is taken in.
    """

    name: str  # "VP8", "H264" or "opus"
    payload_type: int
    rtx_payload_type: int | None
    clock_rate: int
    rids: tuple[str, ...] = ()


def choose(line: MediaLine) -> Chosen:
    """Opus for audio; VP8 for video, H.264 constrained baseline in mode 1 only where VP8 is lacking. Raises SdpInvalid.

    Nothing is transcoded, so a room speaks one video codec as far as its publishers allow.
    """
    codec = next((codec for wanted in _WANTED[line.kind] for codec in line.codecs if wanted(codec)), None)
    if codec is None:
        able = "Opus" if line.kind == "audio" else "VP8 nor H.264 constrained baseline"
        raise SdpInvalid(
            f"This browser offers neither {able}." if line.kind == "video" else f"This browser does not offer {able}."
        )
    rtx = next((c.payload_type for c in line.codecs if c.name == "rtx" and c.number("apt") == codec.payload_type), None)
    name = {"vp8": "VP8", "h264": "H264", "opus": "opus"}[codec.name]
    return Chosen(name, codec.payload_type, rtx, codec.clock_rate, line.rids)


def _is_h264(codec: Codec, profiles: tuple[str, ...]) -> bool:
    profile = codec.parameters.get("profile-level-id", "").lower()
    return codec.name == "h264" and codec.parameters.get("packetization-mode") == "1" and profile.startswith(profiles)


_WANTED = {
    "audio": (lambda c: c.name == "opus" and c.clock_rate == 48000,),
    "video": (
        lambda c: c.name == "vp8" and c.clock_rate == 90000,
        lambda c: _is_h264(c, ("42e0",)),
        lambda c: _is_h264(c, ("4200", "42c0")),
    ),
}
