"""Several web processes on one port: start them, start again whichever dies, replace them one by one, drain them.

The parent listens, keeps the media worker and serves nothing itself. Workers accept from its sockets, and find each
other in a private folder (signaling/transport/siblings.py). SIGHUP replaces them, one at a time, each only when the one
before is ready; SIGTERM, Ctrl-C and the end of the terminal drain all. A worker hears which it is: nobody who asks an
address that goes on is told that it closes.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import aiohttp
import structlog

from server.serving import REPLACED
from server.supervisor import FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, ROOT
from server.terminal_end import TerminalEnd

READY_SECONDS = 60.0  # a worker that is not ready by then is killed and started again
END_SECONDS = 17.0  # from telling a worker to drain to killing it; it leaves two seconds earlier by itself
LOOK_SECONDS = 0.05  # between questions whether a worker is ready
log = structlog.get_logger(__name__)


class WorkersFailed(SystemExit):
    """A worker ended before all were ready for the first time; the text is one line."""


class Worker:
    """The process with this number, and its successors. `is_ready` is whether the running one may be sent traffic."""

    def __init__(self, number: int, command: Sequence[str], inherited: Sequence[int], readiness: Path) -> None:
        self.number = number
        self._command, self._inherited, self._readiness = tuple(command), tuple(inherited), readiness
        self._process: asyncio.subprocess.Process | None = None
        self._is_wanted_to_end = False
        self.is_ready = asyncio.Event()
        self.has_failed = asyncio.Event()  # it ended, or was too slow, before it was ready

    async def keep(self) -> None:
        """Run it for ever: the next follows at once on one that was ready, after growing pauses on others."""
        pause = 0.0
        while True:
            try:
                process = await self._spawn()
            except OSError as error:  # no process or no memory is free
                log.error("web worker not started", number=self.number, reason=error.strerror)
                self.has_failed.set()
                pause = _longer(pause)
                await asyncio.sleep(pause)
                continue
            if await self._becomes_ready(process):
                log.info("web worker ready", number=self.number, pid=process.pid)
                self.is_ready.set()
                pause = 0.0
            else:
                log.error("web worker not ready", number=self.number, pid=process.pid)
                self.has_failed.set()
                await self.end()
                pause = _longer(pause)
            status = await process.wait()
            self.is_ready.clear()
            if not self._is_wanted_to_end:
                log.warning("web worker ended", number=self.number, pid=process.pid, status=status, restart_in=pause)
                await asyncio.sleep(pause)

    async def replace(self) -> bool:
        """Drain the running process; whether its successor became ready."""
        self.has_failed.clear()
        await self.end(REPLACED)
        return await _first(self.is_ready, self.has_failed)

    async def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Drain the running process and see it end; it is killed when it does not."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        self._is_wanted_to_end = True
        self.is_ready.clear()
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(how)
        try:
            async with asyncio.timeout(END_SECONDS):
                await process.wait()
        except TimeoutError:
            log.error("web worker killed", number=self.number, pid=process.pid)
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _spawn(self) -> asyncio.subprocess.Process:
        self._is_wanted_to_end = False
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            cwd=ROOT,
            stdin=asyncio.subprocess.PIPE,
            pass_fds=self._inherited,
            start_new_session=True,  # a Ctrl-C in our terminal is for us, who drain them
        )
        return self._process

    async def _becomes_ready(self, process: asyncio.subprocess.Process) -> bool:
        """Whether its own /readyz says so before it ends, and in time."""
        connector = aiohttp.UnixConnector(str(self._readiness))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(READY_SECONDS), aiohttp.ClientSession(connector=connector) as session:
                while process.returncode is None:
                    with contextlib.suppress(aiohttp.ClientError, OSError):
                        async with session.get("http://worker/readyz") as answer:
                            if answer.status == 200:
                                return True
                    await asyncio.sleep(LOOK_SECONDS)
        return False


class Signals:
    """What the parent is told from outside, heard from its making on: `stop` once, `renewal` again and again."""

    def __init__(self) -> None:
        self.stop, self.renewal = asyncio.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()
        for which in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(which, _stopping, self.stop)
        self._terminal_end = TerminalEnd()
        loop.add_signal_handler(signal.SIGHUP, self._hang_up)

    def _hang_up(self) -> None:
        (self.stop if self._terminal_end.has_come() else self.renewal).set()


async def supervise(workers: Sequence[Worker], when_ready: Callable[[], Awaitable[None]], signals: Signals) -> None:
    """Run all workers until told to stop, then drain them and return. Raises WorkersFailed."""
    stop, renewal = signals.stop, signals.renewal
    tasks = [asyncio.create_task(worker.keep(), name=f"web worker {worker.number}") for worker in workers]
    try:
        if not await _until(stop, _all_ready(workers)):
            return
        await when_ready()
        await _until(stop, _renew(workers, renewal))
        log.info("draining")
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(worker.end() for worker in workers))


async def _all_ready(workers: Sequence[Worker]) -> None:
    for is_ready in await asyncio.gather(*(_first(worker.is_ready, worker.has_failed) for worker in workers)):
        if not is_ready:
            raise WorkersFailed("A web worker did not start; its words are above.")


async def _renew(workers: Sequence[Worker], renewal: asyncio.Event) -> None:
    """At every SIGHUP replace all workers, one after the other; a successor that fails ends the round."""
    while True:
        await renewal.wait()
        renewal.clear()
        log.info("replacing the web workers", count=len(workers))
        for worker in workers:
            await worker.is_ready.wait()  # one that has just died is replaced already, and must be back first
            if not await worker.replace():
                log.error("the web workers are not replaced further", number=worker.number)
                break
        else:
            log.info("web workers replaced")


def _longer(pause: float) -> float:
    return min(LONGEST_PAUSE_SECONDS, max(FIRST_PAUSE_SECONDS, pause * 2))


async def _first(wanted: asyncio.Event, other: asyncio.Event) -> bool:
    """Wait for either; whether it was the first."""
    waits = [asyncio.create_task(event.wait()) for event in (wanted, other)]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
    return wanted.is_set()


async def _until(stop: asyncio.Event, work: Awaitable[None]) -> bool:
    """Await `work` unless told to stop first; whether it came to its end."""
    task, stopped = asyncio.ensure_future(work), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([task, stopped], return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            return False
        await task
        return True
    finally:
        for one in (task, stopped):
            one.cancel()
        await asyncio.gather(task, stopped, return_exceptions=True)


def _stopping(stop: asyncio.Event) -> None:
    """The first signal drains; the next has its usual effect."""
    stop.set()
    for which in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().remove_signal_handler(which)
