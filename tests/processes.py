"""Processes on this machine, as the kernel shows them: whose child, whether alive; and how to hold one still."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterable
from pathlib import Path


def children_of(pid: int) -> list[int]:
    """Process ids whose parent is `pid` (Linux)."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid and fields[0] != "Z":
            found.append(int(folder.name))
    return found


def command_of(pid: int) -> str:
    """The command line of a process; empty when it is gone."""
    try:
        return (Path("/proc") / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def is_alive(pid: int) -> bool:
    """Whether the process still runs (a zombie does not)."""
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def signal_all(pids: Iterable[int], which: signal.Signals) -> None:
    """Send a signal to each that still is."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, which)


def pause(pid: int) -> list[int]:
    """Hold a process and its children still, as a frozen machine does; returns whom resume() is to be given."""
    signal_all([pid], signal.SIGSTOP)  # first, so that no child is born meanwhile
    held = [pid, *children_of(pid)]
    signal_all(held, signal.SIGSTOP)
    return held


def resume(held: Iterable[int]) -> None:
    """Let go of what pause() held."""
    signal_all(held, signal.SIGCONT)
