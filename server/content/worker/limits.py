"""The cage of one worker process: what it may use, what it cannot reach, and that it dies with its parent.

Resource limits hold everywhere. On Linux the kernel also refuses sockets and programs (no_network.py) and every file
but the one at hand and the folder for what is made of it (own_files.py), where it knows how; see docs/processing.md.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
import threading
from collections.abc import Mapping
from typing import Any

from server.content.worker import no_network, own_files

MOST_FILES = 32
_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38


def enter(limits: Mapping[str, int], parent: int, reads: str, writes: str | None) -> None:
    """Give up what the work does not need; `reads` is one file, `writes` one folder.

    `limits`: address_bytes, cpu_seconds, file_bytes, niceness, and for the first look first_cpu_seconds.
    """
    os.umask(0o077)
    os.nice(limits["niceness"])
    for which, value in (
        (resource.RLIMIT_AS, limits["address_bytes"]),
        (resource.RLIMIT_FSIZE, limits["file_bytes"]),
        (resource.RLIMIT_NOFILE, MOST_FILES),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(which, (value, value))
    resource.setrlimit(resource.RLIMIT_CPU, (limits["first_cpu_seconds"], limits["cpu_seconds"]))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a write beyond the limit becomes an error we can name
    _die_with(parent)
    own_files.enter(reads, writes)
    no_network.enter()


def go_on() -> None:
    """The first look is over and found something worth the time: all of it may be used now."""
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (most, most))


def _die_with(parent: int) -> None:
    if sys.platform == "linux":
        libc: Any = ctypes.CDLL(None, use_errno=True)
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        if os.getppid() != parent:  # it died before the kernel was asked
            os._exit(1)
    threading.Thread(target=_wait_for_end_of_input, daemon=True).start()


def _wait_for_end_of_input() -> None:
    """Where the kernel sends no signal, the closed pipe tells."""
    while os.read(0, 4096):
        pass
    os._exit(1)
