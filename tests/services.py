"""Real PostgreSQL and Redis for the tests: started on free loopback ports in a folder of their own, ended by their pid.

Nothing here is a fake. Servers refuse to run as root, so root hands them to an unprivileged account of the system.
`fsync` is off: what these tests ask is whether our statements are right, not whether the disk is.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import asyncpg

from tests.processes import children_of, is_alive, pause, signal_all

T = TypeVar("T")
START_SECONDS = 30  # a service that has not answered by then fails the test with its log
STOP_SECONDS = 10  # then it is killed
UNPRIVILEGED = ("postgres", "nobody")
PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG, prctl(2)


class ServiceMissing(RuntimeError):
    """A program the tests need is not installed; the text says which and how to get it."""


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """A loopback port nobody uses at this moment."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def postgresql_program(name: str) -> str:
    """The path of a PostgreSQL program; Debian keeps the servers off PATH. Raises ServiceMissing."""
    found = shutil.which(name)
    newest = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda p: float(p.parts[-3]))
    if newest:
        return str(newest[-1])
    if found is None:
        raise ServiceMissing(f"{name} is missing: install PostgreSQL 13 or newer (Debian: apt-get install postgresql)")
    return found


def in_thread(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end on a loop of its own, whatever loop the caller is near."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


class Service:
    """One server in a folder of its own; it comes back on the same port, with the same data, after it was ended."""

    stop_signal = signal.SIGTERM

    def __init__(self, command: list[str], folder: Path, account: pwd.struct_passwd | None, port: int) -> None:
        self.command, self.folder, self.account, self.port = command, folder, account, port
        self.launch()
        _wait(self._answers, self.process, folder)

    def launch(self) -> None:
        """Start without waiting for anything."""
        self.process = _start(self.command, self.folder, self.account)

    async def start_again(self) -> None:
        """After halt() or kill(): returns when it answers."""
        self.launch()
        await asyncio.to_thread(_wait, self._answers, self.process, self.folder)

    def halt(self) -> None:
        """End it as its operator would; what it stored stays."""
        _stop(self.process, self.stop_signal)

    def kill(self) -> None:
        """kill -9 of all its processes."""
        pids = [self.process.pid, *children_of(self.process.pid)]
        signal_all(pids, signal.SIGKILL)
        self.process.wait(STOP_SECONDS)
        deadline = time.monotonic() + STOP_SECONDS
        while any(is_alive(pid) for pid in pids):
            assert time.monotonic() < deadline, pids
            time.sleep(0.005)

    def pause(self) -> list[int]:
        """Hold all its processes still; returns what resume() of processes.py takes."""
        return pause(self.process.pid)

    def stop(self) -> None:
        """End it, then the folder goes."""
        self.halt()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _answers(self) -> bool:
        raise NotImplementedError


class Postgres(Service):
    """One cluster; `create()` copies the migrated template in a few milliseconds."""

    stop_signal = signal.SIGINT  # a fast shutdown: clients are cut off, the data are written

    def __init__(self, command: list[str], folder: Path, account: pwd.struct_passwd | None, port: int) -> None:
        self.template: str | None = None
        self._made = 0
        super().__init__(command, folder, account, port)

    @classmethod
    def start(cls, *, fsync: bool = False) -> Postgres:
        """Initialize and start a cluster; raises ServiceMissing without the programs.

        One that is to be killed wants `fsync`: without it what was committed last is kept in its own memory only.
        """
        account = _unprivileged_account()
        folder = _folder("lectern-postgres-", account)
        initdb, server = postgresql_program("initdb"), postgresql_program("postgres")
        data = folder / "data"
        made = subprocess.run(
            [initdb, "-D", str(data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"],
            capture_output=True,
            text=True,
            cwd=folder,
            **_identity(account),
        )
        if made.returncode:
            raise RuntimeError(f"initdb failed: {made.stderr[-2000:]}")
        port = free_port()
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(port),
            "unix_socket_directories": str(folder),
            "max_connections": "100",
            "shared_buffers": "32MB",
            **({} if fsync else {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}),
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return cls([server, "-D", str(data), *options], folder, account, port)

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def migrate_template(self, upgrade: Callable[[str], None]) -> None:
        """Make the database every `create()` is copied from; `upgrade` is given its URL as the product writes it."""
        self._execute('CREATE DATABASE "lectern_template"')
        with ThreadPoolExecutor(1) as pool:
            pool.submit(upgrade, self.url("lectern_template").replace("postgresql:", "postgresql+asyncpg:")).result()
        self.template = "lectern_template"

    def create(self) -> str:
        """The name of a new database: migrated when there is a template, empty otherwise."""
        self._made += 1
        name = f"test_{self._made}"
        self._execute(f'CREATE DATABASE "{name}"' + (f' TEMPLATE "{self.template}"' if self.template else ""))
        return name

    def create_empty(self) -> str:
        """The name of a new database without any table."""
        self._made += 1
        name = f"empty_{self._made}"
        self._execute(f'CREATE DATABASE "{name}"')
        return name

    def drop(self, name: str) -> None:
        self._execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def _answers(self) -> bool:
        try:
            self._execute("SELECT 1")
        except (OSError, asyncpg.PostgresError):
            return False
        return True

    def _execute(self, statement: str) -> None:
        async def run() -> None:
            connection = await asyncpg.connect(self.url(), timeout=5)
            try:
                await connection.execute(statement)
            finally:
                await connection.close()

        in_thread(run())


class Redis(Service):
    """One Redis without persistence."""

    def __init__(self, command: list[str], folder: Path, account: pwd.struct_passwd | None, port: int) -> None:
        self.url = f"redis://127.0.0.1:{port}/0"
        super().__init__(command, folder, account, port)

    @classmethod
    def start(cls) -> Redis:
        """Start one. Raises ServiceMissing."""
        program = shutil.which("redis-server") or shutil.which("valkey-server")
        if program is None:
            raise ServiceMissing("redis-server is missing: install Redis (Debian: apt-get install redis-server)")
        account = _unprivileged_account()
        folder, port = _folder("lectern-redis-", account), free_port()
        command = [program, "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no"]
        return cls([*command, "--dir", str(folder)], folder, account, port)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False


def die_with_parent() -> None:
    """In a child, before its program: ask Linux for SIGKILL when the test process is gone, however it went."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PARENT_DEATH_SIGNAL, signal.SIGKILL)


def _unprivileged_account() -> pwd.struct_passwd | None:
    """Whom root runs servers as; None when we are not root."""
    if os.geteuid() != 0:
        return None
    for name in UNPRIVILEGED:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise ServiceMissing(f"root needs one of these accounts to run PostgreSQL: {', '.join(UNPRIVILEGED)}")


def _identity(account: pwd.struct_passwd | None) -> dict[str, Any]:
    return {} if account is None else {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def _folder(prefix: str, account: pwd.struct_passwd | None) -> Path:
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    if account is not None:
        os.chown(folder, account.pw_uid, account.pw_gid)
    return folder


def _start(command: list[str], folder: Path, account: pwd.struct_passwd | None) -> subprocess.Popen[bytes]:
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=folder,
            preexec_fn=die_with_parent,
            **_identity(account),
        )


def _wait(answers: Callable[[], bool], process: subprocess.Popen[bytes], folder: Path) -> None:
    """Until the service answers; this is the one place that looks again and again, because a server cannot call us."""
    deadline = time.monotonic() + START_SECONDS
    while not answers():
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            raise RuntimeError(f"{process.args!r} did not start: {(folder / 'log').read_text()[-2000:]}")
        time.sleep(0.02)


def _stop(process: subprocess.Popen[bytes], how: signal.Signals) -> None:
    if process.poll() is None:
        process.send_signal(how)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
