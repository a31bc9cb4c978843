"""The command's side: options become a load, progress is shown, and the report is printed."""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack
from dataclasses import replace

from rich.console import Console
from rich.progress import Progress, TaskID

from server.load_test.load import SCENARIOS, Load
from server.load_test.report import show
from server.load_test.run import WrongLoad, run


def list_scenarios() -> None:
    """A line for each, with its usual size."""
    console = Console(highlight=False, soft_wrap=True)
    for name, (load, words) in SCENARIOS.items():
        console.print(f"[bold]{name:<10}[/bold] {words}  [dim]{load.connections:,} connections, {load.rooms} rooms, "
                      f"{load.rate:g} lines/s, {load.seconds:g} s[/dim]")  # fmt: skip


def load_of(
    scenario: str,
    database: str = "",
    connections: int | None = None,
    rooms: int | None = None,
    rate: float | None = None,
    seconds: float | None = None,
) -> Load:
    """The scenario's usual load with what was asked for instead. Raises SystemExit with one line."""
    if scenario not in SCENARIOS:
        raise WrongLoad(f"--scenario: one of {', '.join(SCENARIOS)}.")
    if database and not database.startswith(("postgres://", "postgresql://", "postgresql+asyncpg://")):
        raise WrongLoad("--database: the address of an empty PostgreSQL database, as in postgresql://host/name")
    usual, _ = SCENARIOS[scenario]
    load = replace(
        usual,
        database_url=database,
        connections=usual.connections if connections is None else connections,
        rate=usual.rate if rate is None else rate,
        seconds=usual.seconds if seconds is None else seconds,
    )
    return replace(load, rooms=max(1, min(usual.rooms, load.connections // 2)) if rooms is None else rooms)


def carry_out(load: Load, *, keep: bool, is_json: bool) -> bool:
    """Run it and print; whether everything acknowledged arrived. Raises SystemExit, also for Ctrl-C (130)."""
    with ExitStack() as shown:
        bars = shown.enter_context(Progress(transient=True, disable=is_json or not sys.stdout.isatty()))
        known: dict[str, TaskID] = {}

        def tell(phase: str, done: float, total: float) -> None:
            if phase not in known:
                known[phase] = bars.add_task(phase.capitalize(), total=total)
            bars.update(known[phase], completed=done)

        try:
            report = run(load, keep=keep, tell=tell)
        except KeyboardInterrupt:
            raise SystemExit(130) from None
    if is_json:
        print(json.dumps(report.as_json(), indent=2))  # noqa: T201
    else:
        show(report, Console())
    return report.is_whole
