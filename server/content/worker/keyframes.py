"""Single pictures out of a finished lesson, from its keyframes alone: one decoded frame each, whatever the length."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import av
from PIL import Image

# Without a keyframe in reach (an encoder that refreshes bit by bit) this many packets are tried for a whole picture.
MOST_PACKETS = 300


def pictures_at(container: Any, moments: list[float]) -> Iterator[Any]:
    """For each moment (seconds, rising) the frame of the keyframe at or before it; None where nothing can be decoded.

    A frame that serves several moments is decoded once.
    """
    stream = container.streams.video[0]
    stream.codec_context.thread_count = 1
    decoded_at: int | None = None
    frame = None
    for moment in moments:
        container.seek(int(moment / stream.time_base), stream=stream)
        packet = next((p for p in container.demux(stream) if p.is_keyframe or p.size == 0), None)
        if packet is None or packet.size == 0:
            found = None
        elif frame is not None and packet.pts == decoded_at:
            yield frame
            continue
        else:
            found = _decoded(container, stream, packet)
            decoded_at = packet.pts
        frame = found or frame
        yield frame


def upright(frame: Any, width: int, height: int, *, may_grow: bool = False) -> Image.Image:
    """The frame as people see it, inside `width` x `height`; scaled before it is unpacked, which is several times
    quicker. A smaller one grows only if it may.
    """
    turned = frame.rotation % 180 != 0
    across, down = shown_size(frame)
    scale = min(width / across, height / down)
    scale = scale if may_grow else min(1.0, scale)
    size = max(2, round(across * scale)), max(2, round(down * scale))
    small = frame.reformat(*(reversed(size) if turned else size), format="rgb24")
    image: Image.Image = small.to_image()
    return image.rotate(frame.rotation, expand=True) if frame.rotation else image


def shown_size(frame: Any) -> tuple[int, int]:
    """Width and height as people see them."""
    return (frame.height, frame.width) if frame.rotation % 180 else (frame.width, frame.height)


def _decoded(container: Any, stream: Any, keyframe: Any) -> Any:
    """The picture of a keyframe, without waiting for the pictures the decoder would like to see first."""
    context = stream.codec_context
    context.flush_buffers()
    try:
        frames = [*context.decode(keyframe), *context.decode(None)]
        context.flush_buffers()
        if frames:
            return frames[0]
        for count, packet in enumerate(container.demux(stream)):
            for frame in context.decode(packet):
                return frame
            if count > MOST_PACKETS:
                break
    except av.error.FFmpegError:
        context.flush_buffers()
    return None
