"""Which library versions this transport was proven with; any other stops the start.

The engine overrides methods that upstream does not promise to keep. A silent upgrade could lose or reorder messages,
so an unknown version is refused by name instead of tried.
"""

from __future__ import annotations

from functools import cache
from importlib import metadata

PROVEN = {"python-socketio": "5.18.1", "python-engineio": "4.15.1", "aiohttp": "3.14.5"}
version = cache(metadata.version)  # looks through every folder of the path


class UnknownLibraryVersion(RuntimeError):
    """An installed library is not the version the transport's overrides were proven with."""


def require_proven_versions() -> None:
    """Raise `UnknownLibraryVersion`, naming the installed and the proven version, unless all match."""
    wrong = [
        f"{name} {installed} is installed, {proven} is needed"
        for name, proven in PROVEN.items()
        if (installed := version(name)) != proven
    ]
    if wrong:
        raise UnknownLibraryVersion("The real-time transport does not know these versions: " + "; ".join(wrong))
