"""The nine kinds of file people may upload, told by their first bytes; each names the demuxer that may open it.

A signature is a gate, never a verdict: script behind a genuine header passes here and is refused when the named demuxer
opens it. Guessing formats is forbidden everywhere: a guessed playlist opened other files and the network.
Imports nothing, because the limited child process uses it too.
"""

from __future__ import annotations

from dataclasses import dataclass

MEGABYTE = 1_048_576
SNIFFED_BYTES = 4096  # enough for every signature below, an ID3 tag's header included
VIDEO, AUDIO = "video", "audio"
LIMITS = {VIDEO: 500 * MEGABYTE, AUDIO: 100 * MEGABYTE}  # of the file alone; exactly the limit is accepted


@dataclass(frozen=True, slots=True)
class Format:
    """One accepted container.

    `kinds` it may be uploaded as, `demuxer` the only one that may open it, `mime_type` shown for the original,
    `extension` used on our disk, `extensions` and `declared` what a client may honestly call it.
    """

    name: str
    kinds: frozenset[str]
    demuxer: str
    mime_type: str
    extension: str
    extensions: frozenset[str]
    declared: frozenset[str]


def _format(name: str, kinds: str, demuxer: str, mime_type: str, extensions: str, declared: str) -> Format:
    names = extensions.split()
    return Format(
        name,
        frozenset(kinds.split()),
        demuxer,
        mime_type,
        names[0],
        frozenset(names),
        frozenset([mime_type, *declared.split()]),
    )


# Phones and editors call MP4, MOV and M4A by each other's names, and one demuxer opens all three.
MP4 = _format(
    "MP4",
    "video audio",
    "mov",
    "video/mp4",
    "mp4 m4v mov qt m4a",
    "video/x-m4v audio/mp4 application/mp4 video/quicktime",
)
MOV = _format("MOV", "video", "mov", "video/quicktime", "mov qt mp4 m4v", "video/mov video/mp4 video/x-quicktime")
M4A = _format(
    "M4A", "audio", "mov", "audio/mp4", "m4a mp4 m4b", "audio/x-m4a audio/m4a video/mp4 audio/aac audio/x-m4b"
)
AVI = _format(
    "AVI", "video", "avi", "video/x-msvideo", "avi", "video/avi video/msvideo application/x-troff-msvideo video/vnd.avi"
)
WMV = _format("WMV", "video", "asf", "video/x-ms-wmv", "wmv asf", "video/x-ms-asf application/vnd.ms-asf video/x-ms-wm")
MP3 = _format("MP3", "audio", "mp3", "audio/mpeg", "mp3", "audio/mp3 audio/x-mp3 audio/x-mpeg audio/mpeg3 audio/mpg")
WAV = _format("WAV", "audio", "wav", "audio/wav", "wav wave", "audio/x-wav audio/wave audio/vnd.wave audio/x-pn-wav")
AAC = _format(
    "AAC", "audio", "aac", "audio/aac", "aac adts", "audio/aacp audio/x-aac audio/x-hx-aac-adts audio/vnd.dlna.adts"
)
OGG = _format(
    "OGG", "audio", "ogg", "audio/ogg", "ogg oga opus", "application/ogg audio/opus audio/vorbis audio/x-ogg video/ogg"
)

FORMATS = (MP4, MOV, M4A, AVI, WMV, MP3, WAV, AAC, OGG)
SHOWN = {VIDEO: ("MP4", "AVI", "MOV", "WMV"), AUDIO: ("MP3", "WAV", "M4A", "AAC", "OGG")}
UNDECLARED = frozenset({"", "application/octet-stream", "binary/octet-stream", "application/x-download"})

_ASF_HEADER = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_QUICKTIME_ATOMS = (b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")
_AUDIO_BRANDS = (b"M4A ", b"M4B ", b"M4P ", b"F4A ")


def sniff(head: bytes) -> Format | None:
    """The format these first bytes begin, or None. 12 bytes decide; with fewer nothing is recognized."""
    if len(head) < 12:
        return None
    if head[4:8] == b"ftyp":
        brand = head[8:12]
        return MOV if brand == b"qt  " else M4A if brand in _AUDIO_BRANDS else MP4
    if head[4:8] in _QUICKTIME_ATOMS:
        return MOV  # files of the first QuickTime versions begin without a brand
    if head[:4] in (b"RIFF", b"RF64"):
        return {b"AVI ": AVI, b"WAVE": WAV}.get(head[8:12])
    if head[:16] == _ASF_HEADER:
        return WMV
    if head[:4] == b"OggS":
        return OGG
    if head[:3] == b"ID3":
        return MP3
    if head[0] == 0xFF and head[1] & 0xF6 == 0xF0:
        return AAC
    if _is_mpeg_audio_frame(head):
        return MP3
    return None


def _is_mpeg_audio_frame(head: bytes) -> bool:
    """An MPEG audio frame header, layer III, with no reserved value in it (ISO 11172-3, 2.4.1.3)."""
    if head[0] != 0xFF or head[1] & 0xE6 != 0xE2:
        return False
    version, bitrate, rate = head[1] >> 3 & 3, head[2] >> 4, head[2] >> 2 & 3
    return version != 1 and bitrate not in (0, 15) and rate != 3


def allowed_names(kind: str) -> list[str]:
    """Media types accepted for `kind`, for the problem that tells them."""
    return sorted({known.mime_type for known in FORMATS if known.name in SHOWN[kind]})
