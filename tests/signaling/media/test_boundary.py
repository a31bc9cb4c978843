"""What media may load: no codec, no unknown version, nothing of the rest of the product."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from signaling.media import dtls

PACKAGE = Path(dtls.__file__).parent
LIBRARIES = {"aiortc", "aioice", "pylibsrtp", "cryptography", "OpenSSL", "signaling"}


@pytest.mark.parametrize("module", ["signaling.media.worker", "signaling.media.client"])
def test_no_video_codec_is_loaded(module: str) -> None:
    look = f"import sys, {module}; print([m for m in sys.modules if m.split('.')[0] in ('av', 'aiortc')])"
    run = subprocess.run(
        [sys.executable, "-c", look], capture_output=True, text=True, check=True, cwd=PACKAGE.parents[1]
    )
    assert run.stdout.strip() == "[]"


def test_the_real_package_can_still_be_imported_beside_ours() -> None:
    look = "import signaling.media.dtls, av, aiortc; print(aiortc.RTCPeerConnection.__name__, av.AudioFrame.__name__)"
    run = subprocess.run(
        [sys.executable, "-c", look], capture_output=True, text=True, check=True, cwd=PACKAGE.parents[1]
    )
    assert run.stdout.split() == ["RTCPeerConnection", "AudioFrame"]


def test_an_unknown_version_is_refused_and_both_are_named() -> None:
    with pytest.raises(dtls.UnknownVersion, match=r"aiortc 1\.16\.\d+ is installed, .* aiortc 0\.9\."):
        dtls.check_versions({"aiortc": "0.9."})


CHILD = PACKAGE.parent / "child.py"  # how any child process ends with its parent; the standard library alone


@pytest.mark.parametrize("file", [*sorted(PACKAGE.glob("*.py")), CHILD], ids=lambda file: file.name)
def test_only_the_standard_library_and_media_libraries_are_imported(file: Path) -> None:
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            found.add(node.module or "")
    strangers = {name for name in found if name.split(".")[0] not in LIBRARIES | sys.stdlib_module_names}
    assert not strangers
    ours = {name for name in found if name.startswith("signaling")}
    assert all(name.startswith("signaling.media") or name == "signaling.child" for name in ours)
    assert file != CHILD or not ours
    if file.name != "dtls.py":
        assert not any(name.split(".")[0] in ("aiortc", "pylibsrtp") for name in found)
