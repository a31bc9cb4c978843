"""Turn anything else into H.264 and AAC, at most 1080p, a keyframe every two seconds, on one thread."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.error

from server.content.worker.inspect import open_named
from server.content.worker.refusal import Refused

LONG_SIDE, SHORT_SIDE = 1920, 1080
KEYFRAME_SECONDS = 2
QUALITY, SPEED = "23", "veryfast"
AUDIO_BITS_PER_SECOND = 128_000
GAP_SECONDS = 0.2  # containers round the times of sound; what is closer than this is meant to be joined
MOST_BAD_PACKETS = 200  # a scratched recording still plays; beyond it the file is called unreadable


def transcode(path: str, demuxer: str, kind: str, target: Path, muxer: str, told: Callable[[float], None]) -> None:
    """Write `target`; `told` is called with the seconds done. Raises Refused, FFmpegError."""
    with (
        open_named(path, demuxer) as source,
        av.open(str(target), "w", format=muxer, options={"movflags": "+faststart"}) as made,
    ):
        cover = av.stream.Disposition.attached_pic
        pictures = [s for s in source.streams.video if not s.disposition & cover] if kind == "video" else []
        tracks: dict[int, _Track] = {}
        if pictures:
            tracks[pictures[0].index] = _Picture(made, pictures[0])
            pictures[0].codec_context.thread_count = 1
        for sound in source.streams.audio[:1]:
            tracks[sound.index] = _Sound(made, sound)
        count = 0
        for stream_index, frame in _frames(source, [source.streams[index] for index in tracks]):
            tracks[stream_index].write(frame)
            count += 1
            if count % 25 == 0 and frame.time is not None:
                told(frame.time)
        if count == 0:
            raise Refused("unreadable", "Nothing in this file can be decoded.")
        for track in tracks.values():
            track.finish()


def _frames(source: Any, streams: list[Any]) -> Iterator[tuple[int, Any]]:
    """Decoded frames in file order; packets that cannot be decoded are passed over, up to a number."""
    bad = 0
    for packet in source.demux(streams):
        try:
            for frame in packet.decode():
                yield packet.stream.index, frame
        except (av.error.InvalidDataError, av.error.EOFError) as error:
            bad += 1
            if bad > MOST_BAD_PACKETS:
                raise Refused("unreadable", "Too much of this file cannot be decoded.") from error


class _Track:
    """One stream of the result; times only move forward."""

    def __init__(self, made: Any, stream: Any) -> None:
        self.made, self.stream = made, stream
        self.last: int | None = None

    def write(self, frame: Any) -> None:
        raise NotImplementedError

    def finish(self) -> None:
        self.made.mux(self.stream.encode(None))

    def follows(self, frame: Any) -> bool:
        """Give the frame a time if the container has none (AVI); False if it would go backwards."""
        moment = frame.pts if frame.pts is not None else frame.dts
        if moment is None:
            moment = 0 if self.last is None else self.last + 1
        if self.last is not None and moment <= self.last:
            return False
        frame.pts = self.last = moment
        return True


class _Picture(_Track):
    def __init__(self, made: Any, source: Any) -> None:
        rate = source.average_rate or source.guessed_rate or Fraction(25)
        rate = rate if 1 <= rate <= 120 else Fraction(25)
        options = {"preset": SPEED, "crf": QUALITY, "profile": "high", "x264-params": "threads=1"}
        stream = made.add_stream("libx264", rate=rate, options=options)
        stream.width, stream.height = fitting(source.codec_context, source.sample_aspect_ratio)
        stream.pix_fmt = "yuv420p"
        stream.codec_context.thread_count = 1
        stream.codec_context.time_base = source.time_base
        stream.codec_context.gop_size = max(1, round(rate * KEYFRAME_SECONDS))
        super().__init__(made, stream)

    def write(self, frame: Any) -> None:
        if not self.follows(frame):
            return
        ready = frame.reformat(width=self.stream.width, height=self.stream.height, format="yuv420p")
        ready.pts, ready.time_base = frame.pts, frame.time_base
        ready.pict_type = 0
        self.made.mux(self.stream.encode(ready))


class _Sound(_Track):
    def __init__(self, made: Any, source: Any) -> None:
        rate = source.codec_context.sample_rate
        layout = "mono" if source.codec_context.channels == 1 else "stereo"
        stream = made.add_stream("aac", rate=rate if rate in (32000, 44100, 48000) else 48000, layout=layout)
        stream.bit_rate = AUDIO_BITS_PER_SECOND
        super().__init__(made, stream)
        self.resampler = av.AudioResampler(format="fltp", layout=layout, rate=stream.rate)

    def write(self, frame: Any) -> None:
        for ready in self.resampler.resample(frame):
            self._encode(ready)

    def finish(self) -> None:
        for ready in self.resampler.resample(None):
            self._encode(ready)
        super().finish()

    def _encode(self, frame: Any) -> None:
        """Samples follow each other without a seam; only a real gap in the source is kept as one."""
        given = None if frame.pts is None else int(frame.pts * frame.time_base * frame.sample_rate)
        expected = self.last
        if expected is None or (given is not None and given - expected > GAP_SECONDS * frame.sample_rate):
            expected = max(0, given or 0)
        frame.pts, frame.time_base = expected, Fraction(1, frame.sample_rate)
        self.last = expected + frame.samples
        self.made.mux(self.stream.encode(frame))


def fitting(context: Any, aspect: Fraction | None) -> tuple[int, int]:
    """Even width and height inside 1080p, with square pixels, in the picture's own orientation."""
    width, height = float(context.width * (aspect or 1)), float(context.height)
    long, short = max(width, height), min(width, height)
    scale = min(1.0, LONG_SIDE / long, SHORT_SIDE / short)
    return max(2, round(width * scale / 2) * 2), max(2, round(height * scale / 2) * 2)
