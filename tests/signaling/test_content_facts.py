"""How the processing of an uploaded file is told to whoever uploaded it, and to nobody else."""

from __future__ import annotations

from aiohttp import web

from server.events import ContentFailed, ContentProgressed, ContentReady
from server.http.keys import DATABASE
from signaling.protocol_facts import FACTS
from tests.factories import World
from tests.signaling.conftest import Connect


async def test_every_step_names_its_stage_percent_and_revision(
    app: web.Application, tab: Connect, world: World
) -> None:
    ana, bo = await tab("ana"), await tab("bo")
    who = world.id_of("ana")
    async with app[DATABASE].work() as work:
        work.announce(ContentProgressed(who, 7, 3, "copy", 40, 5))
        work.announce(ContentFailed(who, 7, 3, "damaged", 6))
        work.announce(ContentReady(who, 7, 3, 7))
    await ana.hear("content_ready")
    told = {name: payload for name, payload in ana.told if name.startswith("content_")}
    common = {"content_id": 7, "course_id": 3}
    assert told == {
        "content_processing": {**common, "stage": "copy", "percent": 40, "revision": 5},
        "content_failed": {**common, "stage": "failed", "percent": 0, "code": "damaged", "revision": 6},
        "content_ready": {**common, "stage": "ready", "percent": 100, "revision": 7},
    }
    for name, payload in told.items():
        assert payload.keys() == FACTS[name].payload.model_fields.keys()
    assert not bo.told
