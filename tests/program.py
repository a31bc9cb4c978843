"""The real program as a process of its own: `python -m server ...` on free ports, in a folder of its own.

It is ended by its pid, gently by default; `kill()` is what a crash is, and `start()` after it is what follows one.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import re
import signal
import socket
import subprocess
import sys
import termios
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import aiohttp

from tests.processes import children_of, command_of
from tests.services import die_with_parent, free_port

ROOT = Path(__file__).resolve().parents[1]
READY_SECONDS = 60
STOP_SECONDS = 20
LINK = re.compile(r"^\s+(\w+)\s.*?\s(http://\S+/app/sign-in#\S+)$", re.MULTILINE)
KEPT = ("PATH", "HOME", "LANG", "TMPDIR", "VIRTUAL_ENV", "LD_LIBRARY_PATH")


def _in_a_terminal() -> None:
    """In a child that leads a session: standard input is its terminal."""
    die_with_parent()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


class Program:
    """One server with its children; the same ports and folder through all its starts."""

    def __init__(
        self, folder: Path, *arguments: str, defaults: bool = False, ready: str = "", **environment: str
    ) -> None:
        """With `defaults` no port is set, and `url` is read from what the program says.

        With `ready` it serves no pages: it is ready when that is in its output or its log.
        """
        self.folder, self.arguments = folder, arguments
        self.port, self.media_port = free_port(), free_port(socket.SOCK_DGRAM)
        self.url = f"http://127.0.0.1:{self.port}"
        ports = {} if defaults else {"PORT": str(self.port), "MEDIA_PORT": str(self.media_port)}
        self._is_found_by_words, self._ready = defaults, ready
        self.environment = {
            **ports,
            "LECTERN_DATA_DIR": str(folder / "var"),
            "LECTERN_LOG_FORMAT": "json",
            "LECTERN_LOG_LEVEL": "info",
            **environment,
        }
        self.terminal: int | None = None  # a terminal's descriptor: it is started in the foreground of that
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def status(self) -> int | None:
        """The exit status; None while it runs."""
        assert self._process is not None
        return self._process.poll()

    @property
    def said(self) -> str:
        """Everything printed for people, over all starts."""
        return (self.folder / "stdout").read_text()

    @property
    def logged(self) -> list[dict[str, Any]]:
        """The log, over all starts; lines that are not ours are left out."""
        lines = (self.folder / "stderr").read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    @property
    def links(self) -> dict[str, str]:
        """The one-click links of the demo's last start, by first name in small letters."""
        return {name.lower(): link for name, link in LINK.findall(self.said.rpartition("Lectern is ready")[2])}

    @property
    def password(self) -> str:
        """The demo's password, as the terminal tells it."""
        return self._told(r"with the password (\S+) as")

    @property
    def sample(self) -> Path:
        """The video the demo offers for uploading."""
        return Path(self._told(r"A video to upload:\s+(\S.*)").strip())

    def _told(self, pattern: str) -> str:
        found = re.search(pattern, self.said)
        assert found, self.last_words
        return found[1]

    @property
    def last_words(self) -> str:
        """The end of what it logged and printed."""
        return (self.folder / "stderr").read_text()[-3000:] + self.said[-500:]

    def launch(self) -> None:
        """Start without waiting for anything."""
        with (self.folder / "stdout").open("ab") as out, (self.folder / "stderr").open("ab") as err:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "server", *self.arguments],
                cwd=ROOT,
                env={**{k: os.environ[k] for k in KEPT if k in os.environ}, **self.environment},
                stdin=subprocess.DEVNULL if self.terminal is None else self.terminal,
                stdout=out,
                stderr=err,
                start_new_session=self.terminal is not None,
                preexec_fn=die_with_parent if self.terminal is None else _in_a_terminal,
            )

    async def start(self) -> Program:
        """Start and wait until /readyz says so; itself. Raises AssertionError with its last words."""
        self.launch()
        deadline = time.monotonic() + READY_SECONDS
        async with aiohttp.ClientSession() as session:
            while not await self._is_ready(session):
                assert self.status is None, f"it ended with {self.status}: {self.last_words}"
                assert time.monotonic() < deadline, f"not ready in {READY_SECONDS} s: {self.last_words}"
                await asyncio.sleep(0.05)
        return self

    async def _is_ready(self, session: aiohttp.ClientSession) -> bool:
        if self._ready:
            return self._ready in self.said + (self.folder / "stderr").read_text()
        if self._is_found_by_words and (said := re.search(r"Lectern is ready\s+(http\S+)", self.said)):
            self.url = said[1]
        try:
            async with session.get(f"{self.url}/readyz") as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False

    async def ended(self, seconds: float = STOP_SECONDS) -> int:
        """Wait for its end; returns the status."""
        assert self._process is not None
        return await asyncio.to_thread(self._process.wait, seconds)

    async def stop(self) -> int:
        """SIGTERM, and the status it ends with; it is killed when it does not end."""
        if self._process is None:
            return 0
        if self._process.poll() is None:
            self._process.terminate()
        try:
            return await self.ended()
        except subprocess.TimeoutExpired:
            await self.kill()
            raise AssertionError(f"SIGTERM did not end it in {STOP_SECONDS} s: {self.last_words}") from None

    async def kill(self) -> None:
        """kill -9 of the web process alone, whose children end by themselves."""
        assert self._process is not None
        self._process.kill()
        await self.ended()

    def children(self) -> Sequence[int]:
        """The process ids of its children."""
        return children_of(self.pid)

    async def kill_media(self) -> int:
        """kill -9 of the media worker; returns its process id."""
        return self._signal_media(signal.SIGKILL)

    async def stall_media(self) -> int:
        """The media worker stands still, and is not dead; returns its process id."""
        return self._signal_media(signal.SIGSTOP)

    def _signal_media(self, which: signal.Signals) -> int:
        (pid,) = [child for child in self.children() if "signaling.media.worker" in command_of(child)]
        os.kill(pid, which)
        return pid

    async def kill_both(self) -> None:
        """The media worker first, so that nobody is left to start it again."""
        await self.kill_media()
        await self.kill()
