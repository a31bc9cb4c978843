"""A film as phones make them, made in a moment: two seconds are encoded and repeated, so its length costs nothing."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

FPS, RATE, GROUP_SECONDS = 30, 48_000, 2
BITS_PER_SECOND = 2_500_000


def film(path: Path, seconds: int = 60, size: tuple[int, int] = (1280, 720)) -> Path:
    """An MP4 of H.264 and AAC at about 3 Mbit/s, its index at the end as cameras write it."""
    with av.open(str(path), "w", format="mp4") as made:
        options = {"preset": "veryfast", "bf": "0"}
        shown: Any = made.add_stream("libx264", rate=FPS, options=options)
        shown.width, shown.height, shown.pix_fmt, shown.bit_rate = *size, "yuv420p", BITS_PER_SECOND
        shown.codec_context.gop_size = FPS * GROUP_SECONDS
        heard: Any = made.add_stream("aac", rate=RATE, layout="stereo")
        packets = [packet for number in range(FPS * GROUP_SECONDS) for packet in shown.encode(_noise(number, size))]
        packets += shown.encode(None)
        group = [(bytes(p), p.pts, p.is_keyframe, p.time_base) for p in packets]
        for second in range(0, seconds, GROUP_SECONDS):
            for data, pts, is_key, base in group:
                packet = av.Packet(data)
                packet.pts = packet.dts = pts + int(second / base)
                packet.time_base, packet.stream, packet.is_keyframe = base, shown, is_key
                made.mux(packet)
            for start in range(second * RATE, (second + GROUP_SECONDS) * RATE, 1000):
                made.mux(heard.encode(_silence(start)))
        made.mux(heard.encode(None))
    return path


def _noise(number: int, size: tuple[int, int]) -> av.VideoFrame:
    """A coarse pattern that changes entirely three times in two seconds."""
    frame = av.VideoFrame(*size, "yuv420p")
    seed = os.urandom(4096) if number % 20 == 0 else bytes(4096)
    for plane in frame.planes:
        row = (seed * (plane.line_size // len(seed) + 1))[: plane.line_size]
        plane.update(b"".join(row[y % 97 :] + row[: y % 97] for y in range(plane.height)))
    frame.pts, frame.time_base = number, Fraction(1, FPS)
    return frame


def _silence(start: int) -> av.AudioFrame:
    frame = av.AudioFrame(format="s16", layout="stereo", samples=1000)
    for plane in frame.planes:
        plane.update(bytes(plane.buffer_size))
    frame.pts, frame.sample_rate, frame.time_base = start, RATE, Fraction(1, RATE)
    return frame
