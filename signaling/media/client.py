"""The web side's connection to one media worker: what it may be asked, and what it tells.

Every await is bounded and raises MediaAway when the worker does not answer. The connection comes back by itself; a
worker that was lost has forgotten every peer, so the listener is told and browsers publish and subscribe again. What
may be sent in each room is kept here and said again to a worker that is new.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from signaling.media.carrier import INTRODUCTION_SECONDS, VERSION, Carrier, Endpoint, is_proof, proof
from signaling.media.errors import MediaAway, MediaError, MediaFull, PeerUnknown, RequestInvalid, SdpInvalid, error_of
from signaling.media.listener import MediaListener
from signaling.media.values import Offer, Track, Wish

ANSWER_SECONDS = 5.0  # a request that takes longer raises MediaAway
REPORT_SECONDS = 1.0  # whoever watches does not wait longer for a worker
PING_SECONDS = 0.5  # between pings
PING_ANSWER_SECONDS = 1.0  # a worker that leaves two pings in a row unanswered for so long counts as lost; two, because
# after a pause of our own the first deadline is found passed while the answer lies unread
RECONNECT_SECONDS = (0.05, 0.1, 0.2, 0.4, 0.8)  # the last repeats
REQUESTS = 2000  # in flight; further ones raise MediaAway at once

log = logging.getLogger(__name__)

__all__ = [
    "MediaAway",
    "MediaClient",
    "MediaError",
    "MediaFull",
    "MediaListener",
    "Offer",
    "PeerUnknown",
    "SdpInvalid",
    "Track",
    "Wish",
]


class MediaClient:
    """One connection to one worker at `unix:/path` or `tcp:host:port`."""

    def __init__(self, address: str, listener: MediaListener, *, secret: str | None = None) -> None:
        self.incarnation = ""
        self.load, self.is_full = 0.0, False  # as it said with its last answer to a ping
        self._endpoint, self._listener, self._secret = Endpoint.parse(address), listener, secret
        self._carrier: Carrier | None = None  # introduced and in use
        self._number = 0
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._permits: dict[int, dict[str, Any]] = {}
        self._task: asyncio.Task[None] | None = None
        self._introduced: asyncio.Future[str] | None = None
        self._lost: asyncio.Event | None = None
        self._ready = asyncio.Event()

    @property
    def connected(self) -> bool:
        """A worker answers."""
        return self._carrier is not None

    async def start(self) -> None:
        """Begin connecting, and go on for as long as it takes; returns at once. `wait_ready` waits."""
        if self._task is None:
            self._task = asyncio.create_task(self._stay_connected(), name="media client")

    async def wait_ready(self, seconds: float = ANSWER_SECONDS) -> bool:
        """Wait until a worker answers; False when none did in time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._ready.wait()
        return self.connected

    async def close(self) -> None:
        """End the connection; may be called twice. The worker ends the peers it opened."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    # --- wishes -----------------------------------------------------------------------------------
    async def publish(self, room: int, peer: str, user: int, sdp: str, tracks: Sequence[Track]) -> str:
        """Answer a publisher's offer. Also for more or fewer tracks on the same connection. Raises SdpInvalid,
        MediaAway, MediaFull.
        """
        named = [{"mid": track.mid, "source": track.source} for track in tracks]
        answer = await self._ask("publish", room=room, peer=peer, user=user, sdp=sdp, tracks=named)
        return str(answer["sdp"])

    async def unpublish(self, room: int, peer: str, user: int, sources: Iterable[str]) -> None:
        """Stop these sources; those it does not have are stopped already. Raises MediaAway."""
        await self._ask("unpublish", room=room, peer=peer, user=user, sources=list(sources))

    async def subscribe(self, room: int, peer: str, user: int) -> Offer:
        """Offer a pool of m-lines. Raises MediaAway, MediaFull."""
        return _offer(await self._ask("subscribe", room=room, peer=peer, user=user))

    async def answer(self, room: int, peer: str, revision: int, sdp: str) -> None:
        """The browser's answer to the offer of that revision. Raises SdpInvalid, PeerUnknown, MediaAway."""
        await self._ask("answer", room=room, peer=peer, revision=revision, sdp=sdp)

    async def restart_publish(self, room: int, peer: str, sdp: str) -> str:
        """ICE restart of the sending connection. Raises SdpInvalid, PeerUnknown, MediaAway."""
        return str((await self._ask("restart_publish", room=room, peer=peer, sdp=sdp))["sdp"])

    async def restart_subscribe(self, room: int, peer: str) -> Offer:
        """ICE restart of the receiving connection: a new offer to answer. Raises PeerUnknown, MediaAway."""
        return _offer(await self._ask("restart_subscribe", room=room, peer=peer))

    async def prefer(self, room: int, peer: str, wishes: Mapping[tuple[int, str], Wish]) -> None:
        """How wide this peer shows these users' sources, and which it does not want for now; pictures only. Raises
        PeerUnknown, MediaAway.
        """
        named = [[user, source, wish.paused, wish.width] for (user, source), wish in wishes.items()]
        await self._ask("prefer", room=room, peer=peer, sources=named)

    def permit(
        self,
        room: int,
        may: Mapping[int, Iterable[str]],
        order: Sequence[int],
        revision: int | None = None,
        epoch: str = "",
        faces: int | None = None,
    ) -> None:
        """Who may send which sources, and the stage's order: the instructor, then those with the floor. Of other people
        than the first at most `faces` cameras are sent to anybody.

        The whole truth each time. `revision` and `epoch` (the timeline's position) let the worker ignore what another
        web process said before it but which arrives after; a revision of None always counts.
        """
        named = [[user, sorted(sources)] for user, sources in may.items()]
        position = {"revision": revision, "epoch": epoch, "faces": faces}
        said = {"do": "permit", "room": room, "may": named, "order": list(order), **position}
        self._permits[room] = said
        self._say(said)

    def close_peer(self, room: int, peer: str, reason: str) -> None:
        """End both connections of a peer; `closed` is told for each before the browser can notice."""
        self._say({"do": "close_peer", "room": room, "peer": peer, "reason": reason})

    def close_room(self, room: int) -> None:
        """End everything in the room and forget its permissions."""
        self._permits.pop(room, None)
        self._say({"do": "close_room", "room": room})

    def forget(self, room: int) -> None:
        """The room is on another worker: what was permitted here is not said to a successor of this one."""
        self._permits.pop(room, None)

    async def stats(self) -> dict[str, Any]:
        """Numbers of rooms and peers and the forwarding counters. Raises MediaAway."""
        return await self._ask("stats")

    async def report(self) -> dict[str, Any]:
        """Its load, its largest rooms and their sources, for whoever watches. Raises MediaAway."""
        return await self._ask_within(REPORT_SECONDS, "report", {})

    async def test_loss(self, incoming: float, outgoing: float) -> None:
        """Tests only: have this share of media datagrams lost. Raises RequestInvalid unless the worker was started for
        it.
        """
        await self._ask("test_loss", incoming=incoming, outgoing=outgoing)

    async def test_narrow(self, room: int, peer: str, bits_per_second: float | None) -> None:
        """Tests only: give this subscriber a link that carries so much, with a queue of half a second; None: as it was.
        Raises PeerUnknown, and RequestInvalid as above.
        """
        await self._ask("test_narrow", room=room, peer=peer, bits_per_second=bits_per_second)

    async def test_sound(self, room: int, peer: str) -> dict[str, int]:
        """Tests only: packets of sound that `came` for this subscriber, and those its narrow link has `taken` and
        `lost`. Raises as above.
        """
        return await self._ask("test_sound", room=room, peer=peer)

    # --- the connection ---------------------------------------------------------------------------
    def _say(self, message: Mapping[str, Any]) -> None:
        if self._carrier is not None:
            self._carrier.send(message)

    async def _ask(self, wish: str, **fields: Any) -> dict[str, Any]:
        return await self._ask_within(ANSWER_SECONDS, wish, fields)

    async def _ask_within(self, seconds: float, wish: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        if self._carrier is None or len(self._waiting) >= REQUESTS:
            raise MediaAway()
        self._number += 1
        number = self._number
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            try:
                if not self._carrier.send({"n": number, "do": wish, **fields}):
                    raise MediaAway()
            except ValueError as error:
                raise RequestInvalid(str(error)) from error
            async with asyncio.timeout(seconds):
                return await answer
        except TimeoutError as error:
            raise MediaAway() from error
        finally:
            self._waiting.pop(number, None)

    async def _stay_connected(self) -> None:
        tries = 0
        try:
            while True:
                carrier = Carrier(self._received, self._gone)
                self._lost = asyncio.Event()
                self._introduced = asyncio.get_running_loop().create_future()
                try:
                    # Not wait_for: on 3.11 it loses a cancellation that meets the awaited thing's own end.
                    async with asyncio.timeout(INTRODUCTION_SECONDS):
                        await self._endpoint.connect(carrier)
                        self.incarnation = await self._introduced
                    tries = 0
                    await self._serve(carrier)
                except (OSError, TimeoutError, MediaAway) as error:
                    log.debug("no media worker: %s", error)
                finally:
                    carrier.cut()
                    self._end_use()
                await asyncio.sleep(RECONNECT_SECONDS[min(tries, len(RECONNECT_SECONDS) - 1)])
                tries += 1
        finally:
            self._end_use()

    async def _serve(self, carrier: Carrier) -> None:
        """Introduced: in use until it is lost, by its end or by silence."""
        assert self._lost is not None
        self._carrier = carrier
        self.load, self.is_full = 0.0, False
        for said in self._permits.values():
            carrier.send(said)
        self._ready.set()
        self._listener.worker_ready(self.incarnation)
        while not self._lost.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PING_SECONDS):
                    await self._lost.wait()
                return
            try:
                said = await self._ask_within(PING_ANSWER_SECONDS, "ping", {})
            except MediaAway:
                said = await self._ask_within(PING_ANSWER_SECONDS, "ping", {})
            self.load, self.is_full = float(said.get("load", 0.0)), bool(said.get("is_full"))

    def _end_use(self) -> None:
        was_used, self._carrier = self._carrier is not None, None
        self._ready.clear()
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(MediaAway())
        if was_used:
            self._listener.worker_lost()

    def _received(self, carrier: Carrier, message: dict[str, Any]) -> None:
        try:
            if "hello" in message or "welcome" in message:
                self._introduce(carrier, message)
            elif "tell" in message:
                self._tell(message)
            elif (answer := self._waiting.get(int(message["n"]))) is not None and not answer.done():
                if "error" in message:
                    answer.set_exception(error_of(str(message["error"]["code"]), str(message["error"]["detail"])))
                else:
                    answer.set_result(message["ok"])
        except Exception:
            log.exception("what the media worker said was not handled")

    def _introduce(self, carrier: Carrier, message: dict[str, Any]) -> None:
        assert self._introduced is not None
        if self._introduced.done():
            return
        if hello := message.get("hello"):
            if hello.get("version") != VERSION:
                self._introduced.set_exception(MediaAway("The media worker is of another version."))
                return
            self._challenge = secrets.token_hex(16)
            said: dict[str, Any] = {"challenge": self._challenge}
            if self._secret is not None:
                said["proof"] = proof(self._secret, "web", str(hello.get("challenge")))
            carrier.send({"hello": said})
        elif welcome := message.get("welcome"):
            if self._secret is not None and not is_proof(welcome.get("proof"), self._secret, "worker", self._challenge):
                self._introduced.set_exception(MediaAway("The media worker does not know the secret."))
                return
            self._introduced.set_result(str(welcome["incarnation"]))

    def _tell(self, message: dict[str, Any]) -> None:
        what, room, peer, listener = message["tell"], message["room"], message["peer"], self._listener
        if what == "bindings":
            listener.bindings(room, peer, message["revision"], message["bindings"])
        elif what == "offer":
            listener.offer(room, peer, message["revision"], message["sdp"], message["bindings"])
        elif what == "flowing":
            listener.flowing(room, message["user"], message["source"], message["on"])
        elif what == "closed":
            listener.closed(room, peer, message["side"], message["reason"])

    def _gone(self, carrier: Carrier) -> None:
        if self._lost is not None:
            self._lost.set()
        if self._introduced is not None and not self._introduced.done():
            self._introduced.set_exception(ConnectionError("the media worker ended the connection"))


def _offer(answer: Mapping[str, Any]) -> Offer:
    return Offer(int(answer["revision"]), str(answer["sdp"]), dict(answer["bindings"]))
