"""The real program as a process of its own: started as a newcomer starts it, killed as a machine's worst day kills it.

Its ports are chosen once, so that a second start comes back where the browsers are waiting.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import socket
import sys
from dataclasses import dataclass, field
from pathlib import Path

from tests.services import die_with_parent, free_port

ROOT = Path(__file__).parents[2]
START_SECONDS = 60  # a first start migrates, seeds and hashes three passwords on a busy machine
STOP_SECONDS = 20  # a drain, then it is killed and the test fails
LINK = re.compile(r"^\s+(\w+)\s.*?\s(http://\S+/app/sign-in#\S+)$", re.MULTILINE)


@dataclass
class Program:
    """`python -m server demo` in a folder, on ports of its own; `links` are those of the newest start."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    media_port: int = field(default_factory=lambda: free_port(socket.SOCK_DGRAM))
    command: tuple[str, ...] = ("demo",)
    process: asyncio.subprocess.Process | None = None
    said: str = ""
    _draining: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def links(self) -> dict[str, str]:
        """One-click sign-in links by first name in small letters."""
        return {name.lower(): link for name, link in LINK.findall(self.said)}

    @property
    def password(self) -> str:
        """The demo's password, as the terminal tells it."""
        found = re.search(r"with the password (\S+) as", self.said)
        assert found, self.said
        return found[1]

    @property
    def sample(self) -> Path:
        """The video the terminal offers for uploading."""
        found = re.search(r"A video to upload:\s+(\S.*)", self.said)
        assert found, self.said
        return Path(found[1].strip())

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    async def start(self) -> Program:
        """Start, and return when the terminal says that it is ready."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", "server", *self.command),
                cwd=ROOT,
                env={
                    **{name: value for name, value in os.environ.items() if not name.startswith("LECTERN_")},
                    "LECTERN_DATA_DIR": str(self.folder / "data"),
                    "HOST": "127.0.0.1",
                    "PORT": str(self.port),
                    "MEDIA_PORT": str(self.media_port),
                    **self.environment,
                },
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                preexec_fn=die_with_parent,
            )
        self.said = ""
        try:
            async with asyncio.timeout(START_SECONDS):
                while "Ctrl-C stops" not in self.said:
                    assert self.process.stdout is not None
                    line = await self.process.stdout.readline()
                    assert line, f"the program ended:\n{self.said}\n{self.log()}"
                    self.said += line.decode()
        except TimeoutError:
            self.process.kill()
            raise AssertionError(f"the program was not ready in time:\n{self.said}\n{self.log()}") from None
        self._draining = asyncio.create_task(self._drain(self.process))
        return self

    def media_pid(self) -> int | None:
        """The media worker, which is a child of ours."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        for child in children:
            with contextlib.suppress(OSError):
                if b"signaling.media.worker" in Path(f"/proc/{child}/cmdline").read_bytes():
                    return int(child)
        return None

    def kill_media(self) -> None:
        """`kill -9` of the media worker."""
        pid = self.media_pid()
        assert pid is not None, "no media worker runs"
        os.kill(pid, signal.SIGKILL)

    async def kill_web(self) -> None:
        """`kill -9` of the web process."""
        assert self.process is not None
        self.process.kill()
        await self.process.wait()

    async def kill_both(self) -> None:
        """Media worker first, so that nobody is left to start it again."""
        self.kill_media()
        await self.kill_web()

    async def stop(self) -> int:
        """SIGTERM; its exit status."""
        assert self.process is not None
        if self.process.returncode is None:
            self.process.terminate()
            try:
                async with asyncio.timeout(STOP_SECONDS):
                    await self.process.wait()
            except TimeoutError:
                self.process.kill()
                await self.process.wait()
                raise AssertionError(f"the program did not stop:\n{self.log()}") from None
        if self._draining is not None:
            await self._draining
        assert self.process.returncode is not None
        return self.process.returncode

    def log(self) -> str:
        """The end of what it logged."""
        path = self.folder / "log"
        return path.read_text(errors="replace")[-4000:] if path.exists() else ""

    async def _drain(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        while await process.stdout.read(4096):
            pass
