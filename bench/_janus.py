"""Janus's VideoRoom as a peer to compare with: Debian's package, one room, one publisher, many subscribers.

Only what the load needs of its HTTP interface: one session, a handle for each connection, events fetched by long poll.
Janus does full ICE, which the synthetic peers of the tests do not: here they name their address before they are
asked, and answer Janus's own checks.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
import subprocess
from pathlib import Path
from typing import Any, Self

import aiohttp
from aioice import stun

from tests.services import die_with_parent
from tests.signaling.media.peers import PublishingPeer, SubscribingPeer
from tests.signaling.media.wire import Described, Wire, until

ROOM = 1234
PATIENCE = 20.0  # seconds
MODULES = ("/usr/lib/x86_64-linux-gnu/janus", "/usr/lib/aarch64-linux-gnu/janus", "/usr/lib/janus")

MAIN = """
general: {{
    configs_folder = "{folder}"
    plugins_folder = "{modules}/plugins"
    transports_folder = "{modules}/transports"
    events_folder = "{folder}"
    loggers_folder = "{folder}"
    debug_level = {level}
    {loops}
}}
nat: {{ ice_enforce_list = "{host}" }}
plugins: {{ disable = "{plugins}" }}
transports: {{ disable = "{transports}" }}
"""
HTTP = 'general: {{ json = "compact", http = true, port = {port}, ip = "127.0.0.1", https = false }}\n'


def is_installed() -> bool:
    """Whether there is anything to compare with."""
    return shutil.which("janus") is not None


class NamedWire(Wire):
    """A wire whose address is known before the other's description, and which answers checks."""

    def __init__(self, host: str, *, checks: bool) -> None:
        super().__init__()
        self.host, self.checks, self.nominated = host, checks, asyncio.Event()

    async def name(self, sdp: str) -> str:
        """The description with the address in it."""
        loop = asyncio.get_running_loop()
        self.transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=(self.host, 0))
        host, port = self.transport.get_extra_info("sockname")
        candidate = f"a=candidate:1 1 udp 2130706431 {host} {port} typ host\r\na=end-of-candidates\r\n"
        return sdp.replace("a=rtcp-mux\r\n", f"a=rtcp-mux\r\n{candidate}")

    def datagram_received(self, data: bytes, addr: Any) -> None:
        """Answer a check as RFC 8445 asks; all else is as ever."""
        if data[0] < 4 and data[:2] == b"\0\1":
            request = stun.parse_message(data)
            answer = stun.Message(stun.Method.BINDING, stun.Class.RESPONSE, transaction_id=request.transaction_id)
            answer.attributes["XOR-MAPPED-ADDRESS"] = addr
            answer.add_message_integrity(self.password.encode())
            assert self.transport is not None
            self.transport.sendto(bytes(answer), addr)
            if "USE-CANDIDATE" in request.attributes:
                self.nominated.set()
            return
        super().datagram_received(data, addr)

    async def connect(self, remote: Described) -> None:
        """Check, or be checked, until a pair is chosen; then DTLS as the client."""
        self.remote = remote
        if self.checks:
            self._checking = asyncio.create_task(self._check_often())
            await until(lambda: self.checks_answered, PATIENCE, what="a check's answer")
        else:
            await asyncio.wait_for(self.nominated.wait(), PATIENCE)
        self.shake()
        await asyncio.wait_for(self.up.wait(), PATIENCE)


class Janus:
    """A running Janus with one room; `async with`. Without `loops` each connection has a thread, Janus's default."""

    def __init__(self, folder: Path, host: str, loops: int = 0, level: int = 3) -> None:
        self._host = host
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        modules = next(Path(place) for place in MODULES if Path(place).is_dir())
        others = {
            kind: ",".join(sorted(f.name for f in (modules / kind).glob("*.so") if wanted not in f.name))
            for kind, wanted in (("plugins", "videoroom"), ("transports", "http"))
        }
        event_loops = f"event_loops = {loops}" if loops else ""
        (folder / "janus.jcfg").write_text(
            MAIN.format(folder=folder, modules=modules, host=host, loops=event_loops, level=level, **others)
        )
        (folder / "janus.transport.http.jcfg").write_text(HTTP.format(port=port))
        (folder / "janus.plugin.videoroom.jcfg").write_text("general: { }\n")
        self.log = folder / "janus.log"
        command = ["janus", "-F", str(folder), "-C", str(folder / "janus.jcfg")]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=die_with_parent,  # noqa: PLW1509  one system call
            )
        self._url = f"http://127.0.0.1:{port}/janus"
        self._waiting: dict[int, asyncio.Queue[dict[str, Any]]] = {}
        self._feed = 0
        self.version = ""

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession()
        deadline = asyncio.get_running_loop().time() + PATIENCE
        while True:
            try:
                made = await self._post("", {"janus": "create"})
                break
            except aiohttp.ClientError:
                if asyncio.get_running_loop().time() > deadline:
                    raise
                await asyncio.sleep(0.1)
        async with self._http.get(f"{self._url}/info") as answer:
            self.version = (await answer.json(content_type=None))["version_string"]
        self._session = f"/{made['data']['id']}"
        self._poll = asyncio.create_task(self._hear())
        codecs = {"videocodec": "vp8", "audiocodec": "opus"}
        room = {"request": "create", "room": ROOM, "publishers": 2, "bitrate": 0, **codecs}
        await self._post(f"{self._session}/{await self._attach()}", {"janus": "message", "body": room})
        return self

    async def __aexit__(self, *error: object) -> None:
        self._poll.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._poll
        await self._http.close()
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(5)

    async def publish(self, peer: PublishingPeer) -> None:
        """Connect a publisher, which chooses the path, as who offers does."""
        handle = await self._attach()
        joined = await self._message(handle, {"request": "join", "ptype": "publisher", "room": ROOM})
        self._feed = joined["plugindata"]["data"]["id"]
        wire = peer.wire = NamedWire(self._host, checks=True)
        offer = await wire.name(peer.offer().replace("a=setup:actpass", "a=setup:active"))
        answer = await self._message(handle, {"request": "publish"}, {"type": "offer", "sdp": offer})
        await wire.connect(Described.read(answer["jsep"]["sdp"]))

    async def subscribe(self, peer: SubscribingPeer) -> None:
        """Connect a subscriber to what was published; Janus offers and chooses."""
        handle = await self._attach()
        wish = {"request": "join", "ptype": "subscriber", "room": ROOM, "streams": [{"feed": self._feed}]}
        offered = await self._message(handle, wish)
        wire = peer.wire = NamedWire(self._host, checks=False)
        described = peer.read_offer(1, offered["jsep"]["sdp"], {})
        answer = await wire.name(peer.answer(described))
        wire.remote = described
        await self._message(handle, {"request": "start"}, {"type": "answer", "sdp": answer})
        await wire.connect(described)

    # --- inside -----------------------------------------------------------------------------------
    async def _attach(self) -> int:
        made = await self._post(self._session, {"janus": "attach", "plugin": "janus.plugin.videoroom"})
        handle = int(made["data"]["id"])
        self._waiting[handle] = asyncio.Queue()
        return handle

    async def _message(self, handle: int, body: dict[str, Any], jsep: dict[str, str] | None = None) -> dict[str, Any]:
        """Send it and wait for the plugin's event."""
        message = {"janus": "message", "body": body, **({"jsep": jsep} if jsep else {})}
        await self._post(f"{self._session}/{handle}", message)
        async with asyncio.timeout(PATIENCE):
            while True:
                event = await self._waiting[handle].get()
                if event.get("janus") == "event":
                    assert "error" not in event["plugindata"]["data"], event
                    return event

    async def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        async with self._http.post(self._url + path, json={**body, "transaction": "t"}) as answer:
            told: dict[str, Any] = await answer.json(content_type=None)
        assert told["janus"] in ("success", "ack"), told
        return told

    async def _hear(self) -> None:
        while True:
            async with self._http.get(f"{self._url}{self._session}", params={"maxev": "10"}) as answer:
                told = await answer.json(content_type=None)
            for event in told if isinstance(told, list) else [told]:
                if queue := self._waiting.get(event.get("sender", 0)):
                    queue.put_nowait(event)
