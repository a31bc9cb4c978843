"""A live room as the worker knows it: who publishes, who subscribes, who may send what, and in which order they stand
on the stage.

`permit` is the whole truth about permissions; until it has come nothing flows. Every change ends in `replan`, which
brings each subscriber's m-lines to the plan in the same turn of the loop, so a revoked source is cut before the call
returns.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from signaling.media import plan, sdp
from signaling.media.errors import MediaFull, PeerUnknown
from signaling.media.layers import Layered
from signaling.media.link import Host
from signaling.media.plan import GUESTS
from signaling.media.publisher import Publisher
from signaling.media.speakers import Speakers
from signaling.media.subscriber import Subscriber
from signaling.media.values import Offer, Track, Wish

PEERS_PER_ROOM = 2000  # connections of either kind
EPOCHS = 16  # of a room's timeline that are remembered as over; a room sees a new one when it is restored, if ever
PENDING_HANDSHAKES = 512  # of the worker; more are refused until some finish or time out
# Of one person, for as many tabs as they may have open, and their reloads: nobody takes the places of all others
PENDING_PER_USER = 24

Tell = Callable[[str, str, Mapping[str, Any]], None]  # (peer, what happened, its fields)


class Room:
    """One room's peers and permissions. `tell` reaches the web process that opened a peer."""

    def __init__(self, room_id: int, host: Host, tell: Tell) -> None:
        self.room_id, self.host, self._tell = room_id, host, tell
        self.may: dict[int, frozenset[str]] = {}
        self.order: tuple[int, ...] = ()
        self.faces: int | None = None  # cameras of guests anybody is sent
        self.speakers = Speakers()
        self.revision, self.epoch = -1, ""  # of the decision that holds
        self._former: deque[str] = deque(maxlen=EPOCHS)
        self.publishers: dict[int, Publisher] = {}  # by user: one sending peer each
        self.subscribers: dict[str, Subscriber] = {}  # by peer

    def publish(self, peer: str, user: int, offer: sdp.Description, tracks: Sequence[Track]) -> str:
        """Take a publisher's offer and answer it. A new connection, also of another tab, replaces the user's former
        one.
        """
        publisher = self.publishers.get(user)
        if publisher is not None and publisher.peer == peer and publisher.is_for(offer):
            answer = publisher.answer(offer, tracks)
        else:
            self._guard(user, is_inside=publisher is not None)
            fresh = Publisher(
                self.host,
                peer,
                user,
                flows=self._flows,
                moved=self._layers_moved,
                spoke=self._spoke,
                ended=self._publisher_ended,
            )
            try:
                answer = fresh.answer(offer, tracks)
            except Exception:
                fresh.link.close("refused")
                raise
            self.publishers[user] = fresh
            if publisher is not None:
                # The same page knows that it made a new connection; another tab has to be told that it does not send
                # any more.
                publisher.link.close("replaced" if publisher.peer != peer else "renewed")
        self._permit(self.publishers[user])
        self.replan()
        return answer

    def restart_publish(self, peer: str, offer: sdp.Description) -> str:
        """An ICE restart of a publisher: new credentials, everything else as it was. Raises PeerUnknown, SdpInvalid."""
        publisher = next((p for p in self.publishers.values() if p.peer == peer and p.is_for(offer)), None)
        if publisher is None:
            raise PeerUnknown()
        return publisher.answer(offer, [Track(mid, track.name) for mid, track in publisher.tracks.items()])

    def unpublish(self, peer: str, sources: Sequence[str]) -> None:
        """Stop these sources of the peer; nothing happens for those it does not have."""
        for publisher in list(self.publishers.values()):
            if publisher.peer == peer:
                publisher.drop(sources)
        self.replan()

    def subscribe(self, peer: str, user: int) -> Offer:
        """Offer a pool; a former one of the same peer is replaced, and its revisions go on: what was told of that one
        may reach the page after this offer was asked for.
        """
        before = self.subscribers.get(peer)
        self._guard(user, is_inside=before is not None)
        subscriber = self.subscribers[peer] = Subscriber(self.host, peer, user, ended=self._subscriber_ended)
        if before is not None:
            subscriber.revision = before.revision
            before.link.close("renewed")
        self._replan_one(subscriber, self._published(), self._tracks())
        return subscriber.offer()

    def answer(self, peer: str, revision: int, answer: sdp.Description) -> None:
        """The browser's answer to the pool. Raises PeerUnknown, SdpInvalid."""
        subscriber = self._subscriber(peer)
        subscriber.answer(revision, answer)
        if self._replan_one(subscriber, self._published(), self._tracks()):  # codecs may have been declined
            self._tell_bindings(subscriber)

    def restart_subscribe(self, peer: str) -> Offer:
        """A new offer of the same pool with new ICE credentials. Raises PeerUnknown."""
        subscriber = self._subscriber(peer)
        subscriber.link.restart()
        return subscriber.offer()

    def prefer(self, peer: str, wishes: Mapping[tuple[int, str], Wish]) -> None:
        """How large a subscriber shows which pictures, and which not at all. Raises PeerUnknown."""
        subscriber = self._subscriber(peer)
        subscriber.prefer(wishes)
        self._replan_one(subscriber, self._published(), self._tracks())

    def permit(
        self,
        may: Mapping[int, frozenset[str]],
        order: Sequence[int],
        revision: int | None = None,
        epoch: str = "",
        faces: int | None = None,
    ) -> None:
        """Who may send which sources, the stage's order, and how many guests are seen at a time. What is not in it is
        dropped from this call on.

        Several web processes may speak of one room: a revision older than one heard before is ignored, and so is an
        epoch that another has replaced; a new epoch counts from anew.
        """
        if revision is not None and not self._is_later(revision, epoch):
            return
        self.may, self.order, self.faces = dict(may), tuple(order), faces
        for publisher in self.publishers.values():
            self._permit(publisher)
        self.replan()

    def close_peer(self, peer: str, reason: str) -> None:
        """End both connections of a peer; the web side is told first, because a browser notices only after seconds."""
        for publisher in [p for p in self.publishers.values() if p.peer == peer]:
            publisher.link.close(reason)
        if subscriber := self.subscribers.get(peer):
            subscriber.link.close(reason)

    def close(self, reason: str) -> None:
        """End everything."""
        links = [p.link for p in self.publishers.values()] + [s.link for s in self.subscribers.values()]
        for link in links:
            link.close(reason)

    def peers(self) -> set[str]:
        """Everyone connected or connecting."""
        return {p.peer for p in self.publishers.values()} | set(self.subscribers)

    def replan(self) -> None:
        """Bring every subscriber to the plan; those for whom something changed are told."""
        published, tracks = self._published(), self._tracks()
        for subscriber in self.subscribers.values():
            if self._replan_one(subscriber, published, tracks):
                self._tell_bindings(subscriber)

    # --- inside -----------------------------------------------------------------------------------
    def _is_later(self, revision: int, epoch: str) -> bool:
        if epoch in self._former or (epoch == self.epoch and revision < self.revision):
            return False
        if epoch != self.epoch:
            self._former.append(self.epoch)
        self.revision, self.epoch = revision, epoch
        return True

    def _guard(self, user: int, *, is_inside: bool) -> None:
        if len(self.publishers) + len(self.subscribers) >= PEERS_PER_ROOM or self.host.pending >= PENDING_HANDSHAKES:
            raise MediaFull()
        if self.host.pending_of(user) >= PENDING_PER_USER:
            raise MediaFull("You have opened too many media connections at once; wait until some have connected.")
        if is_inside:
            return
        if self.host.load.is_full:
            raise MediaFull("The media server forwards as much as it can without losing quality; try again later.")
        self.host.load.expect(time.monotonic())

    def _subscriber(self, peer: str) -> Subscriber:
        subscriber = self.subscribers.get(peer)
        if subscriber is None:
            raise PeerUnknown()
        return subscriber

    def _permit(self, publisher: Publisher) -> None:
        publisher.permit(self.may.get(publisher.user, frozenset()))

    def _tracks(self) -> dict[tuple[int, str], Layered]:
        return {(p.user, t.name): t for p in self.publishers.values() for t in p.tracks.values()}

    def _tell_bindings(self, subscriber: Subscriber) -> None:
        self._tell(subscriber.peer, "bindings", {"revision": subscriber.revision, "bindings": subscriber.shown()})

    def _published(self) -> plan.Published:
        return plan.permitted(self.may, self._tracks())

    def _replan_one(
        self, subscriber: Subscriber, published: plan.Published, tracks: Mapping[tuple[int, str], Layered]
    ) -> bool:
        lately = self.speakers.lately
        seats = plan.seat(self.order, published, subscriber.user, subscriber.seats, lately=lately)
        return subscriber.bind(seats, plan.bind(seats, published, lately=lately, faces=self.faces), tracks)

    def _spoke(self, user: int, level: int) -> None:
        """Who has begun to speak may have to be seen, where not all guests are."""
        seen = GUESTS if self.faces is None else self.faces
        if self.speakers.hear(user, level) and len(self.publishers) > seen:
            self.replan()

    def _flows(self, publisher: Publisher, track: Layered, on: bool) -> None:
        self._tell(publisher.peer, "flowing", {"user": publisher.user, "source": track.name, "on": on})

    def _layers_moved(self, track: Layered) -> None:
        for subscriber in self.subscribers.values():
            subscriber.choose(track)

    def _publisher_ended(self, publisher: Publisher, reason: str) -> None:
        if self.publishers.get(publisher.user) is publisher:
            del self.publishers[publisher.user]
            self.speakers.forget(publisher.user)
            self.replan()
        if reason not in ("renewed", "refused"):
            self._tell(publisher.peer, "closed", {"side": "publish", "reason": reason})

    def _subscriber_ended(self, subscriber: Subscriber, reason: str) -> None:
        if self.subscribers.get(subscriber.peer) is subscriber:
            del self.subscribers[subscriber.peer]
        if reason not in ("renewed", "refused"):
            self._tell(subscriber.peer, "closed", {"side": "subscribe", "reason": reason})
