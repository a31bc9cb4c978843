"""One timer for many: who is late is ended, who is ended by somebody else is not called late."""

from __future__ import annotations

import asyncio

import pytest

from signaling.transport.deadlines import Deadline


async def test_whoever_is_late_is_ended_and_the_others_go_on() -> None:
    deadline = Deadline(0.05)
    go_on = asyncio.Event()

    async def hangs() -> str:
        await asyncio.Event().wait()
        return "never"

    async def waits() -> str:
        await go_on.wait()
        return "done"

    late = [asyncio.create_task(deadline.within(hangs())) for _ in range(3)]
    done, _ = await asyncio.wait(late)
    assert [type(task.exception()) for task in done] == [TimeoutError] * 3
    other = asyncio.create_task(deadline.within(waits()))
    await asyncio.sleep(0)
    go_on.set()
    assert await other == "done"


async def test_canceled_by_somebody_else_it_is_canceled() -> None:
    deadline = Deadline(60)
    task = asyncio.create_task(deadline.within(asyncio.sleep(60)))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_what_it_runs_may_end_late_in_its_own_way() -> None:
    deadline = Deadline(0.05)

    async def cleans_up() -> str:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            raise ValueError("while cleaning up") from None
        return "never"

    with pytest.raises(ValueError, match="cleaning"):
        await deadline.within(cleans_up())
    assert await deadline.within(asyncio.sleep(0, "again")) == "again"


async def test_whatever_it_makes_of_being_late_its_task_is_canceled_no_more() -> None:
    deadline = Deadline(0.05)
    task = asyncio.current_task()
    assert task is not None

    async def ends(error: Exception | None) -> str:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            if error is not None:
                raise error from None
        return "all the same"

    assert await deadline.within(ends(None)) == "all the same"
    with pytest.raises(ValueError, match="in its own way"):
        await deadline.within(ends(ValueError("in its own way")))
    with pytest.raises(TimeoutError):
        await deadline.within(asyncio.sleep(60))
    assert task.cancelling() == 0
