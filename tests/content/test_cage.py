"""What a worker process cannot do, tried from inside: no sockets, no programs, no files but its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from server.content import child

ROOT = Path(__file__).resolve().parents[2]
INSIDE = """
import os, sys
sys.path.insert(0, sys.argv[1])
from server.content.worker import limits
most = {"address_bytes": 1 << 30, "cpu_seconds": 60, "first_cpu_seconds": 30, "file_bytes": 1 << 20, "niceness": 10}
limits.enter(most, os.getppid(), sys.argv[2], sys.argv[3])
canary = sys.argv[4]
try:
    exec(sys.argv[5])
except OSError as error:
    print(type(error).__name__)
else:
    print("done")
"""


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    """A file beside the upload, which is nobody's business."""
    path = tmp_path / "canary"
    path.write_text("secret")
    return path


def tried(deed: str, tmp_path: Path, canary: Path) -> str:
    """How `deed` ends in a worker's cage: "done" or the name of the error."""
    upload, output = tmp_path / "upload.mp4", tmp_path / "made"
    upload.write_bytes(b"its own")
    output.mkdir(exist_ok=True)
    command = [sys.executable, "-I", "-c", INSIDE, str(ROOT), str(upload), str(output), str(canary), deed]
    pipe = subprocess.PIPE
    # Its input stays open: a worker ends with it.
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env={}) as process:
        assert process.stdout is not None and process.stderr is not None
        return process.stdout.read().strip() or process.stderr.read()


@pytest.mark.parametrize(
    "deed",
    [
        "import socket; socket.socket()",
        "import socket; socket.socket(socket.AF_UNIX)",
        "import socket; socket.socketpair()",
        "os.execv('/bin/sh', ['sh', '-c', 'true'])",
        "os.posix_spawn('/bin/sh', ['sh', '-c', 'exit 0'], {})",
        "os.kill(os.getppid(), 0)",
        "open(canary).read()",
        "open(canary, 'a')",
        "os.listdir(os.path.dirname(canary))",
        "os.rename(canary, sys.argv[3] + '/taken')",
        "os.link(canary, sys.argv[3] + '/taken')",
        "os.symlink(canary, sys.argv[3] + '/link'); open(sys.argv[3] + '/link').read()",
        "open('/etc/passwd').read()",
        "open('/proc/%d/environ' % os.getppid()).read()",
        "open(sys.argv[2], 'ab')",
        "open(sys.argv[3] + '/large', 'wb').write(bytes(3 << 20))",
        "[open(sys.argv[2]) for _ in range(40)]",
    ],
)
def test_refused_by_the_kernel(deed: str, tmp_path: Path, canary: Path) -> None:
    assert tried(deed, tmp_path, canary) in ("PermissionError", "OSError")
    assert canary.read_text() == "secret"


@pytest.mark.parametrize(
    "deed",
    [
        "assert open(sys.argv[2]).read() == 'its own'",
        "open(sys.argv[3] + '/made', 'wb').write(b'x'); os.remove(sys.argv[3] + '/made')",
        "import av, PIL.Image, PIL.WebPImagePlugin",
    ],
)
def test_allowed_because_the_work_needs_it(deed: str, tmp_path: Path, canary: Path) -> None:
    assert tried(deed, tmp_path, canary) == "done"


async def test_a_worker_has_no_surroundings_and_stands_behind_everybody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_KEY", "must not be seen")
    boot = "import json, os, sys; print(json.dumps({'result': {'env': dict(os.environ), 'cwd': os.getcwd()}}))"
    monkeypatch.setattr(child, "BOOT", boot)
    found = await child.run(child.PROCESS, {"command": "process"})
    assert "SECRET_KEY" not in found["env"]
    assert found["cwd"] == "/"
    assert os.environ["SECRET_KEY"]
