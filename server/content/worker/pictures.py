"""Pictures: a lesson's thumbnail out of its video, and uploaded images decoded under limits and made anew.

Only the four image formats are ever tried; metadata, appended archives and scripts do not survive re-encoding.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps, ImageStat, UnidentifiedImageError

from server.content.worker.keyframes import pictures_at, shown_size, upright
from server.content.worker.refusal import Refused

FORMATS = ("JPEG", "PNG", "GIF", "WEBP")
MOST_PIXELS = 50_000_000  # 13000 x 13000 fits in 21 kB of PNG and would take 500 MB to decode
WIDTH, HEIGHT = 1280, 1280
THUMBNAIL_SIDE = 640
THUMBNAIL_AT = (0.1, 0.3, 0.5)  # of the duration: past titles; the later ones when the first is black or blank
PLAIN = 8.0  # a picture whose brightness varies less shows nothing
QUALITY = 80


def thumbnail_of(container: Any, duration: float, target: Path) -> tuple[int, int]:
    """Write a telling picture of the video as WebP; returns the video's width and height as shown. Raises Refused."""
    chosen, detail = None, -1.0
    for frame in pictures_at(container, [duration * share for share in THUMBNAIL_AT]):
        if frame is None or frame is chosen:
            continue
        image = upright(frame, THUMBNAIL_SIDE, THUMBNAIL_SIDE)
        found = ImageStat.Stat(image.convert("L")).stddev[0]
        if found > detail:
            chosen, shown, detail = frame, image, found
        if detail >= PLAIN:
            break
    if chosen is None:
        raise Refused("unreadable", "No picture of this video can be decoded.")
    shown.save(target, "WEBP", quality=QUALITY, method=2)
    return shown_size(chosen)


def reencode(path: str, output: str) -> dict[str, Any]:
    """Make an uploaded image anew in `output`, as WebP, upright, at most 1280 on a side. Raises Refused.

    Result: {width, height, size}.
    """
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
    target = Path(output) / "picture.webp"
    image.save(target, "WEBP", quality=QUALITY)
    return {"width": image.width, "height": image.height, "size": target.stat().st_size}
