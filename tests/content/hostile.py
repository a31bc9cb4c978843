"""Files that lie, made here: what each is called, what is in it, and the one code it has to end in.

`{port}` and `{canary}` in a script become a listener that nobody may reach and a file that nobody may open.
"""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from tests.content.samples import RATE, make, png, tone

FTYP = b"\x00\x00\x00\x20ftypisom\x00\x00\x02\x00isomiso2avc1mp41"
ASF = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
ID3 = b"ID3\x04\x00\x00\x00\x00\x00\x00"
HTML = b"<!doctype html><script>alert(1)</script>" * 200
HLS = b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile://{canary}\n#EXTINF:9,\nhttp://127.0.0.1:{port}/x.ts\n#EXT-X-ENDLIST\n"
CONCAT = b"ffconcat version 1.0\nfile '{canary}'\nfile 'http://127.0.0.1:{port}/x'\n"
SDP = b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video {port} RTP/AVP 96\n"
DASH = b'<?xml version="1.0"?><MPD><Period><BaseURL>http://127.0.0.1:{port}/</BaseURL></Period></MPD>'
SVG = b"<svg xmlns='http://www.w3.org/2000/svg'><image href='http://127.0.0.1:{port}/x'/></svg>"
SMIL = b"<smil><body><video src='file://{canary}'/></body></smil>"

Maker = Callable[[Path], bytes]


@dataclass(frozen=True, slots=True)
class Lie:
    """A file: its name on the form, the kind it is sent as, its bytes, and the error it ends in."""

    name: str
    kind: str
    made: bytes | Maker
    code: str


def box(name: bytes, content: bytes = b"") -> bytes:
    """A box of ISO/IEC 14496-12."""
    return struct.pack(">I", 8 + len(content)) + name + content


def riff(form: bytes, content: bytes = b"", size: int | None = None) -> bytes:
    return b"RIFF" + struct.pack("<I", len(content) + 4 if size is None else size) + form + content


def wav(*, data_bytes: int = 100, rate: int = 44_100, channels: int = 1, bits: int = 16, tag: int = 1) -> bytes:
    """A WAVE header that promises `data_bytes`, and little behind it."""
    block = channels * bits // 8
    fmt = struct.pack("<HHIIHH", tag, channels, rate, rate * block & 0xFFFFFFFF, block & 0xFFFF, bits)
    return riff(
        b"WAVE", b"fmt " + struct.pack("<I", len(fmt)) + fmt + b"data" + struct.pack("<I", data_bytes) + bytes(100)
    )


def archive() -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("bomb", bytes(5_000_000))
    return held.getvalue()


def cut(kind: str, share: float) -> Maker:
    return lambda folder: (content := make(folder, kind).read_bytes())[: int(len(content) * share)]


def changed(kind: str, old: bytes, new: bytes) -> Maker:
    def made(folder: Path) -> bytes:
        content = make(folder, kind).read_bytes()
        assert old in content
        return content.replace(old, new)

    return made


def two_frames(seconds_between: int) -> Maker:
    """A film of two pictures, the second long after the first."""

    def made(folder: Path) -> bytes:
        path = folder / "long.mp4"
        with av.open(str(path), "w", format="mp4") as container:
            stream: Any = container.add_stream("mpeg4", rate=1)
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
            for moment in (0, seconds_between):
                frame = av.VideoFrame(64, 48, "yuv420p")
                frame.pts, frame.time_base = moment, Fraction(1)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        return path.read_bytes()

    return made


def many_tracks(count: int) -> Maker:
    def made(folder: Path) -> bytes:
        path = folder / "many.mp4"
        with av.open(str(path), "w", format="mp4") as container:
            streams: list[Any] = [container.add_stream("aac", rate=RATE, layout="stereo") for _ in range(count)]
            for stream in streams:
                container.mux(stream.encode(tone(0, 1024, RATE)))
                container.mux(stream.encode(None))
        return path.read_bytes()

    return made


def huge_picture(folder: Path) -> bytes:
    """A film of one frame, 12,000 by 8,000."""
    path = folder / "huge.avi"
    with av.open(str(path), "w", format="avi") as container:
        stream: Any = container.add_stream("mjpeg", rate=1)
        stream.width, stream.height, stream.pix_fmt = 12_000, 8_000, "yuvj420p"
        container.mux(stream.encode(av.VideoFrame(12_000, 8_000, "yuvj420p")))
        container.mux(stream.encode(None))
    return path.read_bytes()


ENDLESS_AVI = riff(b"AVI ", b"LIST\xff\xff\xff\xffhdrl" + bytes(9000), 0xFFFFFFFF)
ENDLESS_MOOV = struct.pack(">I", 0xFFFFFFFF) + b"moov" + bytes(9000)
PACKED_MOOV = FTYP + box(b"moov", box(b"cmov", box(b"dcom", b"zlib") + box(b"cmvd", b"\xff\xff\xff\xff" + bytes(500))))
# By what the first bytes are; nothing of these reaches a demuxer.
AT_FIRST_SIGHT = {
    "nothing at all": Lie("a.mp4", "video", b"", "content_mismatch"),
    "a few bytes": Lie("a.mp4", "video", b"\0\0\0", "content_mismatch"),
    "zeros": Lie("a.mp4", "video", bytes(9000), "content_mismatch"),
    "HLS playlist as video": Lie("a.mp4", "video", HLS, "content_mismatch"),
    "HLS playlist as sound": Lie("a.mp3", "audio", HLS, "content_mismatch"),
    "HLS playlist as AVI": Lie("a.avi", "video", HLS, "content_mismatch"),
    "HLS playlist as OGG": Lie("a.ogg", "audio", HLS, "content_mismatch"),
    "HLS playlist by its name": Lie("a.m3u8", "video", HLS, "type_not_allowed"),
    "concat script": Lie("a.mp4", "video", CONCAT, "content_mismatch"),
    "concat script as WMV": Lie("a.wmv", "video", CONCAT, "content_mismatch"),
    "session description": Lie("a.mp4", "video", SDP, "content_mismatch"),
    "session description by its name": Lie("a.sdp", "video", SDP, "type_not_allowed"),
    "DASH manifest": Lie("a.mp4", "video", DASH, "content_mismatch"),
    "SMIL": Lie("a.mov", "video", SMIL, "content_mismatch"),
    "web page as video": Lie("a.mp4", "video", HTML, "content_mismatch"),
    "web page without a name": Lie("", "video", HTML, "type_not_allowed"),
    "vector picture": Lie("a.svg", "video", SVG, "type_not_allowed"),
    "vector picture as video": Lie("a.mp4", "video", SVG, "content_mismatch"),
    "script as sound": Lie("a.mp3", "audio", b"#!/bin/sh\nrm -rf /\n", "content_mismatch"),
    "PHP as sound": Lie("a.wav", "audio", b"<?php system($_GET['c']); ?>" * 50, "content_mismatch"),
    "picture as video": Lie("a.mp4", "video", png(8, 8), "content_mismatch"),
    "animated picture as video": Lie("a.mp4", "video", b"GIF89a" + bytes(500), "content_mismatch"),
    "archive as video": Lie("a.mp4", "video", archive(), "content_mismatch"),
    "archive by its name": Lie("a.zip", "video", archive(), "type_not_allowed"),
    "document as video": Lie("a.mp4", "video", b"%PDF-1.7\n" + bytes(500), "content_mismatch"),
    "program": Lie("a.exe", "video", b"MZ" + bytes(5000), "type_not_allowed"),
    "program as sound": Lie("a.mp3", "audio", b"\x7fELF" + bytes(5000), "content_mismatch"),
    "Matroska": Lie("a.mkv", "video", bytes.fromhex("1a45dfa3") + bytes(5000), "type_not_allowed"),
    "Matroska as MP4": Lie("a.mp4", "video", bytes.fromhex("1a45dfa3") + bytes(5000), "content_mismatch"),
    "Flash as video": Lie("a.mp4", "video", b"FLV\x01\x05" + bytes(5000), "content_mismatch"),
    "transport stream as video": Lie("a.mp4", "video", (b"G" + bytes(187)) * 40, "content_mismatch"),
    "FLAC as OGG": Lie("a.ogg", "audio", b"fLaC" + bytes(5000), "content_mismatch"),
    "AVI named MP4": Lie("a.mp4", "video", riff(b"AVI ", b"LIST" + bytes(5000)), "content_mismatch"),
    "MP4 named AVI": Lie("a.avi", "video", FTYP + bytes(5000), "content_mismatch"),
    "WAV named MP3": Lie("a.mp3", "audio", riff(b"WAVE", b"fmt " + bytes(5000)), "content_mismatch"),
    "WebP named WAV": Lie("a.wav", "audio", riff(b"WEBP", b"VP8 " + bytes(5000)), "content_mismatch"),
    "sound as video": Lie("a.mp3", "video", ID3 + bytes(5000), "type_not_allowed"),
    "video as sound": Lie("a.avi", "audio", riff(b"AVI ", b"LIST" + bytes(5000)), "type_not_allowed"),
    "MP3 of noise": Lie("a.mp3", "audio", b"\xff\xfb" + bytes(range(256)) * 40, "content_mismatch"),
    "MP4 of sound alone as video": Lie("a.mp4", "video", box(b"ftyp", b"M4A \0\0\2\0M4A mp42isom"), "type_not_allowed"),
    "two endings": Lie("a.mp4.exe", "video", FTYP + bytes(5000), "type_not_allowed"),
}
# What begins like media and is found out by who takes it apart.
INSIDE = {
    "web page behind ftyp": Lie("a.mp4", "video", FTYP + HTML, "unreadable"),
    "playlist behind ftyp": Lie("a.mp4", "video", FTYP + HLS, "unreadable"),
    "concat script behind ftyp": Lie("a.mp4", "video", FTYP + CONCAT, "unreadable"),
    "archive behind ftyp": Lie("a.mp4", "video", FTYP + archive(), "unreadable"),
    "playlist behind ID3": Lie("a.mp3", "audio", ID3 + HLS, "unreadable"),
    "ID3 that claims 256 MB": Lie("a.mp3", "audio", b"ID3\x04\x00\x00\x7f\x7f\x7f\x7f" + bytes(3000), "unreadable"),
    "only a header": Lie("a.mp4", "video", FTYP, "unreadable"),
    "AVI of nothing": Lie("a.avi", "video", riff(b"AVI ", b"LIST" + bytes(9000)), "unreadable"),
    "AVI that claims 4 GB": Lie("a.avi", "video", ENDLESS_AVI, "unreadable"),
    "WMV of nothing": Lie("a.wmv", "video", ASF + bytes(9000), "unreadable"),
    "WMV with a header of 2^63": Lie("a.wmv", "video", ASF + b"\xff" * 8 + bytes(9000), "unreadable"),
    "OGG of nothing": Lie("a.ogg", "audio", b"OggS" + bytes(9000), "unreadable"),
    "WAV of nothing": Lie("a.wav", "audio", riff(b"WAVE", b"data" + bytes(100)), "unreadable"),
    "WAV without a rate": Lie("a.wav", "audio", wav(rate=0), "unreadable"),
    "WAV of 65,535 channels": Lie("a.wav", "audio", wav(channels=65_535), "unreadable"),
    "WAV in a code nobody knows": Lie("a.wav", "audio", wav(tag=0x1234), "codec_not_allowed"),
    "AAC of noise": Lie("a.aac", "audio", b"\xff\xf1" + bytes(range(256)) * 40, "unreadable"),
    "atom that claims to be huge": Lie("a.mov", "video", ENDLESS_MOOV, "content_mismatch"),
    "atom of 2^64 bytes": Lie("a.mp4", "video", FTYP + b"\0\0\0\1moov" + b"\xff" * 8 + bytes(9000), "unreadable"),
    "nested atoms": Lie("a.mp4", "video", FTYP + (struct.pack(">I", 8000) + b"moov") * 900, "unreadable"),
    "atoms without an end": Lie("a.mp4", "video", FTYP + box(b"free") * 50_000, "unreadable"),
    "compressed index bomb": Lie(
        "a.mov",
        "video",
        FTYP + box(b"moov", box(b"cmov", box(b"dcom", b"zlib") + box(b"cmvd", b"\xff\xff\xff\xff" + bytes(500)))),
        "unreadable",
    ),
    "half an MP4": Lie("a.mp4", "video", cut("mp4", 0.5), "unreadable"),
    "half an AVI's header": Lie("a.avi", "video", cut("avi", 0.005), "unreadable"),
    "MP4 with sound alone as video": Lie("a.mp4", "video", many_tracks(1), "content_mismatch"),
    "MP4 with a picture as sound": Lie("a.m4a", "audio", cut("mp4", 1), "content_mismatch"),
    "a picture larger than allowed": Lie("a.avi", "video", huge_picture, "too_many_pixels"),
    "nine tracks": Lie("a.m4a", "audio", many_tracks(9), "too_many_streams"),
    "twenty hours": Lie("a.mp4", "video", two_frames(20 * 3600), "too_long"),
    "a codec nobody listed": Lie("a.mp4", "video", changed("mp4", b"avc1", b"zzzz"), "codec_not_allowed"),
}
