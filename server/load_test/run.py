"""From a load to its report: a folder, a database, people, a server process, the scenario, and everything put away."""

from __future__ import annotations

import asyncio
import resource
import shutil
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from server.db.database import Database
from server.db.migrate import upgrade
from server.load_test import world
from server.load_test.load import CHAT_PER_SECOND, Load
from server.load_test.process import ServerProcess
from server.load_test.report import Report
from server.load_test.scenarios import SCENARIOS, sizes
from server.load_test.stage import Stage, Tell
from server.ports import SilentPublisher
from server.settings import Settings

FILES_BESIDE = 128  # open files that are no connections
MOST_CONNECTIONS, MOST_RATE, MOST_SECONDS = 20_000, 2_000, 3_600


class WrongLoad(SystemExit):
    """What was asked for cannot be done; the text is one line with the remedy."""


def check(load: Load) -> None:
    """Raises WrongLoad."""
    if not 1 <= load.connections <= MOST_CONNECTIONS:
        raise WrongLoad(f"--connections: between 1 and {MOST_CONNECTIONS:,}.")
    if not 1 <= load.rooms <= load.connections:
        raise WrongLoad("--rooms: at least one, and no more than there are connections.")
    if not 0 < load.rate <= MOST_RATE and load.scenario != "idle":
        raise WrongLoad(f"--rate: more than 0 and at most {MOST_RATE:,} lines a second.")
    if not 0 <= load.seconds <= MOST_SECONDS:
        raise WrongLoad(f"--seconds: at most {MOST_SECONDS:,}.")
    if load.scenario == "stalled" and load.connections - load.stalled < load.rate / CHAT_PER_SECOND + 4:
        raise WrongLoad("--connections: too few would be left to write and to listen beside those that stall.")
    if load.scenario == "catch-up" and load.connections < load.rate / CHAT_PER_SECOND + 21:
        raise WrongLoad("--connections: too few would be left to write while the others are away.")
    if load.scenario == "idle" and load.connections < 2:
        raise WrongLoad("--connections: at least two.")
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = load.connections * 2 + FILES_BESIDE
    if most != resource.RLIM_INFINITY and needed > most:
        raise WrongLoad(f"This account may open {most:,} files and the load needs {needed:,}: raise `ulimit -n`.")


def run(load: Load, *, keep: bool = False, tell: Tell = lambda phase, done, total: None) -> Report:
    """Carry out `load` on a server of its own. Blocks. Raises SystemExit with one line when it cannot."""
    check(load)
    folder = Path(tempfile.mkdtemp(prefix="lectern-load-"))
    try:
        settings = Settings.model_validate(
            {"LECTERN_DATA_DIR": str(folder), "DATABASE_URL": load.database_url, "SECRET_KEY": ""}
        )
        try:
            upgrade(settings.database_url)
        except Exception as error:
            raise WrongLoad(f"The database cannot be used: {str(error).splitlines()[0][:200]}") from error
        report = asyncio.run(carried_out(load, folder, settings.database_url, tell))
        if keep:
            report.notes.append(f"Kept: {folder}")
        return report
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)


async def carried_out(load: Load, folder: Path, database_url: str, tell: Tell) -> Report:
    """One run in `folder`, on a migrated database without people. Raises SystemExit."""
    kind = "SQLite" if database_url.startswith("sqlite") else "PostgreSQL"
    report = Report(load.scenario, kind, load.connections, load.rooms, load.seconds)
    async with AsyncExitStack() as opened:
        stage = await opened.enter_async_context(_stage(load, folder, database_url, report, tell))
        await stage.start_classes()
        began, own, of_server = time.perf_counter(), time.process_time(), stage.server.cpu_seconds()
        await SCENARIOS[load.scenario](stage)
        spent = time.perf_counter() - began
        memory, used = stage.server.memory_mb(), stage.server.cpu_seconds()
        if memory is not None:
            report.server_rss_mb, report.server_peak_mb = (round(value, 1) for value in memory)
        if used is not None and of_server is not None and used >= of_server:
            report.server_cpu = round((used - of_server) / spent, 3)
        report.client_cpu = round((time.process_time() - own) / spent, 3)
        for member in stage.members:
            member.cut()
    return report


@asynccontextmanager
async def _stage(load: Load, folder: Path, database_url: str, report: Report, tell: Tell) -> AsyncIterator[Stage]:
    soft, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = sum(sizes(load)) + FILES_BESIDE
    if soft != resource.RLIM_INFINITY and soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, most))  # the server inherits it
    environment = {"DATABASE_URL": "" if database_url.startswith("sqlite") else database_url}
    environment |= _raised_limits(load, report)
    settings = Settings.model_validate({"LECTERN_DATA_DIR": str(folder), "SECRET_KEY": ""})
    secret = environment["SECRET_KEY"] = settings.secret_key
    database = Database.open(database_url, publisher=SilentPublisher())
    is_ours = False
    try:
        tell("making people", 0, 1)
        people = await world.make(database, secret, sizes(load))
        is_ours = True
        async with ServerProcess(folder, environment) as server:
            yield Stage.of(load, server, people, report, tell)
    finally:
        if is_ours and not database.is_sqlite:
            await world.clear(database)
        await database.close()


def _raised_limits(load: Load, report: Report) -> dict[str, str]:
    """Settings under which everybody may write as often as this load wants, and a note when they are not the usual."""
    writers = load.rooms if load.scenario in ("reconnect", "restart") else load.connections
    each = load.rate / writers
    if load.scenario in ("stalled", "catch-up") or each <= CHAT_PER_SECOND:
        return {}
    rate = str(round(2 * each, 1))
    report.notes.append(f"Limits raised for this: {rate} lines and events a second, because each writes {each:.1f}.")
    return {"LECTERN_LIMIT_CHAT_PER_SECOND": rate, "LECTERN_LIMIT_EVENTS_PER_SECOND": str(max(20.0, float(rate)))}
