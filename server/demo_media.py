"""Make the demo's own lessons: `python -m server.demo_media FOLDER` writes two videos and one recording.

No recorded media is kept in the repository. The pictures are drawn and the tones computed, so they may be used by
anybody; it runs as a child process, so that the server itself never loads a video codec.
"""

from __future__ import annotations

import math
import os
import sys
import threading
from array import array
from collections.abc import Callable
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
from PIL import Image, ImageDraw, ImageFont

WIDTH, HEIGHT, FRAMES_PER_SECOND = 640, 360, 12
SAMPLES_PER_SECOND, BLOCK = 16_000, 1024
LOUDNESS = 0.22  # of full scale
PAPER, INK, FAINT = (250, 248, 244), (38, 50, 72), (203, 207, 214)
FIRST, SECOND = (43, 108, 176), (196, 86, 52)

Draw = Callable[[ImageDraw.ImageDraw, float], None]  # onto the picture at a second
Tone = Callable[[float], float]  # a sample between -1 and 1 at a second

TRAVELING = "traveling-wave.mp4"
INTERVALS = "hearing-intervals.m4a"
STANDING = "standing-wave.mp4"  # left for a visitor to upload


def make_all(folder: Path) -> None:
    """Write what is missing; each file appears under its name only when it is whole."""
    folder.mkdir(parents=True, exist_ok=True)
    _unless_there(folder / TRAVELING, lambda path: _video(path, 18, "A wave travels, the water stays", traveling, hum))
    _unless_there(folder / INTERVALS, lambda path: _audio(path, 20, intervals))
    _unless_there(folder / STANDING, lambda path: _video(path, 12, "Two waves meet and stand still", standing, hum))


def traveling(draw: ImageDraw.ImageDraw, at: float) -> None:
    """One wave, and one float on it that only goes up and down."""
    _axis(draw)
    draw.line(_curve(lambda x: 60 * math.sin(2 * math.pi * (x / 210 - at / 3))), fill=FIRST, width=5, joint="curve")
    y = _middle() - 60 * math.sin(2 * math.pi * (320 / 210 - at / 3))
    draw.ellipse((308, y - 12, 332, y + 12), fill=SECOND)
    draw.line((320, _middle() - 78, 320, _middle() + 78), fill=FAINT, width=2)


def standing(draw: ImageDraw.ImageDraw, at: float) -> None:
    """Two waves in opposite directions, faint, and their sum."""
    _axis(draw)
    right = _curve(lambda x: 35 * math.sin(2 * math.pi * (x / 190 - at / 4)))
    left = _curve(lambda x: 35 * math.sin(2 * math.pi * (x / 190 + at / 4)))
    total = _curve(lambda x: 70 * math.sin(2 * math.pi * x / 190) * math.cos(2 * math.pi * at / 4))
    draw.line(right, fill=FAINT, width=3)
    draw.line(left, fill=FAINT, width=3)
    draw.line(total, fill=SECOND, width=5, joint="curve")


def hum(at: float) -> float:
    """A quiet fifth that swells and fades."""
    swell = 0.5 - 0.5 * math.cos(2 * math.pi * at / 6)
    return swell * (math.sin(2 * math.pi * 220 * at) + 0.5 * math.sin(2 * math.pi * 330 * at)) / 1.5


def intervals(at: float) -> float:
    """Octave, fifth, fourth, third: each as two notes one after the other, then together."""
    ratio = (2, 3 / 2, 4 / 3, 5 / 4)[int(at // 5) % 4]
    inside = at % 5
    fade = min(1.0, (inside % 1.25) / 0.05, (1.25 - inside % 1.25) / 0.2)
    low, high = math.sin(2 * math.pi * 262 * at), math.sin(2 * math.pi * 262 * ratio * at)
    return fade * (low, high, (low + high) / 2, (low + high) / 2)[int(inside // 1.25)]


def _unless_there(path: Path, make: Callable[[Path], None]) -> None:
    if path.exists():
        return
    unfinished = path.with_name(f"unfinished-{path.name}")
    make(unfinished)
    unfinished.replace(path)


def _video(path: Path, seconds: int, title: str, draw: Draw, tone: Tone) -> None:
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        picture = container.add_stream("libx264", rate=FRAMES_PER_SECOND, options={"preset": "ultrafast", "crf": "25"})
        picture.width, picture.height, picture.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        picture.gop_size = 2 * FRAMES_PER_SECOND
        sound = _sound_stream(container)
        written = 0
        for number in range(seconds * FRAMES_PER_SECOND):
            at = number / FRAMES_PER_SECOND
            frame = _frame(_page(title, at / seconds, draw, at))
            frame.pts, frame.time_base = number, Fraction(1, FRAMES_PER_SECOND)
            container.mux(picture.encode(frame))
            while written < (at + 1 / FRAMES_PER_SECOND) * SAMPLES_PER_SECOND:
                container.mux(sound.encode(_block(tone, written)))
                written += BLOCK
        container.mux(picture.encode(None))
        container.mux(sound.encode(None))


def _audio(path: Path, seconds: int, tone: Tone) -> None:
    with av.open(str(path), "w", format="ipod", options={"movflags": "+faststart"}) as container:
        sound = _sound_stream(container)
        for start in range(0, seconds * SAMPLES_PER_SECOND, BLOCK):
            container.mux(sound.encode(_block(tone, start)))
        container.mux(sound.encode(None))


def _sound_stream(container: av.container.OutputContainer) -> av.AudioStream:
    stream = container.add_stream("aac", rate=SAMPLES_PER_SECOND, layout="mono")
    stream.bit_rate = 64_000
    return stream


def _block(tone: Tone, start: int) -> av.AudioFrame:
    frame = av.AudioFrame(format="s16", layout="mono", samples=BLOCK)
    frame.sample_rate, frame.pts, frame.time_base = SAMPLES_PER_SECOND, start, Fraction(1, SAMPLES_PER_SECOND)
    peak = LOUDNESS * 32767
    samples = array("h", (int(peak * tone((start + i) / SAMPLES_PER_SECOND)) for i in range(BLOCK)))
    frame.planes[0].update(samples.tobytes())
    return frame


def _frame(page: Image.Image) -> av.VideoFrame:
    frame = av.VideoFrame(WIDTH, HEIGHT, "rgb24")
    row = 3 * WIDTH
    assert frame.planes[0].line_size == row  # 640 pixels need no padding
    frame.planes[0].update(page.tobytes())
    return frame


def _page(title: str, share: float, draw: Draw, at: float) -> Image.Image:
    """A sheet with its title, the drawing, and a thin line that grows as time goes."""
    image = Image.new("RGB", (WIDTH, HEIGHT), PAPER)
    pen = ImageDraw.Draw(image)
    pen.text((36, 30), title, fill=INK, font=_font(26))
    pen.text((36, 66), "Waves and sound", fill=(120, 128, 140), font=_font(15))
    draw(pen, at)
    pen.rectangle((0, HEIGHT - 4, int(WIDTH * share), HEIGHT), fill=FIRST)
    return image


@cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _axis(draw: ImageDraw.ImageDraw) -> None:
    draw.line((36, _middle(), WIDTH - 36, _middle()), fill=FAINT, width=2)


def _curve(height: Callable[[float], float]) -> list[tuple[float, float]]:
    return [(x, _middle() - height(x)) for x in range(36, WIDTH - 35, 4)]


def _middle() -> float:
    return HEIGHT * 0.58


def _end_with_parent() -> None:
    """The server holds the other end of our standard input; when it is gone, however it went, so are we."""

    def watch() -> None:
        while os.read(0, 1024):
            pass
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    os.nice(10)  # people are signing in meanwhile
    _end_with_parent()
    make_all(Path(sys.argv[1]))
