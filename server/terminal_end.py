"""SIGHUP says two things: the terminal we were started from is gone, or somebody asks for new workers.

The first when we had a terminal and have none any more. Whoever started us with `nohup` wants to outlive it.
"""

from __future__ import annotations

import os
import signal


class TerminalEnd:
    """What a SIGHUP means to a process that was started as this one was."""

    def __init__(self) -> None:
        self.is_nothing_to_us = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        self._had_one = _has_terminal()

    def has_come(self) -> bool:
        """The terminal is gone, and we are to go with it."""
        return self._had_one and not self.is_nothing_to_us and not _has_terminal()


def _has_terminal() -> bool:
    """Whether a terminal controls this process (tty(4): opening it fails with ENXIO otherwise)."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True
