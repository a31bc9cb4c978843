"""Copy the playable streams into a fresh container, index first; nothing is decoded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import av

from server.content.worker.inspect import open_named
from server.content.worker.refusal import Refused


def remux(path: str, demuxer: str, kind: str, target: Path, muxer: str, told: Callable[[float], None]) -> None:
    """Write `target`; `told` is called with the seconds done. Raises Refused, FFmpegError."""
    options = {"movflags": "+faststart"} if muxer == "mp4" else {"id3v2_version": "0"}
    with open_named(path, demuxer) as source, av.open(str(target), "w", format=muxer, options=options) as made:
        streams = _chosen(source, kind)
        copies = {stream.index: made.add_stream_from_template(stream) for stream in streams}
        for stream in streams:
            _drop_words(copies[stream.index])
        count = 0
        for packet in source.demux(streams):
            if packet.dts is None or packet.size == 0:
                continue
            count += 1
            seconds = float(packet.dts * packet.time_base) if packet.time_base else 0.0
            packet.stream = copies[packet.stream.index]
            made.mux(packet)
            if count % 200 == 0:
                told(seconds)
        if count == 0:
            raise Refused("unreadable", "There is nothing to play in this file.")


def _chosen(source: Any, kind: str) -> list[Any]:
    """The first picture track (of a video) and the first sound track; subtitles, data and covers stay behind."""
    cover = av.stream.Disposition.attached_pic
    pictures = [s for s in source.streams.video if not s.disposition & cover][:1] if kind == "video" else []
    return [*pictures, *source.streams.audio[:1]]


def _drop_words(stream: Any) -> None:
    """Titles and handler names are the uploader's private words."""
    stream.metadata.clear()
