"""What is said of a file that was made: name, size, hash and type."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any


def described(path: Path, mime_type: str) -> dict[str, Any]:
    """{name, size, sha256, mime_type}."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"name": path.name, "size": path.stat().st_size, "sha256": digest, "mime_type": mime_type}
