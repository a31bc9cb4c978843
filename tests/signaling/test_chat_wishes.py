"""Chat lines over the socket: changed, deleted, reacted to, also long after they left the window."""

from __future__ import annotations

import json
import uuid

from sqlalchemy import update

from server.live_sessions.tables import LiveSession, LiveSessionEvent
from signaling.rooms.state import CHAT_WINDOW
from tests.factories import World
from tests.signaling.conftest import Connect, a_class, stored


async def test_lines_are_edited_and_deleted_and_their_older_text_is_nowhere(tab: Connect, world: World) -> None:
    room, (ana, bo) = await a_class(tab, world, "ana", "bo")
    before = await bo.wish("join", live_session_id=room)
    position = {"epoch": before["epoch"], "seq": before["seq"]}
    base = (await ana.durable("chat_send", live_session_id=room, text="Try!"))["seq"]
    kept = (await bo.durable("chat_send", live_session_id=room, text="a frist try", reply_to=base))["seq"]
    gone = (await bo.durable("chat_send", live_session_id=room, text="a secret word"))["seq"]
    assert (await bo.durable("chat_edit", live_session_id=room, seq=kept, text="a second try"))["ok"]
    assert (await bo.durable("chat_edit", live_session_id=room, seq=kept, text="a third try"))["ok"]
    assert (await bo.durable("chat_edit", live_session_id=room, seq=gone, text="another secret word"))["ok"]
    refused = await ana.durable("chat_edit", live_session_id=room, seq=kept, text="mine now")
    assert (refused["error"]["code"], refused["error"]["status"]) == ("not_allowed", 403)
    assert (await ana.durable("chat_delete", live_session_id=room, seq=gone))["ok"]
    assert (await bo.durable("chat_delete", live_session_id=room, seq=gone))["unchanged"] is True
    assert (await ana.hear_event("chat_deleted"))["payload"] == {"seq": gone}

    log = json.dumps(await stored(world, room))
    for text in ("frist", "second try", "secret"):
        assert text not in log
    fresh = (await ana.wish("join", live_session_id=room))["snapshot"]["chat"]["lines"]
    assert [(line["text"], line["reply_to"], line["deleted"]) for line in fresh] == [
        ("Try!", None, False),
        ("a third try", base, False),
        (None, None, True),
    ]
    caught_up = await bo.wish("join", live_session_id=room, after=position)
    shown = json.dumps(caught_up["events"])
    assert "a third try" in shown and "secret" not in shown and "frist" not in shown
    assert {"deleted": True} in [event["payload"] for event in caught_up["events"]]


async def test_only_a_line_of_this_class_is_replied_to(tab: Connect, world: World) -> None:
    room, (ana, bo) = await a_class(tab, world, "ana", "bo")
    assert (await bo.durable("chat_send", live_session_id=room, text="first"))["ok"]
    hand = (await bo.durable("hand_raise", live_session_id=room))["seq"]
    for seq in (1, hand, hand + 5):
        refused = await ana.durable("chat_send", live_session_id=room, text="to nothing", reply_to=seq)
        assert refused["error"]["errors"] == [{"pointer": "/reply_to", "detail": "is no chat line of this class"}]


async def test_a_line_that_left_the_window_is_replied_to_and_other_old_events_are_not(
    tab: Connect, world: World
) -> None:
    row = await world.live_session(students=["bo"])
    await world.talk(row, ["bo"], CHAT_WINDOW + 20)
    bo = await tab("bo")
    await bo.wish("join", live_session_id=row.id)
    refused = await bo.durable("chat_send", live_session_id=row.id, text="to the start", reply_to=1)
    assert refused["error"]["code"] == "invalid"
    assert (await bo.durable("chat_send", live_session_id=row.id, text="to the first line", reply_to=2))["ok"]
    assert (await bo.hear_event("chat_posted"))["payload"] == {"text": "to the first line", "reply_to": 2}


async def test_reactions_are_everybodys_and_words_are_none(tab: Connect, world: World) -> None:
    room, (ana, bo) = await a_class(tab, world, "ana", "bo")
    line = (await ana.durable("chat_send", live_session_id=room, text="hello"))["seq"]
    reaction = {"live_session_id": room, "seq": line, "emoji": "👍"}
    assert (await bo.durable("chat_react", **reaction, on=True))["ok"]
    assert (await bo.durable("chat_react", **reaction, on=True))["unchanged"] is True
    assert (await ana.hear_event("chat_reacted"))["payload"] == {"seq": line, "emoji": "👍", "on": True}
    for emoji in ("", "yes", "__proto__", "👍 and words", "👍" * 33):
        answer = await bo.durable("chat_react", **{**reaction, "emoji": emoji}, on=True)
        assert answer["error"]["code"] == "invalid"
    fresh = (await ana.wish("join", live_session_id=room))["snapshot"]["chat"]["lines"]
    assert fresh[0]["reactions"] == {"👍": [world.id_of("bo")]}


async def test_a_line_that_left_the_window_is_still_its_authors(tab: Connect, world: World) -> None:
    room = (await world.live_session(students=["bo", "cleo"])).id
    async with world.database.work("a long chat") as work:
        seqs = range(2, CHAT_WINDOW + 10)
        for seq in seqs:
            payload = {"text": f"line {seq}", "reply_to": None}
            given = {"live_session_id": room, "seq": seq, "at": work.now, "type": "chat_posted", "payload": payload}
            work.add(LiveSessionEvent(actor_id=world.id_of("bo"), **given))
        await work.execute(update(LiveSession).where(LiveSession.id == room).values(last_seq=seqs[-1]))
    bo, cleo = await tab("bo"), await tab("cleo")
    for one in (bo, cleo):
        joined = await one.wish("join", live_session_id=room)
        assert joined["snapshot"]["chat"]["lines"][0]["seq"] > 3
    assert (await cleo.durable("chat_edit", live_session_id=room, seq=2, text="x"))["error"]["code"] == "not_allowed"
    assert (await cleo.durable("chat_edit", live_session_id=room, seq=1, text="x"))["error"]["code"] == "line_not_found"
    assert (await bo.durable("chat_edit", live_session_id=room, seq=2, text="better"))["ok"]
    assert (await bo.durable("chat_edit", live_session_id=room, seq=2, text="better"))["unchanged"] is True
    assert (await cleo.durable("chat_react", live_session_id=room, seq=2, emoji="🎉", on=True))["ok"]
    assert (await cleo.durable("chat_react", live_session_id=room, seq=2, emoji="🎉", on=True))["unchanged"] is True
    assert (await bo.durable("chat_delete", live_session_id=room, seq=2))["ok"]
    assert (await bo.durable("chat_edit", live_session_id=room, seq=2, text="x"))["error"]["code"] == "line_deleted"
    assert [e["type"] for e in bo.events if e["type"].startswith("chat")] == [
        "chat_edited",
        "chat_reacted",
        "chat_deleted",
    ]
    assert {"seq": 2, "type": "chat_posted", "deleted": True} in await stored(world, room)


async def test_repeated_edits_are_answered_alike_and_carried_out_once(tab: Connect, world: World) -> None:
    room, (bo,) = await a_class(tab, world, "bo")
    line = (await bo.durable("chat_send", live_session_id=room, text="one"))["seq"]
    wish = {"live_session_id": room, "seq": line, "text": "two", "client_id": str(uuid.uuid4())}
    first = await bo.wish("chat_edit", **wish)
    await bo.durable("chat_edit", live_session_id=room, seq=line, text="three")
    assert await bo.wish("chat_edit", **wish) == first
    [shown] = (await bo.wish("join", live_session_id=room))["snapshot"]["chat"]["lines"]
    assert shown["text"] == "three"
