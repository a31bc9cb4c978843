"""Pictures: a lesson's thumbnail out of its video, and uploaded images decoded under limits and made anew.

Only the four image formats are ever tried; metadata, appended archives and scripts do not survive re-encoding.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import av
from PIL import Image, ImageOps, UnidentifiedImageError

from server.content.worker.refusal import Refused

FORMATS = ("JPEG", "PNG", "GIF", "WEBP")
MOST_PIXELS = 50_000_000  # 13000 x 13000 fits in 21 kB of PNG and would take 500 MB to decode
WIDTH, HEIGHT = 1280, 1280
THUMBNAIL_WIDTH = 640
THUMBNAIL_AT = 0.1  # of the duration: past titles and black
QUALITY = 80


def thumbnail_of(container: Any, duration: float, target: Path) -> tuple[int, int]:
    """Write the picture at a tenth of the video as WebP; returns the video's width and height as shown."""
    stream = container.streams.video[0]
    stream.codec_context.thread_count = 1
    wanted = duration * THUMBNAIL_AT
    container.seek(int(wanted * av.time_base))
    chosen = None
    for frame in container.decode(stream):
        chosen = frame
        if frame.time is None or frame.time >= wanted:
            break
    if chosen is None:
        raise Refused("unreadable", "No picture of this video can be decoded.")
    image = chosen.to_image()
    if chosen.rotation:
        image = image.rotate(chosen.rotation, expand=True)
    width, height = image.size
    image.thumbnail((THUMBNAIL_WIDTH, THUMBNAIL_WIDTH))
    image.save(target, "WEBP", quality=QUALITY)
    return width, height


def reencode(path: str, output: str) -> dict[str, Any]:
    """Make an uploaded image anew as WebP, upright, at most 1280 on a side: {width, height, size}. Raises Refused."""
    Image.MAX_IMAGE_PIXELS = MOST_PIXELS
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    try:
        with Image.open(path, formats=FORMATS) as opened:
            if opened.width * opened.height > MOST_PIXELS:
                raise Refused("too_many_pixels", "The picture has more than 50 million pixels.")
            opened.draft("RGB", (WIDTH, HEIGHT))
            image = ImageOps.exif_transpose(opened) or opened
            image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise Refused("too_many_pixels", "The picture has more than 50 million pixels.") from error
    except UnidentifiedImageError as error:
        raise Refused("content_mismatch", "The bytes are not a JPEG, PNG, GIF or WebP picture.") from error
    except (OSError, ValueError, SyntaxError, IndexError) as error:
        raise Refused("content_mismatch", "The picture is damaged.") from error
    image.thumbnail((WIDTH, HEIGHT))
    image.save(output, "WEBP", quality=QUALITY)
    return {"width": image.width, "height": image.height, "size": Path(output).stat().st_size}
