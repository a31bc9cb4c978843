"""Run one worker process: fresh, limited, with an empty environment, and gone when we are.

A pool would be wrong here: killing one of its workers breaks them all. Starting Python costs a tenth of a second.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

ROOT = Path(__file__).resolve().parents[2]
# -I ignores the environment and the working directory; the one place to import from is given as an argument.
BOOT = """
import runpy, sys
sys.path.insert(0, sys.argv.pop(1))
runpy.run_module("server.content.worker", None, "__main__")
"""
MEBIBYTE = 1024 * 1024
LONGEST_LINE = 64 * 1024
# Elsewhere nobody would end a process that stands still when we are killed: it waits for our pipe to close.
MAY_HOLD = sys.platform == "linux"
ERROR_TAIL = 2000
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Cage:
    """What one run may use; `wall_seconds` is enforced from outside, the rest by the kernel.

    `first_cpu_seconds` is for finding out what the file is; a file that makes this hard gets no further.
    """

    address_bytes: int
    cpu_seconds: int
    file_bytes: int
    wall_seconds: float
    first_cpu_seconds: int = 20
    niceness: int = 10


PROCESS = Cage(1024 * MEBIBYTE, 300, 1024 * MEBIBYTE, 600)
SHEET = Cage(1024 * MEBIBYTE, 120, 64 * MEBIBYTE, 300)
PICTURE = Cage(768 * MEBIBYTE, 20, 64 * MEBIBYTE, 30)


def transcoding(duration_seconds: float) -> Cage:
    """A cage that grows with the length: ten times the playing time, at least ten minutes."""
    seconds = max(600, int(duration_seconds * 10))
    return Cage(2048 * MEBIBYTE, seconds, 4096 * MEBIBYTE, seconds * 2, niceness=19)


class WorkerRefused(Exception):
    """The file is at fault; `code` is stable, and another try would say the same."""

    def __init__(self, code: str, detail: str) -> None:
        self.code, self.detail = code, detail
        super().__init__(f"{code}: {detail}")


class WorkerTimedOut(WorkerRefused):
    """It used up its time."""

    def __init__(self) -> None:
        super().__init__("timeout", "Processing took longer than is allowed for its length.")


class WorkerCrashed(Exception):
    """The process ended without an answer; another try may do better."""


async def run(
    cage: Cage,
    order: dict[str, Any],
    told: Callable[[str, float], None] | None = None,
    held: AsyncIterator[bool] | None = None,
) -> dict[str, Any]:
    """Carry out `order` in a worker process; `told(stage, percent)` hears how far it is.

    While the last word of `held` is True the process stands still, and its time does not run.
    Raises WorkerRefused, WorkerTimedOut, WorkerCrashed. Cancelling this ends the process.
    """
    limits = {
        "address_bytes": cage.address_bytes,
        "cpu_seconds": cage.cpu_seconds,
        "first_cpu_seconds": min(cage.first_cpu_seconds, cage.cpu_seconds),
        "file_bytes": cage.file_bytes,
        "niceness": cage.niceness,
    }
    argument = json.dumps({**order, "limits": limits, "parent": os.getpid()})
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-c", BOOT, str(ROOT), argument),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={},
        cwd="/",
        start_new_session=True,
        limit=LONGEST_LINE,
    )
    holding: asyncio.Task[None] | None = None
    try:
        async with asyncio.timeout(cage.wall_seconds) as wall:
            if held is not None and MAY_HOLD:
                holding = asyncio.create_task(_hold(process, held, wall))
            said = asyncio.create_task(_tail(process.stderr))
            last = await _lines(process.stdout, told)
            await process.wait()
    except TimeoutError as error:
        raise WorkerTimedOut() from error
    finally:
        if holding is not None:
            holding.cancel()
            await asyncio.gather(holding, return_exceptions=True)
        await _end(process)
    if process.returncode == -signal.SIGXCPU:
        raise WorkerTimedOut()
    if process.returncode != 0 or not ("result" in last or "refused" in last):
        raise WorkerCrashed(f"status {process.returncode}: {await said}")
    if "refused" in last:
        raise WorkerRefused(str(last["refused"]), str(last.get("detail", "")))
    return dict(last["result"])


async def _hold(process: asyncio.subprocess.Process, held: AsyncIterator[bool], wall: asyncio.Timeout) -> None:
    """Stop and continue the process as told; what it stood still is added to the time it may take."""
    with contextlib.suppress(ProcessLookupError):
        try:
            since: float | None = None
            async for is_held in held:
                now, deadline = time.monotonic(), wall.when()
                if since is not None and deadline is not None:
                    wall.reschedule(deadline + now - since)
                if is_held != (since is not None):
                    process.send_signal(signal.SIGSTOP if is_held else signal.SIGCONT)
                since = now if is_held else None
        finally:
            process.send_signal(signal.SIGCONT)


async def _lines(stream: asyncio.StreamReader | None, told: Callable[[str, float], None] | None) -> dict[str, Any]:
    assert stream is not None
    last: dict[str, Any] = {}
    while line := await stream.readline():
        try:
            last = json.loads(line)
        except ValueError as error:
            raise WorkerCrashed("it said something that is not JSON") from error
        if "stage" in last and told is not None:
            told(str(last["stage"]), float(last["percent"]))
    return last


async def _tail(stream: asyncio.StreamReader | None) -> str:
    """The end of what a process complained about, for the log."""
    assert stream is not None
    kept = b""
    while chunk := await stream.read(4096):
        kept = (kept + chunk)[-ERROR_TAIL:]
    return kept.decode(errors="replace")


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        try:
            process.kill()
        except ProcessLookupError:
            return
        await process.wait()
