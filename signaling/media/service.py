"""The worker's end of the carrier: each web process's wishes turned into calls on rooms, and what happens told back.

Peers belong to the web process that opened them: when its connection ends they end, and other processes' peers live on.
A room belongs to whoever named it and is forgotten with the last of them. A process that stands still while another one
lives is not waited for longer than its lease lasts: the others speak for its people from then on.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from signaling.media import sdp
from signaling.media.carrier import INTRODUCTION_SECONDS, VERSION, Carrier, is_proof, proof
from signaling.media.errors import MediaError, MediaFull, PeerUnknown, RequestInvalid
from signaling.media.link import Host
from signaling.media.narrow import Narrow
from signaling.media.pulse import Pulse
from signaling.media.report import report
from signaling.media.room import Room
from signaling.media.subscriber import Subscriber
from signaling.media.values import Offer, Track, Wish

CARRIERS = 64  # web processes; further connections are cut
ROOMS = 1000
TRACKS = 8  # an offer may name
# A web process pings twice a second. Its lease may have run out so long after its last word, and then its peers end, if
# another one lives to take its people over; after a minute it is gone, as when its machine is.
SILENT_SECONDS, GONE_SECONDS = 10.0, 60.0
LIVELY_SECONDS = 3.0

log = logging.getLogger(__name__)


class WebSide:
    """One web process's connection: first introduced, then served."""

    def __init__(self, carrier: Carrier) -> None:
        self.carrier = carrier
        self.challenge = secrets.token_hex(16)
        self.is_known = False
        self.heard_at = time.monotonic()
        self.peers: set[tuple[int, str]] = set()
        self.rooms: set[int] = set()
        self.deadline: asyncio.TimerHandle | None = None


class Service:
    """All rooms of the worker and all web processes it serves."""

    def __init__(self, host: Host, incarnation: str, *, secret: str | None, allow_test_loss: bool = False) -> None:
        self.host, self.incarnation, self.secret = host, incarnation, secret
        self.allow_test_loss = allow_test_loss
        self.rooms: dict[int, Room] = {}
        self.pulse = host.mux.pulse = Pulse(self._stood_still)
        self._sides: dict[Carrier, WebSide] = {}
        self._owners: dict[tuple[int, str], WebSide] = {}
        self._wishes: dict[str, Callable[[WebSide, dict[str, Any]], Any]] = {
            "publish": self._publish,
            "unpublish": self._unpublish,
            "subscribe": self._subscribe,
            "answer": self._answer,
            "restart_publish": self._restart_publish,
            "restart_subscribe": self._restart_subscribe,
            "prefer": self._prefer,
            "permit": self._permit,
            "close_peer": self._close_peer,
            "close_room": self._close_room,
            "ping": self._ping,
            "stats": self._stats,
            "report": self._report,
            "test_loss": self._test_loss,
            "test_narrow": self._test_narrow,
            "test_sound": self._test_sound,
        }

    def carrier(self) -> Carrier:
        """A new connection's protocol, for the listening socket."""
        carrier = Carrier(self._received, self._lost)
        carrier.connected = self._connected
        return carrier

    def close(self, reason: str) -> None:
        """End every room, telling the web processes first."""
        for room in list(self.rooms.values()):
            room.close(reason)
        self.rooms.clear()

    def look(self, now: float) -> None:
        """Once in a while: whoever has been silent for too long."""
        is_any_lively = any(side.is_known and now - side.heard_at < LIVELY_SECONDS for side in self._sides.values())
        for side in list(self._sides.values()):
            silent = now - side.heard_at
            if silent > GONE_SECONDS:
                log.warning("a web process has said nothing for a minute; cutting it")
                side.carrier.cut()
            elif silent > SILENT_SECONDS and is_any_lively:
                for room_id, peer in list(side.peers):
                    if room := self.rooms.get(room_id):
                        room.close_peer(peer, "silent")

    def _stood_still(self) -> None:
        """Every connection ends; who still takes us for alive is told, and what was permitted holds for their next."""
        log.warning("stood still; ending every connection")
        for room in list(self.rooms.values()):
            room.close("stood_still")

    # --- the connection ---------------------------------------------------------------------------
    def _connected(self, carrier: Carrier) -> None:
        if len(self._sides) >= CARRIERS:
            carrier.cut()
            return
        side = self._sides[carrier] = WebSide(carrier)
        side.deadline = asyncio.get_running_loop().call_later(INTRODUCTION_SECONDS, self._not_introduced, side)
        carrier.send({"hello": {"version": VERSION, "incarnation": self.incarnation, "challenge": side.challenge}})

    def _not_introduced(self, side: WebSide) -> None:
        if not side.is_known:
            side.carrier.cut()

    def _received(self, carrier: Carrier, message: dict[str, Any]) -> None:
        self.pulse.feel()
        side = self._sides.get(carrier)
        if side is None:
            return
        side.heard_at = time.monotonic()
        if not side.is_known:
            self._introduce(side, message)
            return
        number = message.get("n")
        try:
            wish = self._wishes.get(str(message.get("do")))
            if wish is None:
                raise RequestInvalid()
            answer = {"n": number, "ok": wish(side, message) or {}}
        except MediaError as error:
            answer = {"n": number, "error": {"code": error.code, "detail": error.detail}}
        except (KeyError, TypeError, ValueError, AttributeError):
            log.warning("a malformed request on the media carrier", exc_info=True)
            answer = {"n": number, "error": {"code": RequestInvalid.code, "detail": str(RequestInvalid())}}
        except Exception:
            log.exception("a request on the media carrier failed")
            answer = {
                "n": number,
                "error": {"code": MediaError.code, "detail": "The media server failed at this request."},
            }
        if number is not None:
            carrier.send(answer)

    def _introduce(self, side: WebSide, message: dict[str, Any]) -> None:
        hello = message.get("hello")
        hello = hello if isinstance(hello, dict) else {}
        if self.secret is not None and not is_proof(hello.get("proof"), self.secret, "web", side.challenge):
            log.warning("a web process that does not know the secret; cutting it")
            side.carrier.cut()
            return
        side.is_known = True
        welcome: dict[str, Any] = {"incarnation": self.incarnation}
        if self.secret is not None:
            welcome["proof"] = proof(self.secret, "worker", str(hello.get("challenge")))
        side.carrier.send({"welcome": welcome})

    def _lost(self, carrier: Carrier) -> None:
        side = self._sides.pop(carrier, None)
        if side is None:
            return
        if side.deadline is not None:
            side.deadline.cancel()
        for room_id, peer in list(side.peers):
            if self._owners.get((room_id, peer)) is side and (room := self.rooms.get(room_id)):
                room.close_peer(peer, "web_lost")
            self._owners.pop((room_id, peer), None)
        for room_id in side.rooms:
            self._forget_room(room_id)

    # --- rooms and owners -------------------------------------------------------------------------
    def _room(self, side: WebSide, message: Mapping[str, Any]) -> Room:
        """The room a wish names, made when new."""
        room_id = int(message["room"])
        room = self.rooms.get(room_id)
        if room is None:
            if len(self.rooms) >= ROOMS:
                raise MediaFull()
            room = self.rooms[room_id] = Room(room_id, self.host, lambda *told: self._tell(room_id, *told))
        side.rooms.add(room_id)
        return room

    def _known_room(self, message: Mapping[str, Any]) -> Room:
        room = self.rooms.get(int(message["room"]))
        if room is None:
            raise PeerUnknown()
        return room

    @contextmanager
    def _owning(self, side: WebSide, room: Room, peer: str) -> Iterator[None]:
        """What is told of the peer goes to this side from now on; of one that was refused nothing is kept."""
        before = self._owners.get((room.room_id, peer))
        if before is not None and before is not side:
            before.peers.discard((room.room_id, peer))
        self._owners[room.room_id, peer] = side
        side.peers.add((room.room_id, peer))
        try:
            yield
        finally:
            if peer not in room.peers():
                self._disown(room.room_id, peer)

    def _disown(self, room_id: int, peer: str) -> None:
        if (owner := self._owners.pop((room_id, peer), None)) is not None:
            owner.peers.discard((room_id, peer))

    def _forget_room(self, room_id: int) -> None:
        """When no web process speaks of it any more."""
        if not any(room_id in side.rooms for side in self._sides.values()) and (room := self.rooms.pop(room_id, None)):
            room.close("room_closed")

    def _tell(self, room_id: int, peer: str, what: str, fields: Mapping[str, Any]) -> None:
        owner = self._owners.get((room_id, peer))
        if owner is None:
            return
        if owner.carrier.is_open:
            owner.carrier.send({"tell": what, "room": room_id, "peer": peer, **fields})
        room = self.rooms.get(room_id)
        if what == "closed" and (room is None or peer not in room.peers()):
            self._disown(room_id, peer)

    # --- wishes -----------------------------------------------------------------------------------
    def _publish(self, side: WebSide, message: dict[str, Any]) -> dict[str, Any]:
        tracks = [Track(str(track["mid"]), str(track["source"])) for track in message["tracks"]]
        if not 1 <= len(tracks) <= TRACKS:
            raise RequestInvalid(f"An offer names 1 to {TRACKS} tracks.")
        offer = sdp.read(message["sdp"])
        room, peer = self._room(side, message), str(message["peer"])
        with self._owning(side, room, peer):
            return {"sdp": room.publish(peer, int(message["user"]), offer, tracks)}

    def _unpublish(self, side: WebSide, message: dict[str, Any]) -> None:
        if room := self.rooms.get(int(message["room"])):
            room.unpublish(str(message["peer"]), [str(source) for source in message["sources"]])

    def _subscribe(self, side: WebSide, message: dict[str, Any]) -> dict[str, Any]:
        room, peer = self._room(side, message), str(message["peer"])
        with self._owning(side, room, peer):
            return _offered(room.subscribe(peer, int(message["user"])))

    def _answer(self, side: WebSide, message: dict[str, Any]) -> None:
        answer = sdp.read(message["sdp"])
        self._known_room(message).answer(str(message["peer"]), int(message["revision"]), answer)

    def _restart_publish(self, side: WebSide, message: dict[str, Any]) -> dict[str, Any]:
        offer = sdp.read(message["sdp"])
        return {"sdp": self._known_room(message).restart_publish(str(message["peer"]), offer)}

    def _restart_subscribe(self, side: WebSide, message: dict[str, Any]) -> dict[str, Any]:
        return _offered(self._known_room(message).restart_subscribe(str(message["peer"])))

    def _prefer(self, side: WebSide, message: dict[str, Any]) -> None:
        wishes = {
            (int(user), str(source)): Wish(bool(is_paused), None if width is None else int(width))
            for user, source, is_paused, width in message["sources"]
        }
        self._known_room(message).prefer(str(message["peer"]), wishes)

    def _permit(self, side: WebSide, message: dict[str, Any]) -> None:
        may = {int(user): frozenset(str(source) for source in sources) for user, sources in message["may"]}
        revision = message.get("revision")
        order = [int(user) for user in message["order"]]
        epoch = str(message.get("epoch") or "")
        faces = message.get("faces")
        self._room(side, message).permit(
            may,
            order,
            None if revision is None else int(revision),
            epoch,
            None if faces is None else max(0, int(faces)),
        )

    def _close_peer(self, side: WebSide, message: dict[str, Any]) -> None:
        if room := self.rooms.get(int(message["room"])):
            room.close_peer(str(message["peer"]), str(message["reason"]))

    def _close_room(self, side: WebSide, message: dict[str, Any]) -> None:
        room_id = int(message["room"])
        if room := self.rooms.get(room_id):
            room.close("room_closed")
            self.rooms.pop(room_id, None)
        for each in self._sides.values():
            each.rooms.discard(room_id)

    def _ping(self, side: WebSide, message: dict[str, Any]) -> dict[str, Any]:
        return {"load": round(self.host.load.share, 4), "is_full": self.host.load.is_full}

    def _report(self, side: WebSide, message: dict[str, Any]) -> dict[str, Any]:
        return {"load": round(self.host.load.share, 4), **report(self.rooms)}

    def _stats(self, side: WebSide, message: dict[str, Any]) -> dict[str, Any]:
        publishers = sum(len(room.publishers) for room in self.rooms.values())
        subscribers = sum(len(room.subscribers) for room in self.rooms.values())
        sizes = {
            "rooms": len(self.rooms),
            "publishers": publishers,
            "subscribers": subscribers,
            "pending": self.host.pending,
            "load": round(self.host.load.share, 4),
        }
        return {**sizes, "counters": asdict(self.host.mux.counters)}

    def _test_loss(self, side: WebSide, message: dict[str, Any]) -> None:
        """Tests only: lose this share of media datagrams each way."""
        self._only_in_tests()
        loss = self.host.mux.loss
        loss.incoming, loss.outgoing = float(message["incoming"]), float(message["outgoing"])

    def _test_narrow(self, side: WebSide, message: dict[str, Any]) -> None:
        """Tests only: let no more than so many bits a second through to this subscriber; None: all again."""
        self._only_in_tests()
        subscriber, bits = self._subscriber(message), message["bits_per_second"]
        sound = [out.ssrc for out in subscriber.outs.values() if not out.is_video]
        subscriber.link.lead_through(
            None if bits is None else Narrow(max(1.0, float(bits)), self.host.mux.counters, sound)
        )

    def _test_sound(self, side: WebSide, message: dict[str, Any]) -> dict[str, int]:
        """Tests only: packets of sound that came for this subscriber, and those its narrow link took and lost."""
        self._only_in_tests()
        subscriber = self._subscriber(message)
        narrow = subscriber.link.narrow
        heard = [out.source for out in subscriber.outs.values() if not out.is_video and out.source is not None]
        return {
            "came": sum(source.received for source in heard),
            "taken": narrow.sound_taken if narrow is not None else 0,
            "lost": narrow.sound_lost if narrow is not None else 0,
        }

    def _subscriber(self, message: Mapping[str, Any]) -> Subscriber:
        subscriber = self._known_room(message).subscribers.get(str(message["peer"]))
        if subscriber is None:
            raise PeerUnknown()
        return subscriber

    def _only_in_tests(self) -> None:
        if not self.allow_test_loss:
            raise RequestInvalid("This media worker was not started with --allow-test-loss.")


def _offered(offer: Offer) -> dict[str, Any]:
    return {"revision": offer.revision, "sdp": offer.sdp, "bindings": offer.bindings}
