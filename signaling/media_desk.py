"""Media wishes of a room: who may send what is the room's decision, the forwarding is the worker's.

The worker is told the whole truth of who may send after every event that changes it, so a revoked microphone is
silent in the server whatever the browser goes on sending. No type of the media library crosses this file.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import structlog

from server.errors import Away, Conflict, Invalid, LecternError, MediaAway
from server.settings import Settings
from signaling import protocol
from signaling.client import Client, Phase, live_room
from signaling.doorway import NotJoined
from signaling.media.client import MediaAway as WorkerAway
from signaling.media.client import MediaClient, MediaError, PeerUnknown, Track, Wish
from signaling.media.client import MediaFull as WorkerFull
from signaling.media.client import SdpInvalid as BadSdp
from signaling.media_fleet import MediaFull, Seat, Tasks
from signaling.rooms.deciding import SessionNotLive
from signaling.rooms.registry import Registry
from signaling.rooms.room import LoseTracks, PublishTracks, UnpublishTracks, publish_tracks
from signaling.rooms.state import Room
from signaling.rooms.writer import Writer
from signaling.transport import LiveServer

log = structlog.get_logger(__name__)


DECIDING = ("participants", "floor", "muted", "policy")  # the parts of a room that decide who may send


class SdpInvalid(Invalid):
    code, sentence = "sdp_invalid", "The session description cannot be used."


class MediaRefused(Conflict):
    code, sentence = "media_refused", "The media server refused."


class Placed(Protocol):
    """Which worker each room is on: signaling.media_fleet.Fleet."""

    @property
    def is_up(self) -> bool: ...

    def seat(self, room: int) -> Seat | None: ...

    async def place(self, room: int) -> MediaClient: ...

    def forget(self, room: int) -> None: ...


class MediaDesk:
    """Implements signaling.media_fleet.Desk and the media wishes."""

    def __init__(
        self, settings: Settings, live: LiveServer, registry: Registry, writer: Writer, tasks: Tasks, fleet: Placed
    ) -> None:
        self._settings, self._live, self._registry, self._writer = settings, live, registry, writer
        self._tasks, self._fleet = tasks, fleet
        self._peers: dict[int, dict[str, Client]] = {}  # by room, then connection id
        self._publishers: dict[
            tuple[int, int], str
        ] = {}  # whose connection sends a person's tracks, by room and person
        self._told: dict[int, object] = {}  # which worker was last told what of a room

    def use(self, fleet: Placed) -> None:
        """The workers to talk to; before the first wish."""
        self._fleet = fleet

    @property
    def is_up(self) -> bool:
        return self._fleet.is_up

    # ------------------------------------------------------------------ wishes

    async def publish(self, client: Client, wish: protocol.MediaPublish) -> Mapping[str, Any]:
        self._check_sdp(wish.sdp)
        sources = tuple(dict.fromkeys(track.source for track in wish.tracks))
        if len(sources) != len(wish.tracks):
            raise Invalid(errors=[{"pointer": "/tracks", "detail": "names a source twice"}])
        room = self._room(client, wish.live_session_id)
        publish_tracks(room, PublishTracks(client.actor.id, sources))  # refuses before the worker is asked
        media = await self._place(client, wish.live_session_id)
        seat = self._fleet.seat(wish.live_session_id)
        tracks = [Track(mid=track.mid, source=track.source) for track in wish.tracks]
        with _translated():
            sdp = await media.publish(wish.live_session_id, client.connection.id, client.actor.id, wish.sdp, tracks)
        if self._fleet.seat(wish.live_session_id) != seat:
            raise MediaAway()  # it ended, or the room moved, right after it answered: these tracks are nowhere
        self._publishers[wish.live_session_id, client.actor.id] = client.connection.id
        await self._writer.act(wish.live_session_id, PublishTracks(client.actor.id, sources), actor_id=client.actor.id)
        return {"sdp": sdp}

    async def unpublish(self, client: Client, wish: protocol.MediaUnpublish) -> Mapping[str, Any]:
        self._room(client, wish.live_session_id)
        sources = tuple(dict.fromkeys(wish.sources))
        if (seat := self._fleet.seat(wish.live_session_id)) is not None:
            with _translated():
                await seat.client.unpublish(wish.live_session_id, client.connection.id, client.actor.id, list(sources))
        command = UnpublishTracks(client.actor.id, sources)
        await self._writer.act(wish.live_session_id, command, actor_id=client.actor.id)
        return {}

    async def subscribe(self, client: Client, wish: protocol.MediaSubscribe) -> Mapping[str, Any]:
        self._room(client, wish.live_session_id)
        media = await self._place(client, wish.live_session_id)
        with _translated():
            offer = await media.subscribe(wish.live_session_id, client.connection.id, client.actor.id)
        return {"revision": offer.revision, "sdp": offer.sdp, "bindings": offer.bindings}

    async def answer(self, client: Client, wish: protocol.MediaAnswer) -> Mapping[str, Any]:
        self._check_sdp(wish.sdp)
        self._room(client, wish.live_session_id)
        with _translated():
            await self._worker(wish.live_session_id).answer(
                wish.live_session_id, client.connection.id, wish.revision, wish.sdp
            )
        return {}

    async def restart(self, client: Client, wish: protocol.MediaRestart) -> Mapping[str, Any]:
        self._room(client, wish.live_session_id)
        media, peer = self._worker(wish.live_session_id), client.connection.id
        if wish.side == "publish":
            if wish.sdp is None:
                raise Invalid(errors=[{"pointer": "/sdp", "detail": "is needed to restart the sending side"}])
            self._check_sdp(wish.sdp)
            with _translated():
                return {"sdp": await media.restart_publish(wish.live_session_id, peer, wish.sdp)}
        with _translated():
            offer = await media.restart_subscribe(wish.live_session_id, peer)
        return {"revision": offer.revision, "sdp": offer.sdp, "bindings": offer.bindings}

    async def prefer(self, client: Client, wish: protocol.MediaPrefer) -> Mapping[str, Any]:
        self._room(client, wish.live_session_id)
        wishes: dict[tuple[int, str], Wish] = {
            (one.user_id, one.source): Wish(one.paused, one.width) for one in wish.sources
        }
        with _translated():
            await self._worker(wish.live_session_id).prefer(wish.live_session_id, client.connection.id, wishes)
        return {}

    # ------------------------------------------------------------------ what rooms do

    def room_changed(self, live_session_id: int, before: Room, after: Room) -> None:
        """Members were told of events: the worker learns who may send now; who is out loses their peers."""
        if after.status != "live":
            self._close_room(live_session_id)
            return
        is_renewed = before is after  # the epoch: positions of the former one mean nothing
        is_other = any(getattr(before, part) is not getattr(after, part) for part in DECIDING)
        if live_session_id in self._told and (is_renewed or is_other):
            # Between events that came together another process may have told the worker something else.
            self._permit(live_session_id, even_if_told=after.seq != before.seq + 1)
        if before.participants is after.participants:
            return
        gone = {p.user_id for p in before.present} - {p.user_id for p in after.present}
        for client in list(self._peers.get(live_session_id, {}).values()):
            if client.actor.id in gone:
                self.close(client, live_session_id)

    def close(self, client: Client, live_session_id: int, reason: str = "left") -> None:
        """A tab is out of the room: its connections to the worker end now, and the tracks it sent with them."""
        peers = self._peers.get(live_session_id, {})
        if peers.pop(client.connection.id, None) is not None and (seat := self._fleet.seat(live_session_id)):
            seat.client.close_peer(live_session_id, client.connection.id, reason)
        if not peers:
            self._peers.pop(live_session_id, None)
        self._unpublish(live_session_id, client)

    def _unpublish(self, live_session_id: int, client: Client) -> None:
        """Unless another tab of the same person has taken over, what this one sent is over."""
        key = (live_session_id, client.actor.id)
        if self._publishers.get(key) == client.connection.id:
            del self._publishers[key]
            self._tasks.spawn(self._stopped(live_session_id, UnpublishTracks(client.actor.id)))

    def _close_room(self, live_session_id: int) -> None:
        self._drop(live_session_id)
        self._fleet.forget(live_session_id)

    def _drop(self, live_session_id: int) -> dict[str, Client]:
        """Nothing of this room is on its worker any more; who was connected to it."""
        for key in [key for key in self._publishers if key[0] == live_session_id]:
            del self._publishers[key]
        self._told.pop(live_session_id, None)
        return self._peers.pop(live_session_id, {})

    def _permit(self, live_session_id: int, *, even_if_told: bool = False) -> None:
        """The worker learns who may send now, and at which position of the timeline that was so."""
        entry, seat = self._registry.known(live_session_id), self._fleet.seat(live_session_id)
        if entry is None or seat is None:
            return
        truth = (seat, may := entry.room.senders(), order := [entry.room.host_id, *entry.room.floor])
        if even_if_told or self._told.get(live_session_id) != truth:
            self._told[live_session_id] = truth
            faces = self._settings.limit_student_cameras
            seat.client.permit(live_session_id, may, order, entry.room.seq, entry.epoch, faces)

    async def _place(self, client: Client, live_session_id: int) -> MediaClient:
        """The room's worker, which knows who may send. Who was shown out while it was looked up is not connected to it,
        and nobody is to a room that ended. Raises NotJoined, SessionNotLive, MediaAway, MediaFull.
        """
        media = await self._fleet.place(live_session_id)
        entry = self._registry.known(live_session_id)
        if entry is not None and entry.room.status != "live":
            self._fleet.forget(live_session_id)
            raise SessionNotLive()
        self._room(client, live_session_id)
        self._permit(live_session_id)
        self._keep(client, live_session_id)
        return media

    def _keep(self, client: Client, live_session_id: int) -> None:
        self._peers.setdefault(live_session_id, {})[client.connection.id] = client

    def _room(self, client: Client, live_session_id: int) -> Room:
        """The room as told so far. Raises NotJoined."""
        place, entry = client.places.get(live_session_id), self._registry.known(live_session_id)
        if place is None or place.phase is Phase.WAITING or entry is None:
            raise NotJoined()
        return entry.room

    def _worker(self, live_session_id: int) -> MediaClient:
        """Where the connections of this room's people are. Raises MediaAway, and MediaRefused before they have any."""
        if (seat := self._fleet.seat(live_session_id)) is not None:
            return seat.client
        if not self._fleet.is_up:
            raise MediaAway()
        raise MediaRefused(PeerUnknown().detail)

    def _check_sdp(self, sdp: str) -> None:
        if len(sdp.encode(errors="replace")) > self._settings.limit_sdp_bytes:
            raise SdpInvalid(f"A session description may have at most {self._settings.limit_sdp_bytes} bytes.")

    # ------------------------------------------------------------------ what the worker tells

    def bindings(self, room: int, peer: str, revision: int, bindings: Mapping[str, Any]) -> None:
        self._tell(room, peer, "media_bindings", {"revision": revision, "bindings": bindings})

    def offer(self, room: int, peer: str, revision: int, sdp: str, bindings: Mapping[str, Any]) -> None:
        self._tell(room, peer, "media_offer", {"revision": revision, "sdp": sdp, "bindings": bindings})

    def flowing(self, room: int, user: int, source: str, on: bool) -> None:
        log.debug("source", live_session_id=room, user_id=user, source=source, flowing=on)

    def closed(self, room: int, peer: str, side: str, reason: str) -> None:
        client = self._peers.get(room, {}).get(peer)
        self._tell(room, peer, "media_closed", {"side": side, "reason": reason})
        if client is None:
            return
        if not client.connection.connected:
            self._peers[room].pop(peer, None)
        if side == "publish":
            self._unpublish(room, client)

    def lost(self, rooms: Collection[int], reason: str) -> None:
        """These rooms' worker is gone, or they were moved: pages publish and subscribe again, where they are then."""
        for room in rooms:
            for client in self._drop(room).values():
                for side in ("publish", "subscribe"):
                    client.connection.emit("media_closed", {"live_session_id": room, "side": side, "reason": reason})

    async def lose_all(self, live_session_ids: Sequence[int]) -> None:
        """A new worker knows nothing of earlier tracks: their end is written before anyone publishes again."""
        for live_session_id in live_session_ids:
            await self._stopped(live_session_id, LoseTracks())

    async def abandon(self, live_session_id: int, user_id: int) -> None:
        """Another process sent this person's media and died; the worker has ended it, and the timeline says so now."""
        entry = await self._registry.entry(live_session_id)
        if any(sender == user_id for sender, _ in entry.room.tracks):
            await self._stopped(live_session_id, UnpublishTracks(user_id))

    async def _stopped(self, live_session_id: int, command: object) -> None:
        for attempt in range(5):
            try:
                await self._writer.act(live_session_id, command)
                return
            except Away:
                await asyncio.sleep(0.2 * 2**attempt)
            except LecternError as error:
                log.warning("tracks not ended", live_session_id=live_session_id, reason=error.code)
                return

    def _tell(self, room: int, peer: str, event: str, payload: Mapping[str, Any]) -> None:
        client = self._peers.get(room, {}).get(peer)
        if client is not None and client.connection in self._live.members(live_room(room)):
            client.connection.emit(event, {"live_session_id": room, **payload})


@contextmanager
def _translated() -> Iterator[None]:
    """The worker's refusals in the product's words."""
    try:
        yield
    except WorkerAway as error:
        raise MediaAway() from error
    except WorkerFull as error:
        raise MediaFull(error.detail) from error
    except BadSdp as error:
        raise SdpInvalid(error.detail) from error
    except MediaError as error:
        raise MediaRefused(error.detail) from error
