"""What a web process hears from a media worker, as a protocol it implements."""

from __future__ import annotations

from typing import Protocol

from signaling.media.values import Bindings


class MediaListener(Protocol):
    """Who hears what the worker tells. Called in the loop, in order; must not block."""

    def bindings(self, room: int, peer: str, revision: int, bindings: Bindings) -> None:
        """What a subscriber's m-lines carry now."""

    def offer(self, room: int, peer: str, revision: int, sdp: str, bindings: Bindings) -> None:
        """A new offer the subscriber did not ask for."""

    def flowing(self, room: int, user: int, source: str, on: bool) -> None:
        """Permitted packets of a source have begun, or ceased: unpublished, revoked, its connection gone, or 5 s of
        silence.
        """

    def closed(self, room: int, peer: str, side: str, reason: str) -> None:
        """A connection of the peer ended: replaced, gone, timeout, never_connected, handshake_failed, room_closed,
        draining, stood_still, silent, or the reason given to close_peer.
        """

    def worker_lost(self) -> None:
        """The worker does not answer; it has forgotten every peer of this client."""

    def worker_ready(self, incarnation: str) -> None:
        """A worker answers, the first time or again; permissions have been said to it, peers have to come anew."""
