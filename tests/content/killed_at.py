"""A server that kills itself (kill -9) before the nth step it takes on disk for content: every crash in turn.

The hook is a `sitecustomize` of the server's process alone, and counts only what the threads for content's disk do.
"""

from __future__ import annotations

from pathlib import Path

HOOK = """
import os, signal, threading

left, lock = os.environ["KILL_BEFORE"], threading.Lock()

def counted(name):
    real = getattr(os, name)
    def call(*args, **kwargs):
        if threading.current_thread().name.startswith("content disk"):
            with lock:
                try:
                    with open(left) as file:
                        number = int(file.read())
                except FileNotFoundError:
                    number = 0
                if number:
                    with open(left + ".taken", "a") as file:
                        file.write(name + "\\n")
                    if number == 1 and not os.path.exists(left + ".never"):
                        os.kill(os.getpid(), signal.SIGKILL)
                    with open(left, "w") as file:
                        file.write(str(number - 1))
        return real(*args, **kwargs)
    setattr(os, name, call)

for name in ("open", "pwrite", "fdatasync", "fsync", "mkdir", "rename", "unlink"):
    counted(name)
"""


class Killed:
    """`environment` is for the server; it runs as ever until `before` is called."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        (folder / "sitecustomize.py").write_text(HOOK)
        self._left, self._taken, self._never = folder / "left", folder / "left.taken", folder / "left.never"
        self.environment = {"PYTHONPATH": str(folder), "KILL_BEFORE": str(self._left)}

    def before(self, step: int) -> None:
        """Die before the `step`th one from now."""
        self._taken.unlink(missing_ok=True)
        self._left.write_text(str(step))
        self._never.unlink(missing_ok=True)

    def never(self) -> None:
        """From now on; a step that is being counted may still write its number."""
        self._never.touch()
        self._left.unlink(missing_ok=True)

    @property
    def steps(self) -> list[str]:
        """What it did, or was about to do when it died."""
        return self._taken.read_text().split() if self._taken.exists() else []
