"""Media wishes of a room: who may send what is the room's decision, the forwarding is the worker's.

The worker is told the whole truth of who may send after every event that changes it, so a revoked microphone is
silent in the server whatever the browser goes on sending. No type of the media library crosses this file.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import structlog

from server.errors import Away, Conflict, Invalid, LecternError, MediaAway
from server.http.keys import Readiness
from server.metrics import Metrics
from server.settings import Settings
from signaling import protocol
from signaling.client import Client, Phase, live_room
from signaling.doorway import NotJoined
from signaling.media.client import MediaAway as WorkerAway
from signaling.media.client import MediaClient, MediaError, Track, Wish
from signaling.media.client import MediaFull as WorkerFull
from signaling.media.client import SdpInvalid as BadSdp
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


class MediaFull(Conflict):
    code, sentence = "media_full", "The media server has no room for another connection."


class Tasks(Protocol):
    """Runs something later, on behalf of nobody who waits."""

    def spawn(self, call: Coroutine[Any, Any, Any]) -> None: ...


class MediaDesk:
    """Implements signaling.media.client.MediaListener and the media wishes."""

    def __init__(
        self,
        settings: Settings,
        live: LiveServer,
        registry: Registry,
        writer: Writer,
        metrics: Metrics,
        readiness: Readiness,
        tasks: Tasks,
    ) -> None:
        self._settings, self._live, self._registry, self._writer = settings, live, registry, writer
        self._metrics, self._readiness, self._tasks = metrics, readiness, tasks
        self._media: MediaClient | None = None
        self._peers: dict[int, dict[str, Client]] = {}  # by room, then connection id
        self._publishers: dict[
            tuple[int, int], str
        ] = {}  # whose connection sends a person's tracks, by room and person
        self._told: dict[int, object] = {}  # what the worker was last told of a room

    def use(self, media: MediaClient) -> None:
        """The worker to talk to; set once, before the first wish."""
        self._media = media

    @property
    def is_up(self) -> bool:
        return self._media is not None and self._media.connected

    # ------------------------------------------------------------------ wishes

    async def publish(self, client: Client, wish: protocol.MediaPublish) -> Mapping[str, Any]:
        self._check_sdp(wish.sdp)
        sources = tuple(dict.fromkeys(track.source for track in wish.tracks))
        if len(sources) != len(wish.tracks):
            raise Invalid(errors=[{"pointer": "/tracks", "detail": "names a source twice"}])
        room = self._room(client, wish.live_session_id)
        publish_tracks(room, PublishTracks(client.actor.id, sources))  # refuses before the worker is asked
        media = self._worker()
        self._permit(wish.live_session_id)
        self._keep(client, wish.live_session_id)
        tracks = [Track(mid=track.mid, source=track.source) for track in wish.tracks]
        with _translated():
            sdp = await media.publish(wish.live_session_id, client.connection.id, client.actor.id, wish.sdp, tracks)
        self._publishers[wish.live_session_id, client.actor.id] = client.connection.id
        await self._writer.act(wish.live_session_id, PublishTracks(client.actor.id, sources), actor_id=client.actor.id)
        return {"sdp": sdp}

    async def unpublish(self, client: Client, wish: protocol.MediaUnpublish) -> Mapping[str, Any]:
        self._room(client, wish.live_session_id)
        sources = tuple(dict.fromkeys(wish.sources))
        if self.is_up:
            with _translated():
                await self._worker().unpublish(
                    wish.live_session_id, client.connection.id, client.actor.id, list(sources)
                )
        command = UnpublishTracks(client.actor.id, sources)
        await self._writer.act(wish.live_session_id, command, actor_id=client.actor.id)
        return {}

    async def subscribe(self, client: Client, wish: protocol.MediaSubscribe) -> Mapping[str, Any]:
        self._room(client, wish.live_session_id)
        media = self._worker()
        self._permit(wish.live_session_id)
        self._keep(client, wish.live_session_id)
        with _translated():
            offer = await media.subscribe(wish.live_session_id, client.connection.id, client.actor.id)
        return {"revision": offer.revision, "sdp": offer.sdp, "bindings": offer.bindings}

    async def answer(self, client: Client, wish: protocol.MediaAnswer) -> Mapping[str, Any]:
        self._check_sdp(wish.sdp)
        self._room(client, wish.live_session_id)
        with _translated():
            await self._worker().answer(wish.live_session_id, client.connection.id, wish.revision, wish.sdp)
        return {}

    async def restart(self, client: Client, wish: protocol.MediaRestart) -> Mapping[str, Any]:
        self._room(client, wish.live_session_id)
        media, peer = self._worker(), client.connection.id
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
            await self._worker().prefer(wish.live_session_id, client.connection.id, wishes)
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
        if peers.pop(client.connection.id, None) is not None and self._media is not None:
            self._media.close_peer(live_session_id, client.connection.id, reason)
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
        self._peers.pop(live_session_id, None)
        for key in [key for key in self._publishers if key[0] == live_session_id]:
            del self._publishers[key]
        if self._told.pop(live_session_id, None) is not None and self._media is not None:
            self._media.close_room(live_session_id)

    def _permit(self, live_session_id: int, *, even_if_told: bool = False) -> None:
        """The worker learns who may send now, and at which position of the timeline that was so."""
        entry = self._registry.known(live_session_id)
        if entry is None or self._media is None:
            return
        truth = (may := entry.room.senders(), order := [entry.room.host_id, *entry.room.floor])
        if even_if_told or self._told.get(live_session_id) != truth:
            self._told[live_session_id] = truth
            faces = self._settings.limit_student_cameras
            self._media.permit(live_session_id, may, order, entry.room.seq, entry.epoch, faces)

    def _keep(self, client: Client, live_session_id: int) -> None:
        self._peers.setdefault(live_session_id, {})[client.connection.id] = client

    def _room(self, client: Client, live_session_id: int) -> Room:
        """The room as told so far. Raises NotJoined."""
        place, entry = client.places.get(live_session_id), self._registry.known(live_session_id)
        if place is None or place.phase is Phase.WAITING or entry is None:
            raise NotJoined()
        return entry.room

    def _worker(self) -> MediaClient:
        if self._media is None or not self._media.connected:
            raise MediaAway()
        return self._media

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

    def worker_lost(self) -> None:
        """Tracks are gone with the worker; pages publish and subscribe again when another answers."""
        self._metrics.media_up.set(0)
        self._readiness.media_answers = False
        peers, self._peers = self._peers, {}
        self._publishers.clear()
        for room, clients in peers.items():
            for client in clients.values():
                for side in ("publish", "subscribe"):
                    client.connection.emit(
                        "media_closed", {"live_session_id": room, "side": side, "reason": "worker_lost"}
                    )
            self._tasks.spawn(self._stopped(room, LoseTracks()))

    def worker_ready(self, incarnation: str) -> None:
        self._metrics.media_up.set(1)
        self._readiness.media_answers = self._readiness.media_answered_once = True

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
