"""Real media, made once for a whole run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.content import samples


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """`sample("avi")` is a two-second file of that kind; see samples.py."""
    folder = tmp_path_factory.mktemp("media")
    made: dict[str, Path] = {}

    def of(kind: str) -> Path:
        if kind not in made:
            made[kind] = samples.make(folder, kind)
        return made[kind]

    return of


@pytest.fixture
def uploads(tmp_path: Path) -> Path:
    """Where the server under test keeps its files."""
    return tmp_path / "uploads"
