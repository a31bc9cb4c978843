"""`load-test` on a small scale: what it does, what it refuses, and that its judge finds what is wrong."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from server.accounts.tables import User
from server.db.database import Database
from server.load_test.command import load_of
from server.load_test.ledger import Ledger, Position
from server.load_test.run import run
from server.load_test.world import NotEmpty
from tests.factories import World
from tests.fakes import HeardFacts
from tests.program import ROOT
from tests.services import Postgres

SMALL = ("--connections", "30", "--rooms", "2", "--seconds", "3")


def command(*options: str) -> list[str]:
    return [sys.executable, "-m", "server", "load-test", *options]


def load_test(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*options), cwd=ROOT, capture_output=True, text=True, timeout=120)


def test_a_small_load_arrives_whole_and_is_told_as_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    done = load_test(*SMALL, "--json")
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    assert told["is_whole"]
    assert (told["lost"], told["doubled"], told["disordered"], told["wrong"], told["refused"]) == (0, 0, 0, 0, 0)
    assert told["sent"] == told["acknowledged"] == told["ack_ms"]["count"] == 120
    assert told["delivery_ms"]["count"] == 120 * 15
    assert told["delivery_ms"]["p99"] >= told["delivery_ms"]["p50"] > 0
    assert told["client_cpu"] > 0
    assert list(tmp_path.glob("lectern-load-*")) == []


@pytest.mark.parametrize("scenario", ["reconnect", "restart"])
def test_members_who_were_cut_come_back_to_everything(scenario: str) -> None:
    report = run(load_of(scenario, connections=20, rooms=2, rate=4, seconds=1))
    assert report.is_whole
    assert report.acknowledged == report.sent
    assert report.extra["back_and_synced_after"]["count"] == (22 if scenario == "restart" else 20)


def test_a_postgresql_database_is_left_as_empty_as_it_was(postgres: Postgres, facts: HeardFacts) -> None:
    name = postgres.create()
    url = postgres.url(name).replace("postgresql:", "postgresql+asyncpg:")
    report = run(load_of("chat", url, connections=6, rooms=1, rate=6, seconds=1))
    assert report.is_whole
    assert (report.database, report.acknowledged) == ("PostgreSQL", 6)

    async def people() -> int:
        database = Database.open(url, publisher=facts)
        async with database.read() as read:
            count = int(await read.scalar(select(func.count()).select_from(User)))
        await database.close()
        return count

    assert asyncio.run(people()) == 0
    postgres.drop(name)


def test_a_database_with_people_is_not_touched(postgres: Postgres, facts: HeardFacts) -> None:
    name = postgres.create()
    url = postgres.url(name).replace("postgresql:", "postgresql+asyncpg:")

    async def populated() -> None:
        database = Database.open(url, publisher=facts)
        await World.with_cast(database, "x" * 32)
        await database.close()

    asyncio.run(populated())
    with pytest.raises(NotEmpty, match="empty one of its own"):
        run(load_of("chat", url, connections=6, rooms=1))
    postgres.drop(name)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("--scenario", "stampede"), "--scenario: one of chat, lecture"),
        (("--connections", "0"), "--connections: between 1 and"),
        (("--connections", "2", "--rooms", "3"), "--rooms: at least one"),
        (("--rate", "0"), "--rate: more than 0"),
        (("--database", "mysql://localhost/x"), "--database: the address of an empty PostgreSQL"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_line(options: tuple[str, ...], why: str) -> None:
    done = load_test(*options)
    assert done.returncode == 1
    assert why in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_ctrl_c_stops_its_server_and_removes_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    process = subprocess.Popen(command("--connections", "4", "--rooms", "1", "--seconds", "600"), cwd=ROOT)
    locked = next(until(lambda: list(tmp_path.glob("lectern-load-*/server.lock"))))
    server = int(next(until(locked.read_text)))
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    with pytest.raises(ProcessLookupError):
        os.kill(server, 0)
    assert list(tmp_path.glob("lectern-load-*")) == []


def until(look: Any) -> Any:
    """What `look` finds, once it finds something."""
    deadline = time.monotonic() + 60
    while not (found := look()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return iter(found) if isinstance(found, list) else iter([found])


def lines(*numbers: int) -> list[dict[str, Any]]:
    return [{"seq": number, "client_id": f"line {number}"} for number in numbers]


@pytest.mark.parametrize(
    ("arrived", "found"),
    [
        ((2, 3, 4), (0, 0, 0)),
        ((2, 4), (1, 0, 0)),
        ((2, 3), (1, 0, 0)),
        ((2, 3, 3, 4), (0, 1, 0)),
        ((2, 4, 3), (0, 0, 1)),
    ],
)
def test_the_ledger_finds_what_is_lost_doubled_or_out_of_order(arrived: tuple[int, ...], found: Any) -> None:
    ledger = Ledger()
    position = Position(ledger)
    position.begin("epoch", 1)
    for number in (2, 3, 4):
        ledger.sent[f"line {number}"] = 0.0
        ledger.acknowledge(f"line {number}", number, 1.0)
    position.take(lines(*arrived), 1.0)
    assert (position.lost, position.doubled, position.disordered) == found
    assert ledger.mismatched() == 0


def test_the_ledger_finds_another_line_under_an_acknowledged_number() -> None:
    ledger = Ledger()
    one, other = Position(ledger, seq=1), Position(ledger, seq=1)
    ledger.sent["mine"] = 0.0
    ledger.acknowledge("mine", 2, 1.0)
    one.take(lines(2), 1.0)
    other.take([{"seq": 2, "client_id": "mine"}], 1.0)
    assert (ledger.mismatched(), ledger.wrong) == (1, 1)
