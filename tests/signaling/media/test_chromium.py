"""The worker against a real browser: what aiortc's private parts and our descriptions must keep doing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path

import pytest

from signaling.media.client import MediaClient, Wish
from signaling.media.publisher import RATE_CAP
from signaling.turn import ice_servers
from tests.coturn import coturn
from tests.signaling.media.conftest import Told, Worker, other_address, start_worker
from tests.signaling.media.lab import Lab, open_lab

pytestmark = pytest.mark.browser

ROOM, ANA, BO, CLEO = 5, 1, 2, 3
ALL = {"microphone", "camera"}
WIDE, NARROW = 640, 320  # the widths of Ana's and Bo's pictures tell whose is shown


@pytest.fixture
async def elsewhere(tmp_path: Path) -> AsyncIterator[tuple[MediaClient, Worker]]:
    """A worker that is reached by IPv6 alone, where this machine has it."""
    worker = start_worker(f"unix:{tmp_path}/media.sock", "--udp-host", other_address())
    client = MediaClient(worker.control, Told())
    await client.start()
    assert await client.wait_ready()
    yield client, worker
    await client.close()
    assert worker.stop() == 0


async def test_two_publishers_are_seen_and_heard_re_bound_and_survive_ice_restarts(
    elsewhere: tuple[MediaClient, Worker],
) -> None:
    client, worker = elsewhere
    client.permit(ROOM, {ANA: ALL, BO: ALL}, [ANA, BO])
    async with open_lab(client, ROOM) as lab:
        await lab.publish("ana", ANA, WIDE, 360)
        await lab.publish("bo", BO, NARROW, 240)
        await lab.subscribe("cleo", CLEO)
        await lab.wait_for_frames("cleo", "1", 10, width=WIDE)
        await lab.wait_for_frames("cleo", "5", 10, width=NARROW)
        await heard(lab, "cleo", "0", "4")
        for name in ("ana", "bo", "cleo"):
            measured = await lab.measure(name)
            assert (measured["remoteAddress"], measured["remotePort"]) == (other_address(), worker.udp_port)
            assert measured["cipher"] == "SRTP_AEAD_AES_256_GCM"
            assert measured["state"] == "connected"

        swapped = await lab.time()
        client.permit(ROOM, {ANA: ALL, BO: ALL}, [BO, ANA])
        first = await lab.wait_for_frames("cleo", "1", 5, width=NARROW, since=swapped)
        assert first - swapped < 1.0
        await lab.wait_for_frames("cleo", "5", 5, width=WIDE, since=swapped)

        ports = {name: (await lab.measure(name))["localPort"] for name in ("bo", "cleo")}
        restarted = await lab.time()
        await lab.restart("cleo")
        await lab.restart("bo")
        await lab.page.wait_for_timeout(500)
        await lab.wait_for_frames("cleo", "1", 30, width=NARROW, since=restarted)
        for name, port in ports.items():
            assert (await lab.measure(name))["localPort"] != port
        assert longest_gap(await lab.frames("cleo", "1"), restarted) < 1.0
        await heard(lab, "cleo", "0", "4")


RELAYED = """servers => {
  const Plain = RTCPeerConnection;
  window.RTCPeerConnection = class extends Plain {
    constructor() { super({ iceServers: servers, iceTransportPolicy: "relay" }); }
  };
}"""


async def test_a_browser_that_reaches_only_a_relay_sends_and_sees(
    web: tuple[MediaClient, Told], tmp_path: Path
) -> None:
    """By UDP; a journey has one that goes to its relay by TCP."""
    client, _ = web
    client.permit(ROOM, {ANA: ALL}, [ANA])
    with coturn(tmp_path, "relayed") as port:
        servers = ice_servers([f"turn:127.0.0.1:{port}?transport=udp"], "relayed", ANA, time.time())
        async with open_lab(client, ROOM) as lab:
            await lab.page.evaluate(RELAYED, servers)
            await lab.publish("ana", ANA, WIDE, 360)
            await lab.subscribe("cleo", CLEO)
            await lab.wait_for_frames("cleo", "1", 10, width=WIDE)
            for name in ("ana", "cleo"):
                assert (await lab.measure(name))["localType"] == "relay"


async def test_one_percent_loss_both_ways_costs_no_second_of_picture(web: tuple[MediaClient, Told]) -> None:
    client, _ = web
    client.permit(ROOM, {ANA: ALL}, [ANA])
    async with open_lab(client, ROOM) as lab:
        await lab.publish("ana", ANA, WIDE, 360)
        await lab.subscribe("cleo", CLEO)
        await lab.wait_for_frames("cleo", "1", 10, width=WIDE)
        before = await lab.measure("cleo")
        sent = await lab.measure("ana")
        await client.test_loss(0.01, 0.01)
        await lab.page.wait_for_timeout(8_000)
        after, sent_after = await lab.measure("cleo"), await lab.measure("ana")
        await client.test_loss(0, 0)

        seconds = after["at"] - before["at"]
        made = video_out(sent_after) - video_out(sent)
        grown = {key: after["in"]["1"][key] - before["in"]["1"][key] for key in ("framesDecoded", "framesDropped")}
        # On a busy machine the browser gives frames up by itself; those arrived all the same.
        assert sum(grown.values()) >= 0.95 * made - 2, (grown, made, seconds)
        assert longest_gap(await lab.frames("cleo", "1"), before["at"]) < 1.0
        concealed = after["in"]["0"]["concealedSamples"] - before["in"]["0"]["concealedSamples"]
        total = after["in"]["0"]["totalSamplesReceived"] - before["in"]["0"]["totalSamplesReceived"]
        assert concealed / total < 0.02
        assert (await client.stats())["counters"]["test_lost"] > 0


async def test_a_camera_on_a_clean_link_reaches_its_cap_in_ten_seconds(web: tuple[MediaClient, Told]) -> None:
    client, _ = web
    client.permit(ROOM, {ANA: ALL}, [ANA])
    cap = RATE_CAP["camera"]
    async with open_lab(client, ROOM) as lab:
        await lab.publish_noise("ana", ANA, cap)
        rates, before = [], await lab.measure("ana")
        for _ in range(10):
            await lab.page.wait_for_timeout(1_000)
            after = await lab.measure("ana")
            rates.append((bytes_out(after) - bytes_out(before)) * 8 / (after["at"] - before["at"]))
            before = after
        assert max(rates) >= 0.9 * cap, (
            [round(rate / cap, 2) for rate in rates],
            video_of(after)["qualityLimitationReason"],
        )
        assert rates[-1] <= 1.3 * cap


async def test_a_tile_that_shrinks_and_grows_gets_another_layer_without_a_freeze(web: tuple[MediaClient, Told]) -> None:
    client, _ = web
    client.permit(ROOM, {ANA: ALL}, [ANA])
    async with open_lab(client, ROOM) as lab:
        await lab.publish_layers("ana", ANA)
        await lab.subscribe("cleo", CLEO)
        await lab.wait_for_frames("cleo", "1", 20, width=WIDE)
        began = await lab.time()
        before = (await client.stats())["counters"]
        for tile, width in ((300, NARROW), (600, WIDE), (200, NARROW), (1200, WIDE)):
            asked = await lab.time()
            await client.prefer(ROOM, "cleo", {(ANA, "camera"): Wish(width=tile)})
            first = await lab.wait_for_frames("cleo", "1", 20, width=width, since=asked)
            assert first - asked < 1.5
        frames = [frame for frame in await lab.frames("cleo", "1") if frame["at"] >= began - 0.5]
        cuts = [(a, b) for a, b in pairwise(frames) if a["width"] != b["width"]]
        assert len(cuts) == 4
        # A machine with more to do delays any frame; those at a cut are not later than the others.
        assert all(b["at"] - a["at"] < 0.5 for a, b in cuts), cuts
        assert all(0 < (b["timestamp"] - a["timestamp"]) % 2**32 < 90_000 for a, b in pairwise(frames))
        assert (await client.stats())["counters"]["keyframes_asked"] - before["keyframes_asked"] <= 8
        layers = (await lab.measure("ana"))["out"]
        assert {"1/l", "1/h"} <= layers.keys()
        assert layers["1/l"]["frameWidth"] == NARROW


async def test_on_a_link_of_300_kbit_sound_stays_whole_and_the_picture_comes_back_when_there_is_room(
    web: tuple[MediaClient, Told],
) -> None:
    client, _ = web
    client.permit(ROOM, {ANA: ALL}, [ANA])
    async with open_lab(client, ROOM) as lab:
        await lab.publish_layers("ana", ANA, is_noisy=True)
        await lab.subscribe("cleo", CLEO)
        await lab.wait_for_frames("cleo", "1", 60, width=WIDE)
        await client.test_narrow(ROOM, "cleo", 300_000)
        await lab.page.wait_for_timeout(2_000)  # the link's own queue, half a second, fills and empties
        before, squeezed = (await lab.measure("cleo"))["in"]["0"], await lab.time()
        link_before = await client.test_sound(ROOM, "cleo")
        await lab.page.wait_for_timeout(6_000)
        link_after = await client.test_sound(ROOM, "cleo")
        after, released = (await lab.measure("cleo"))["in"]["0"], await lab.time()
        wide = [f for f in await lab.frames("cleo", "1") if f["at"] > squeezed + 1 and f["width"] == WIDE]
        assert not wide, "the picture is a smaller one, or none"
        grown = {key: after[key] - before[key] for key in ("concealedSamples", "totalSamplesReceived")}
        assert grown["concealedSamples"] < 0.05 * grown["totalSamplesReceived"], grown
        # Counted at the link: what a browser has received lags behind what another has sent by all that is under way.
        link = {key: link_after[key] - link_before[key] for key in link_after}
        assert link["came"] > 150, link
        assert link["taken"] >= link["came"], link  # more, when a browser asks again
        assert link["lost"] < 0.05 * link["taken"], link

        await client.test_narrow(ROOM, "cleo", None)
        back = await lab.wait_for_frames("cleo", "1", 1, width=WIDE, since=released)
        assert back - released < 5.0


async def heard(lab: Lab, name: str, *mids: str) -> None:
    """Sound arrives on these m-lines."""
    before = (await lab.measure(name))["in"]
    deadline = asyncio.get_running_loop().time() + 10
    while True:
        await lab.page.wait_for_timeout(200)
        after = (await lab.measure(name))["in"]
        if all(after[mid]["totalAudioEnergy"] > before[mid]["totalAudioEnergy"] for mid in mids):
            return
        assert asyncio.get_running_loop().time() < deadline, after


def video_of(measured: dict) -> dict:
    return next(dict(out) for out in measured["out"].values() if out["kind"] == "video")


def video_out(measured: dict) -> int:
    return int(video_of(measured)["framesSent"])


def bytes_out(measured: dict) -> int:
    """With its headers, as the cap counts."""
    video = video_of(measured)
    return int(video["bytesSent"] + video["headerBytesSent"])


def longest_gap(frames: list[dict], since: float) -> float:
    """Seconds between neighboring frames."""
    times = [frame["at"] for frame in frames if frame["at"] >= since]
    return max((b - a for a, b in pairwise(times)), default=float("inf"))
