"""Every fault in every situation, on two web processes with PostgreSQL and Redis; and a few of them in each test run.

A situation is what the class does: nothing; everybody talks; or a poll is closed in the middle of the fault while
answers come in. Whatever happens, in the end every acknowledged wish is in the log once, and everybody has the log.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest

from tests.chaos.checker import Wish
from tests.chaos.conftest import OpenStage
from tests.chaos.faults import FAULTS, Fault
from tests.chaos.stage import Stage
from tests.services import Redis

EQUAL_SECONDS = 10.0  # after the fault's end
FAULT_SECONDS, FAULT_SECONDS_IN_PROOF = 3.0, 10.0
PEOPLE = 30
REPORT = "LECTERN_CHAOS_REPORT"  # a path without ending; the table goes to it as .json and .md

Situation = Callable[[Stage, Awaitable[None]], Awaitable[None]]


@dataclass
class Cell:
    """One fault in one situation."""

    fault: str
    situation: str
    acknowledged: int = 0
    resent: int = 0
    lost: int = 0
    doubled: int = 0
    equal_after_seconds: float = 0.0
    wrong: str = ""


async def idle(stage: Stage, fault: Awaitable[None]) -> None:
    """People are there and say nothing; when it is over, each says one thing."""
    await fault
    stage.outcry()


async def chat(stage: Stage, fault: Awaitable[None]) -> None:
    """Everybody talks before, during and after."""
    async with stage.load():
        await stage.talked(0.5)
        stage.outcry()
        await fault
        await stage.talked(0.5)


async def closing_poll(stage: Stage, fault: Awaitable[None]) -> None:
    """Half of the class answers before and half during the fault, in which ana closes the poll."""
    ana = stage.clients["ana"]
    opened = await stage.settled(ana.wish("poll_open", question="Clear?", options=["Yes", "No", "Almost"]))
    assert opened.outcome == "ok", opened

    async def answer(person: str) -> Wish:
        await stage.talked(stage.chance.uniform(0, 1.0))
        return stage.clients[person].wish("poll_answer", poll=opened.seq, choices=[stage.chance.randrange(3)])

    early, late = stage.students[::2], stage.students[1::2]
    await asyncio.gather(*(answer(person) for person in early))
    broken = asyncio.ensure_future(fault)
    answers = [asyncio.create_task(answer(person)) for person in late]
    await stage.talked(0.5)
    closed = ana.wish("poll_close", poll=opened.seq)
    await asyncio.gather(broken, *answers)
    await stage.settled(closed)
    assert closed.outcome == "ok", closed


SITUATIONS: dict[str, Situation] = {"idle": idle, "chat": chat, "closing_poll": closing_poll}


async def one_cell(stage: Stage, cell: Cell, fault: Fault, situation: Situation, seconds: float) -> Cell:
    """Run it and judge everything so far; counts are of this cell alone. What is wrong is noted, not raised."""
    before = await stage.verdict()
    ended = [0.0]

    async def until_whole() -> None:
        await fault(stage, seconds)
        ended[0] = time.monotonic()

    await situation(stage, until_whole())
    try:
        await stage.agreed()
    except AssertionError as error:
        cell.wrong = str(error)
    cell.equal_after_seconds = round(time.monotonic() - ended[0], 2)
    if cell.equal_after_seconds > EQUAL_SECONDS:
        cell.wrong = cell.wrong or f"views equal only after {cell.equal_after_seconds} s"
    verdict = await stage.verdict()
    cell.acknowledged = verdict.acknowledged - before.acknowledged
    cell.resent = verdict.resent - before.resent
    cell.lost, cell.doubled = verdict.lost - before.lost, verdict.doubled - before.doubled
    cell.wrong = "; ".join(filter(None, [cell.wrong, *verdict.complaints]))
    return cell


def shown(cells: list[Cell]) -> str:
    """The table, as Markdown."""
    heads = ("fault", "situation", "acknowledged", "resent", "lost", "doubled", "views equal after", "")
    rows = ["| " + " | ".join(heads) + " |", "|---|---|--:|--:|--:|--:|--:|---|"]
    for cell in cells:
        figures = (cell.acknowledged, cell.resent, cell.lost, cell.doubled, f"{cell.equal_after_seconds:.1f} s")
        rows.append("| " + " | ".join(map(str, (cell.fault, cell.situation, *figures, cell.wrong[:60]))) + " |")
    return "\n".join(rows) + "\n"


def report(cells: list[Cell], stage: Stage, folder: Path) -> None:
    """Print the table and write it beside the run, or where LECTERN_CHAOS_REPORT says."""
    path = Path(os.environ.get(REPORT) or folder / "chaos")
    about = {"seed": stage.seed, "people": len(stage.clients), "processes": len(stage.servers)}
    path.with_suffix(".md").write_text(shown(cells))
    path.with_suffix(".json").write_text(json.dumps({**about, "cells": [asdict(cell) for cell in cells]}, indent=1))
    print(f"\n{shown(cells)}\nwritten to {path}.md and .json")


FEW = [("cut_clients", "chat"), ("silence_clients", "chat"), ("kill_web", "closing_poll"), ("slow_clients", "chat")]


@pytest.mark.timeout(120)
async def test_a_few_faults(on_postgresql: OpenStage, own_redis: Redis, tmp_path: Path) -> None:
    stage: Stage = await on_postgresql(processes=2, redis=own_redis, people=PEOPLE)
    cells = [
        await one_cell(stage, Cell(fault, situation), FAULTS[fault], SITUATIONS[situation], FAULT_SECONDS)
        for fault, situation in FEW
    ]
    report(cells, stage, tmp_path)
    assert [(cell.fault, cell.situation, cell.wrong) for cell in cells if cell.wrong] == []


@pytest.mark.prove
@pytest.mark.timeout(1800)
async def test_every_fault_in_every_situation(on_postgresql: OpenStage, own_redis: Redis, tmp_path: Path) -> None:
    stage: Stage = await on_postgresql(processes=2, redis=own_redis, people=PEOPLE)
    cells = list[Cell]()
    for fault, how in FAULTS.items():
        for situation, what in SITUATIONS.items():
            cells.append(await one_cell(stage, Cell(fault, situation), how, what, FAULT_SECONDS_IN_PROOF))
            report(cells, stage, tmp_path)
    assert [(cell.fault, cell.situation, cell.wrong) for cell in cells if cell.wrong] == []
