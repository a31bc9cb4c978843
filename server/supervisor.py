"""Keep media workers running, each by itself: start it, notice its end, start it again, end it.

The worker's life is bound to ours twice: the pipe on its standard input reaches its end when we are gone, however we
went, and on Linux it asks the kernel for a death signal. See signaling/media/worker.py for its side.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import structlog

ROOT = Path(__file__).resolve().parent.parent
READY_SECONDS = 15.0  # a worker that has not said so by then is killed and started again
SILENT_SECONDS = 1.0  # a worker without a word for two of these in a row stands still, and is killed
# (two, because after a pause of our own the first is found over while the worker's words lie unread)
STOP_SECONDS = 3.0  # from closing its pipe to killing it
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.05, 5.0  # doubled each time a worker ends before it was ready
LONGEST_SOCKET_PATH = 100  # bytes; sun_path holds 104 to 108
KEPT_FROM_WORKER = ("SECRET_KEY", "DATABASE_URL", "REDIS_URL", "METRICS_TOKEN", "LECTERN_DEMO_PASSWORD")
log = structlog.get_logger(__name__)


class MediaWorkerFailed(SystemExit):
    """A first worker never became ready; the text is one line."""


class MediaSupervisor:
    """Runs `python -m signaling.media.worker`; `address` is where its control socket listens: `control`, or a Unix
    socket in the data directory that has the worker's number.

    `inherited` are file descriptors the worker keeps open (the data directory's lock). `allow_test_loss` is for tests:
    whoever reaches the control socket may have packets lost on purpose. Closed once; closing twice is harmless.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        number: int = 0,
        control: str = "",
        udp_hosts: Sequence[str],
        udp_port: int,
        public_addresses: Sequence[str] = (),
        inherited: Sequence[int] = (),
        allow_test_loss: bool = False,
    ) -> None:
        self._socket: Path | None = None
        if not control:
            data_dir.mkdir(parents=True, exist_ok=True)
            self._socket = _socket_path(data_dir, number)
        self.number, self.address = number, control or f"unix:{self._socket}"
        self._command = [sys.executable, "-m", "signaling.media.worker", "--control", self.address, "--beat"]
        self._command += ["--udp-port", str(udp_port)]
        for host in udp_hosts:
            self._command += ["--udp-host", host]
        for address in public_addresses:
            self._command += ["--public-address", address]
        if allow_test_loss:
            self._command.append("--allow-test-loss")
        self._inherited = tuple(inherited)
        self._process: asyncio.subprocess.Process | None = None
        self._keeper: asyncio.Task[None] | None = None
        self.starts = 0

    @property
    def pid(self) -> int | None:
        """The running worker's process id."""
        return self._process.pid if self._process and self._process.returncode is None else None

    async def start(self) -> None:
        """Start the first worker and wait until it is ready. Raises MediaWorkerFailed."""
        first = await self._spawn()
        if not await self._is_ready(first):
            await self._end(first)
            raise MediaWorkerFailed("The media worker did not start; its words are above.")
        self._keeper = asyncio.create_task(self._keep(first), name="media-supervisor")

    async def close(self) -> None:
        """End the worker: its pipe is closed, and it is killed if it does not go by itself."""
        if self._keeper is not None:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
            self._keeper = None
        if self._process is not None:
            await self._end(self._process)
            self._process = None
        if self._socket is not None:
            self._socket.unlink(missing_ok=True)

    async def _keep(self, process: asyncio.subprocess.Process) -> None:
        """Whenever the worker ends, start another; a ready one is replaced at once, others after growing pauses."""
        pause = 0.0
        while True:
            await self._until_ended(process)
            log.warning(
                "media worker ended", number=self.number, pid=process.pid, status=process.returncode, restart_in=pause
            )
            await asyncio.sleep(pause)
            process = await self._spawn()
            if await self._is_ready(process):
                log.info("media worker restarted", number=self.number, pid=process.pid)
                pause = 0.0
            else:
                await self._end(process)
                pause = min(LONGEST_PAUSE_SECONDS, max(FIRST_PAUSE_SECONDS, pause * 2))

    async def _spawn(self) -> asyncio.subprocess.Process:
        self.starts += 1
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            cwd=ROOT,
            env={name: value for name, value in os.environ.items() if name not in KEPT_FROM_WORKER},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            pass_fds=self._inherited,
            # A Ctrl-C in our terminal is for us: the worker ends after the sockets were drained.
            start_new_session=True,
        )
        return self._process

    async def _is_ready(self, process: asyncio.subprocess.Process) -> bool:
        """Whether the worker's first line, one JSON object, came in time."""
        assert process.stdout is not None
        try:
            async with asyncio.timeout(READY_SECONDS):
                line = await process.stdout.readline()
            return isinstance(json.loads(line), dict)
        except (TimeoutError, ValueError):
            return False

    async def _until_ended(self, process: asyncio.subprocess.Process) -> None:
        """Hear that it is alive, and wait for its end; one that stands still is ended."""
        assert process.stdout is not None
        silences = 0
        while silences < 2:
            try:
                async with asyncio.timeout(SILENT_SECONDS):
                    if not await process.stdout.read(4096):
                        break
                silences = 0
            except TimeoutError:
                silences += 1
        else:
            log.error("media worker stands still", number=self.number, pid=process.pid)
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        await process.wait()

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        if process.stdin is not None:
            process.stdin.close()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


class MediaSupervisors:
    """Several of them as one: all start at once, and all have to."""

    def __init__(self, each: Sequence[MediaSupervisor]) -> None:
        self.each = tuple(each)

    @property
    def address(self) -> str:
        """Where they listen, with commas."""
        return ",".join(one.address for one in self.each)

    async def start(self) -> None:
        """Start all and wait until they are ready. Raises MediaWorkerFailed."""
        outcomes = await asyncio.gather(*(one.start() for one in self.each), return_exceptions=True)
        for outcome in outcomes:
            if outcome is not None:
                raise outcome

    async def close(self) -> None:
        """End all, side by side."""
        await asyncio.gather(*(one.close() for one in self.each))


def _socket_path(data_dir: Path, number: int) -> Path:
    """In the data directory, or in a folder of its own when that path is too long for a socket."""
    path = data_dir.resolve() / (f"media-{number}.sock" if number else "media.sock")
    if len(os.fsencode(path)) <= LONGEST_SOCKET_PATH:
        return path
    return Path(tempfile.mkdtemp(prefix="lectern-")) / "media.sock"
