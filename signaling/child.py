"""How a child process of ours ends when its parent does: its standard input reaches its end, and the kernel says so."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import stat
import sys
from collections.abc import Callable

PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Ask the kernel to end us when our parent ends; elsewhere than on Linux the pipe alone has to do."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def is_supervised() -> bool:
    """Standard input is a pipe or a socket: somebody holds its other end."""
    try:
        mode = os.fstat(0).st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


def when_parent_ends(end: Callable[[], None]) -> None:
    """Call `end`, once, in the running loop when standard input reaches its end."""
    os.set_blocking(0, False)
    asyncio.get_running_loop().add_reader(0, _parent_said, end)


def _parent_said(end: Callable[[], None]) -> None:
    try:
        said = os.read(0, 4096)
    except BlockingIOError:
        return
    if not said:
        asyncio.get_running_loop().remove_reader(0)
        end()
