"""One process stays responsive: turns are short, the collector's portions small, and both are measured."""

from __future__ import annotations

import asyncio
import gc
import resource
import selectors
import socket
import time
import weakref
from collections.abc import Callable
from contextlib import ExitStack
from contextvars import ContextVar, copy_context

import pytest

from server import pace, turns
from server.db.database import Database, Work
from server.metrics import Metrics


def test_ready_sockets_come_in_bounded_portions_and_none_is_passed_over() -> None:
    selector = turns.ShortTurns()
    with ExitStack() as opened:
        opened.callback(selector.close)
        ready = set[int]()
        for _ in range(turns.MOST_EVENTS + 40):
            ours, theirs = (opened.enter_context(end) for end in socket.socketpair())
            selector.register(ours, selectors.EVENT_READ, "data")
            theirs.send(b"x")
            ready.add(ours.fileno())
        seen = set[int]()
        for _ in range(20):
            found = selector.select(0)
            assert len(found) <= turns.MOST_EVENTS
            assert all(events == selectors.EVENT_READ and key.data == "data" for key, events in found)
            seen |= {key.fd for key, _ in found}
        assert seen == ready
        time.sleep(2 * turns.TURN_SECONDS)  # what a long turn is
        assert len(selector.select(0)) <= turns.MOST_EVENTS // 2


def test_the_selector_keeps_the_contract_of_its_base() -> None:
    selector = turns.ShortTurns()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        key = selector.register(ours, selectors.EVENT_WRITE, 1)
        with pytest.raises(KeyError):
            selector.register(ours, selectors.EVENT_READ)
        assert selector.select(0) == [(key, selectors.EVENT_WRITE)]
        changed = selector.modify(ours, selectors.EVENT_READ, 2)
        assert selector.get_key(ours) == changed
        assert selector.select(0) == []
        theirs.close()
        assert selector.select(1) == [(changed, selectors.EVENT_READ)]
        assert selector.unregister(ours) == changed
        with pytest.raises(KeyError):
            selector.get_key(ours)
        with pytest.raises(ValueError, match="closed"):
            selector.register(theirs, selectors.EVENT_READ)
    selector.close()


def test_the_program_runs_with_as_many_descriptors_as_allowed() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 256), hard))
    try:
        assert pace.raise_descriptor_limit() == hard
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_the_collector_keeps_survivors_out_of_later_runs_and_a_full_run_frees_them() -> None:
    class Circle:
        def __init__(self) -> None:
            self.me = self

    def circles() -> int:
        return sum(isinstance(found, Circle) for found in gc.get_objects())

    before = gc.get_threshold()
    collector = pace.Collector()
    collector.start()
    try:
        assert gc.get_freeze_count() > 0
        held = [Circle() for _ in range(100)]
        gc.collect()
        gc.freeze()
        del held
        gc.collect()
        collector.full()
        gc.unfreeze()
        assert circles() == 0
        assert collector.is_full_due(0)
        assert not collector.is_full_due(pace.FULL_BLOCKS)
        assert collector.is_full_due(100 * pace.FULL_BLOCKS)
    finally:
        collector.close()
    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == 0
    collector.close()
    gc.freeze()  # as it was before this test; see conftest.py


async def test_a_full_run_comes_also_while_every_look_finds_something_younger(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "FULL_SECONDS", 0.0)
    monkeypatch.setattr(pace, "FULL_PAUSE_SECONDS", 3_600.0)
    monkeypatch.setattr(gc, "get_count", lambda: (0, 1, 0))
    collector, full = pace.Collector(), list[bool]()
    monkeypatch.setattr(collector, "full", lambda: full.append(True))
    try:
        collector._looked_at = 0.0
        collector._look(0.0)
        assert full
    finally:
        collector.close()
        gc.freeze()  # as it was before this test; see conftest.py


async def test_a_finished_unit_of_work_is_gone_without_the_collector(database: Database) -> None:
    """It held what runs after it, which holds it: one under way while all else is put aside would be kept with that."""

    async def work_of(*, is_broken: bool) -> weakref.ref[Work]:
        try:
            async with database.work() as work:
                work.after_commit(lambda: work.facts.clear())
                work.after_rollback(lambda: work.facts.clear())
                if is_broken:
                    raise LookupError
        except LookupError:
            pass
        return weakref.ref(work)

    gc.disable()
    try:
        assert [(await work_of(is_broken=broken))() for broken in (False, True)] == [None, None]
    finally:
        gc.enable()


@pytest.mark.parametrize("loop_factory", [pace.short_turned_loop, asyncio.SelectorEventLoop])
def test_a_stall_and_a_collection_are_seen_in_the_metrics(
    loop_factory: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    async def stalls() -> None:
        pulse.start()
        gc.collect()
        time.sleep(0.05)  # the stall
        for _ in range(3):
            await asyncio.sleep(turns.LOOK_SECONDS)
        pulse.close()
        pulse.close()

    metrics = Metrics()
    pulse = pace.Pulse(metrics)
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(stalls())
    shown = {s.name: s.value for family in metrics.registry.collect() for s in family.samples}
    assert shown["lectern_loop_delay_longest_seconds"] >= 0.05 - turns.LOOK_SECONDS
    assert shown["lectern_loop_busy_longest_seconds"] < shown["lectern_loop_delay_longest_seconds"]  # it slept
    assert shown["lectern_gc_pause_longest_seconds"] > 0
    assert shown["lectern_gc_pause_seconds_count"] >= 1


def test_a_turn_and_a_late_awakening_are_seen_whole_and_nobody_is_woken_to_look() -> None:
    class Late:
        """Wakes up so much later than it was asked to."""

        def __init__(self) -> None:
            self.by, self.polls = 0.0, 0

        def poll(self, wait: float, most: int) -> list[tuple[int, int]]:
            time.sleep(wait + self.by)
            self.polls += 1
            return []

    def seen() -> float:
        time.sleep(turns.LOOK_SECONDS)
        looks.clear()
        selector.select(0)
        return max(looks)

    selector, epoll, looks = turns.ShortTurns(), Late(), list[float]()
    selector.close()
    selector._epoll = epoll  # type: ignore[assignment]
    selector.watch(looks.append)
    time.sleep(0.05)
    selector.select(0)
    assert looks.pop() >= 0.05
    epoll.by = 0.03
    selector.select(0.005)
    assert seen() >= 0.03
    selector.select(0.1)  # late from the first short sleep on: the loop is told at once
    assert seen() >= 0.03
    epoll.by, epoll.polls = 0.0, 0
    selector.select(0.3)
    assert epoll.polls == 2
    selector.unwatch(looks.append)
    selector.unwatch(looks.append)
    looks.clear()
    selector.select(0.05)
    assert not looks


def test_the_end_of_a_turn_comes_before_the_loop_sleeps_and_a_turn_later_at_the_latest() -> None:
    done: list[str] = []
    failures: list[object] = []

    def end(name: str, *, gives_work: bool = False) -> bool:
        done.append(name)
        return gives_work

    def gives_work() -> bool:
        loop.call_soon(done.append, "given")
        return end("end", gives_work=True)

    async def work() -> None:
        loop.at_end_of_turn(gives_work)
        await asyncio.sleep(0)  # the loop has more to do: this turn goes on in the next
        done.append("more")
        await asyncio.sleep(0)
        loop.at_end_of_turn(lambda: end("then sleep"))
        await asyncio.sleep(0.001)
        loop.set_exception_handler(lambda _, context: failures.append(context["exception"]))
        loop.at_end_of_turn(lambda: end("before it fails") and False)
        loop.at_end_of_turn(lambda: 1 // 0 == 0)
        loop.at_end_of_turn(lambda: end("after it failed"))
        await asyncio.sleep(0.001)

    loop = turns.ShortTurnedLoop()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(work())
    assert done == ["more", "end", "given", "then sleep", "before it fails", "after it failed"]
    assert [type(failure) for failure in failures] == [ZeroDivisionError]


def test_callbacks_of_the_short_turned_loop_run_as_the_standard_loop_runs_them() -> None:
    seen: list[object] = []
    name: ContextVar[str] = ContextVar("name", default="outside")

    async def work() -> None:
        loop = asyncio.get_running_loop()
        inside = copy_context()
        inside.run(name.set, "inside")
        loop.call_soon(lambda: seen.append(name.get()), context=inside)
        loop.call_soon(seen.append, "canceled").cancel()
        name.set("as it was")
        loop.call_soon(lambda: seen.append(name.get()))
        name.set("later")
        await asyncio.sleep(0)
        assert abs(loop.time() - time.monotonic()) < 1
        loop.set_debug(True)
        assert loop.get_debug()
        with pytest.raises(TypeError, match="callable"):
            loop.call_soon("nothing that can be called")  # type: ignore[arg-type]

    loop = turns.ShortTurnedLoop()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(work())
    assert seen == ["inside", "as it was"]
    with pytest.raises(RuntimeError, match="closed"):
        loop.call_soon(seen.append, "too late")
