"""The seek sheet of a video: small pictures at even steps in one image, for a glance at where one would land."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from PIL import Image

from server.content.worker.described import described
from server.content.worker.inspect import open_named
from server.content.worker.keyframes import pictures_at, shown_size, upright
from server.content.worker.refusal import Refused

TILE_SIDE = 160  # the longer side of a tile
COLUMNS, MOST_TILES = 10, 200  # 1600 x 1800 for a wide video: a quarter of a megabyte
SHORTEST_STEP_SECONDS = 2
QUALITY = 60


def sheet(path: str, duration: float, output: str) -> dict[str, Any]:
    """{columns, rows, tile_width, tile_height, seconds_per_tile, file: {...}}. Raises Refused.

    Tile n, counted along the rows, stands for the seconds from n * seconds_per_tile on.
    """
    step, tiles = steps(duration)
    columns = min(COLUMNS, tiles)
    rows = math.ceil(tiles / columns)
    whole: Image.Image | None = None
    width = height = 0
    with open_named(path, "mov") as video:
        for number, frame in enumerate(pictures_at(video, [(n + 0.5) * step for n in range(tiles)])):
            if frame is None:
                continue
            if whole is None:
                width, height = _tile(*shown_size(frame))
                whole = Image.new("RGB", (columns * width, rows * height))
            picture = upright(frame, width, height, may_grow=True)
            whole.paste(picture, (number % columns * width, number // columns * height))
    if whole is None:
        raise Refused("unreadable", "No picture of this video can be decoded.")
    target = Path(output) / "seek.webp"
    whole.save(target, "WEBP", quality=QUALITY, method=2)
    return {
        "columns": columns,
        "rows": rows,
        "tile_width": width,
        "tile_height": height,
        "seconds_per_tile": step,
        "file": described(target, "image/webp"),
    }


def steps(duration: float) -> tuple[int, int]:
    """Whole seconds a tile, and how many tiles."""
    step = max(SHORTEST_STEP_SECONDS, math.ceil(duration / MOST_TILES))
    return step, max(1, math.ceil(duration / step))


def _tile(width: int, height: int) -> tuple[int, int]:
    scale = TILE_SIDE / max(width, height)
    return max(2, round(width * scale)), max(2, round(height * scale))
