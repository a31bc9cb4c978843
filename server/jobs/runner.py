"""Does what the queue says, one lane per kind, until closed; owned by app.py when embedded, alone in `--only jobs`.

A small lesson never waits behind an hour-long conversion, because each kind has a lane of its own. One look at the
queue is for all of them: a lane sleeps until there is something for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Protocol

import structlog

from server.db.database import Database
from server.errors import LecternError
from server.jobs import queue
from server.jobs.queue import Claimed, JobQueued
from server.metrics import Metrics

LOOK_SECONDS = 2.0  # how late a job queued by another process, put back or lapsed is noticed
log = structlog.get_logger(__name__)


class Handler(Protocol):
    """Does one kind of job. Everything it does may have been done already by a try that died: repeat harmlessly."""

    async def work(self, job: Claimed) -> None:
        """Raises Refusal when another try cannot help, NotYet to be asked later, anything else to be tried again."""
        ...

    async def give_up(self, job: Claimed, code: str, detail: str) -> None:
        """The last try is over; say so where people look."""
        ...


class Refusal(Exception):
    """Trying again would end the same way. `code` is a stable word."""

    def __init__(self, code: str, detail: str) -> None:
        self.code, self.detail = code, detail
        super().__init__(f"{code}: {detail}")


class NotYet(Exception):
    """Its time has not come; asking for it is not a try that counts. The lane goes on with others meanwhile."""

    def __init__(self, wait: timedelta) -> None:
        self.wait = wait
        super().__init__(f"not before {wait}")


Sweep = Callable[[], Awaitable[None]]


class Runner:
    """start() and close() once each; close() twice is harmless. `listener` is told facts and wakes the lanes."""

    def __init__(
        self,
        database: Database,
        handlers: Mapping[str, Handler],
        *,
        owns_database: bool,
        metrics: Metrics | None = None,
        sweeps: Sequence[Sweep] = (),
        closers: Sequence[Callable[[], None]] = (),
    ) -> None:
        self._database, self._handlers, self._metrics = database, handlers, metrics
        self._owns_database, self._sweeps, self._closers = owns_database, sweeps, closers
        self._wake = {kind: asyncio.Event() for kind in handlers}
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Free what a killed predecessor held, tidy up, begin."""
        if self._owns_database:
            async with self._database.work("free jobs") as work:
                freed = await queue.free_all(work, list(self._handlers))
            if freed:
                log.info("jobs taken over from a process that died", count=freed)
        for sweep in self._sweeps:
            try:
                await sweep()
            except Exception:
                log.exception("sweep failed")
        self._tasks = [asyncio.create_task(self._lane(kind), name=f"jobs {kind}") for kind in self._handlers]
        self._tasks.append(asyncio.create_task(self._look_often(), name="jobs look"))

    async def close(self) -> None:
        """Stop; what is being worked is given back and its processes end."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for close in self._closers:
            close()

    def publish(self, facts: Sequence[object]) -> None:
        """Hear committed facts (a Publisher); only queued jobs matter here."""
        for fact in facts:
            if isinstance(fact, JobQueued) and fact.kind in self._wake:
                self._wake[fact.kind].set()

    async def _lane(self, kind: str) -> None:
        wake = self._wake[kind]
        while True:
            wake.clear()
            try:
                job = await queue.claim(self._database, kind)
                if job is not None:
                    await self._one(job)
                    continue
            except LecternError as error:
                log.warning("jobs wait for the database", kind=kind, code=error.code)
            except Exception:
                log.exception("job lane stumbled", kind=kind)
            await wake.wait()

    async def _look_often(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                for kind in await queue.due_kinds(self._database) & self._wake.keys():
                    self._wake[kind].set()
            except LecternError as error:
                log.warning("jobs wait for the database", code=error.code)
            except Exception:
                log.exception("looking for jobs failed")

    async def _one(self, job: Claimed) -> None:
        handler = self._handlers[job.kind]
        if job.attempts > queue.MOST_ATTEMPTS:  # its holders died each time, perhaps of it
            await self._end(handler, job, "internal", "Every try ended with the process that made it.")
            return
        doing = asyncio.create_task(handler.work(job))
        keeping = asyncio.create_task(self._keep(job, doing))
        outcome = "failed"
        try:
            await doing
            outcome = "done"
            async with self._database.work("finish job") as work:
                await queue.finish(work, job)
        except asyncio.CancelledError:
            await _ended(doing)
            current = asyncio.current_task()
            if current is not None and current.cancelling():
                async with self._database.work("give job back") as work:
                    await queue.give_back(work, job)
                raise
            log.warning("job lost its lease", job=job.id, kind=job.kind)
            outcome = "lost"
        except NotYet as later:
            outcome = "not_yet"
            async with self._database.work("ask job later") as work:
                await queue.give_back(work, job, later.wait)
        except Refusal as refusal:
            await self._end(handler, job, refusal.code, refusal.detail)
        except Exception as error:
            log.exception("job failed", job=job.id, kind=job.kind, attempt=job.attempts)
            if job.is_last_try:
                await self._end(handler, job, "internal", f"{type(error).__name__}: {error}")
            else:
                outcome = "put_back"
                async with self._database.work("put job back") as work:
                    await queue.put_back(work, job, f"{type(error).__name__}: {error}")
        finally:
            await keeping
            if self._metrics is not None:
                self._metrics.jobs.labels(job.kind, outcome).inc()

    async def _end(self, handler: Handler, job: Claimed, code: str, detail: str) -> None:
        await handler.give_up(job, code, detail)
        async with self._database.work("fail job") as work:
            await queue.fail(work, job, f"{code}: {detail}")

    async def _keep(self, job: Claimed, doing: asyncio.Task[None]) -> None:
        """Renew the lease while it is worked; stop the work when somebody else has it."""
        while True:
            await asyncio.wait({doing}, timeout=queue.RENEW_SECONDS)
            if doing.done():
                return
            try:
                async with self._database.work("renew lease") as work:
                    held = await queue.renew(work, job)
            except Exception as error:
                log.warning("lease not renewed", job=job.id, reason=str(error))
                continue  # two more renewals fit before the lease lapses
            if not held:
                doing.cancel()


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
