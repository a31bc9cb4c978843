"""`kill -9` in the middle of a class, and an immediate start: everybody is back by themselves, and nothing is lost."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Any

import pytest

from tests.journeys.browser import until
from tests.journeys.classroom import NAMES, Classroom
from tests.program import Program

BACK_SECONDS = 10.0
MEDIA_BACK_SECONDS = {"kill_media": 5.0, "stall_media": 8.0}  # sound and picture, when only their worker is lost
CONTINUED_SECONDS = 10.0  # attendance may be this much short
ROUNDS_IN_PROOF = 5


async def kill_web(program: Program) -> None:
    """The web process alone; its media worker notices and ends."""
    await program.kill()
    await program.start()


async def kill_media(program: Program) -> None:
    """The media worker alone; the web process starts another."""
    await program.kill_media()


async def stall_media(program: Program) -> None:
    """The media worker stands still; the web process ends it and starts another."""
    await program.stall_media()


async def kill_both(program: Program) -> None:
    """Both at once."""
    await program.kill_both()
    await program.start()


KILLS: list[Callable[[Program], Coroutine[Any, Any, None]]] = [kill_web, kill_media, kill_both, stall_media]


async def in_class(classroom: Classroom) -> int:
    """A class in which bo speaks and cleo's hand is up."""
    await classroom.sign_in("ana", "bo", "cleo")
    live_session = await classroom.go_live()
    await classroom.in_room("ana")
    await classroom.join("bo", "cleo")
    await classroom.give_floor("bo")
    await classroom.cleo.click("Raise hand")
    await classroom.cleo.sees_role("button", "Lower hand")
    await classroom.receives("cleo", pictures=2)
    return live_session


async def what_is_so(classroom: Classroom, live_session: int) -> dict[str, Any]:
    """Lines, hands and floor, as the pages show them; the timeline behind them, as the server keeps it."""
    shown: dict[str, Any] = {}
    for person, tab in classroom.tabs.items():
        await tab.click("Hands", role="tab")
        shown[f"floor of {person}"] = await tab.page.get_by_role("region", name="On the floor").all_inner_texts()
        shown[f"hands of {person}"] = await tab.page.get_by_role("region", name="Waiting to speak").all_inner_texts()
        await tab.click("Chat", role="tab")
        shown[f"chat of {person}"] = await tab.chat()
    api = await classroom.api("ana")
    shown["timeline"] = [
        (event["type"], event["payload"].get("user_id"))
        for event in (await api.get(f"/live-sessions/{live_session}/timeline?limit=200")).json
        if event["type"] in ("participant_joined", "participant_left")
    ]
    return shown


async def attendance_is_whole(classroom: Classroom, live_session: int) -> None:
    """One stay a person, from their coming until now."""
    api = await classroom.api("ana")
    about = (await api.get(f"/live-sessions/{live_session}")).json
    rows = (await api.get(f"/live-sessions/{live_session}/attendance")).json
    since_start = (datetime.now().astimezone() - datetime.fromisoformat(about["started_at"])).total_seconds()
    for row in rows:
        if row["user"]["name"] not in NAMES.values():
            continue
        assert row["total_seconds"] <= since_start + 1, row
        came = datetime.fromisoformat(row["intervals"][0]["joined_at"])
        stayed = (datetime.now().astimezone() - came).total_seconds()
        assert row["total_seconds"] >= stayed - CONTINUED_SECONDS, (row, stayed)
        assert stayed - 60 < since_start, row


async def survive(
    classroom: Classroom, live_session: int, kill: Callable[[Program], Coroutine[Any, Any, None]], name: str
) -> dict[str, float]:
    """One kill during speech and chat, and all that must be so afterwards; everybody's seconds until they were back."""
    before = await what_is_so(classroom, live_session)
    await classroom.mark()
    for person, tab in classroom.tabs.items():  # lines are on their way while it happens
        await tab.says(f"{person} before {name}")
    begun = time.monotonic()
    restart = asyncio.create_task(kill(classroom.program))
    await classroom.cleo.says(f"cleo during {name}")
    await restart
    took = await classroom.back(begun, pictures=1)
    await classroom.receives("cleo", pictures=2)
    expected = {f"ana before {name}", f"bo before {name}", f"cleo before {name}", f"cleo during {name}"}

    async def all_lines() -> bool:
        chats = [await tab.chat() for tab in classroom.tabs.values()]
        return all(expected <= set(chat) and chat == chats[0] for chat in chats)

    await until(all_lines, f"everybody reads the same lines after {name}")
    after = await what_is_so(classroom, live_session)
    for what in before:
        if what.startswith("chat"):
            assert after[what][: len(before[what])] == before[what], what
            assert len(after[what]) == len(set(after[what])), f"a line is there twice: {after[what]}"
        else:
            assert after[what] == before[what], what
    return took


@pytest.mark.timeout(240)
async def test_a_class_survives_the_kill_of_either_process_and_of_both(classroom: Classroom) -> None:
    live_session = await in_class(classroom)
    for kill in KILLS:
        took = await survive(classroom, live_session, kill, kill.__name__)
        print(kill.__name__, {person: round(seconds, 2) for person, seconds in took.items()})
        assert max(took.values()) <= MEDIA_BACK_SECONDS.get(kill.__name__, BACK_SECONDS), (kill.__name__, took)
    await attendance_is_whole(classroom, live_session)


@pytest.mark.prove
@pytest.mark.timeout(1500)
async def test_a_class_survives_many_kills(classroom: Classroom) -> None:
    live_session = await in_class(classroom)
    worst: dict[str, float] = {}
    for round_ in range(ROUNDS_IN_PROOF):
        for kill in KILLS:
            took = await survive(classroom, live_session, kill, f"{kill.__name__} {round_}")
            worst[kill.__name__] = max(worst.get(kill.__name__, 0.0), *took.values())
    print({name: round(seconds, 2) for name, seconds in worst.items()})
    assert max(worst.values()) <= BACK_SECONDS, worst
    await attendance_is_whole(classroom, live_session)
