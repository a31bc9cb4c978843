"""The network changes under a class: another address, a hole, a cut line; and one student reaches only a relay.

The server is told a public address at which an address translator of the test stands, as in a container or behind a
router; a student whose network lets no UDP through is played by a page whose connections may use the relay alone.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from playwright.async_api import expect

from tests.coturn import coturn
from tests.journeys.browser import Tab, until
from tests.journeys.classroom import Classroom
from tests.journeys.test_stage import SCREEN
from tests.nat import Nat, translated
from tests.program import Program
from tests.signaling.media.wire import a_hello

OUTSIDE = "127.0.0.2"  # the translator; the server's own is 127.0.0.1
SECRET = "a-secret-shared-with-the-relay-0123456789"
RELAYED = """{
  const Plain = RTCPeerConnection;
  window.RTCPeerConnection = class extends Plain {
    constructor(configuration) { super({ ...configuration, iceTransportPolicy: "relay" }); }
  };
}"""
# Of each connection: whom it reaches, by which policy, is it the one marked before, and its name in checks.
WAYS = """async () => {
  const found = {};
  for (const [side, pc] of Object.entries(__lectern.pcs())) {
    if (!pc) continue;
    const stats = await pc.getStats();
    const transport = [...stats.values()].find((one) => one.type === "transport");
    const remote = stats.get(stats.get(transport?.selectedCandidatePairId)?.remoteCandidateId);
    found[side] = {
      theirs: remote && `${remote.address}:${remote.port}`, policy: pc.getConfiguration().iceTransportPolicy,
      isSame: pc === window.__journey.old?.[side], name: /a=ice-ufrag:(.*)/.exec(pc.localDescription?.sdp)?.[1],
    };
  }
  return found;
}"""
CONNECTIONS = {"ana": ("publish", "subscribe"), "bo": ("subscribe",), "cleo": ("subscribe",)}


@pytest.fixture
def relay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with coturn(tmp_path_factory.mktemp("relay"), SECRET, peer=OUTSIDE) as port:
        yield port


@pytest.fixture
def environment(relay: int) -> dict[str, str]:
    urls = f"turn:127.0.0.1:{relay}?transport=tcp"
    return {"PUBLIC_ADDRESS": OUTSIDE, "LECTERN_TURN_URLS": urls, "LECTERN_TURN_SECRET": SECRET}


@pytest.fixture
async def nat(program: Program) -> AsyncIterator[Nat]:
    async with translated((OUTSIDE, program.media_port), ("127.0.0.1", program.media_port)) as between:
        yield between


async def ways(tab: Tab) -> dict[str, dict[str, Any]]:
    """Of both connections, by side."""
    return dict(await tab.page.evaluate(WAYS))


async def names(classroom: Classroom) -> dict[tuple[str, str], str]:
    """Every connection's name in connectivity checks; all are the ones marked before."""
    found = {(person, side): way for person, tab in classroom.tabs.items() for side, way in (await ways(tab)).items()}
    assert sorted(found) == [(person, side) for person, sides in CONNECTIONS.items() for side in sides]
    assert all(way["isSame"] for way in found.values()), found
    return {key: way["name"] for key, way in found.items()}


async def everybody_sees(classroom: Classroom, nat: Nat) -> None:
    """Camera, microphone and screen of ana arrive at both students, by ways of the translator that carry media."""

    async def both_directions() -> bool:
        return sum(way.came_back > 20 for way in nat.ways.values()) >= 3  # ana's sending one, bo's and the relay's

    await until(both_directions, "media comes back to three connections")
    for student in ("bo", "cleo"):
        tab = classroom.tabs[student]
        before = (await classroom.receives(student))["video"][SCREEN]["frames"]

        async def screen(tab: Tab = tab, before: int = before) -> bool:
            return bool((await tab.measure())["video"].get(SCREEN, {"frames": 0})["frames"] > before)

        await until(screen, f"{student} sees the screen move")


async def test_a_class_goes_on_through_other_addresses_a_hole_and_a_cut_line(classroom: Classroom, nat: Nat) -> None:
    await classroom.sign_in("ana", "bo", "cleo")
    await classroom.cleo.page.add_init_script(RELAYED)
    await classroom.cleo.page.reload()
    nat.forged_hello, nat.forgeries = await a_hello(), 2  # the set-ups of ana and bo are disturbed
    live_session = await classroom.go_live()
    await classroom.in_room("ana")
    await classroom.join("bo", "cleo")
    await classroom.ana.click("Share screen")
    await everybody_sees(classroom, nat)
    assert nat.forgeries == 0
    told = f"{OUTSIDE}:{classroom.program.media_port}"
    for person, tab in classroom.tabs.items():
        for way in (await ways(tab)).values():
            assert way["theirs"] == told
            assert way["policy"] == ("relay" if person == "cleo" else "all")

    await classroom.mark()
    before = await names(classroom)
    nat.move()
    await everybody_sees(classroom, nat)
    assert await names(classroom) == before, "nobody had to negotiate"

    nat.is_dark = True

    async def has_restarted() -> bool:
        return bool((await ways(classroom.ana))["publish"]["name"] != before["ana", "publish"])

    await until(has_restarted, "ana's page restarts ICE")
    nat.move()
    nat.is_dark = False
    await everybody_sees(classroom, nat)
    assert await names(classroom) != before, "the same connections under other names"

    await classroom.context.set_offline(True)
    for tab in classroom.tabs.values():
        await expect(tab.page.locator(".room-state")).not_to_have_text("Live")
    nat.move()
    await classroom.context.set_offline(False)
    for person in classroom.tabs:
        await classroom.in_room(person)
    await everybody_sees(classroom, nat)
    timeline = (await (await classroom.api("ana")).get(f"/live-sessions/{live_session}/timeline?limit=200")).json
    stays = [event["type"] for event in timeline if event["type"] in ("participant_joined", "participant_left")]
    assert stays == ["participant_joined"] * 3
    for tab in classroom.tabs.values():
        assert not tab.faults
