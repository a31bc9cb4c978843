"""Every bound of the transport in one value, and beside each what happens at its edge."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TransportLimits:
    """Durations in seconds, sizes in bytes. The defaults are the product's."""

    ping_interval: float = 10.0  # a ping after this long without one pending
    ping_timeout: float = 10.0  # no pong within it: the transport is closed, reason "ping timeout"
    connect_timeout: float = 10.0  # no accepted CONNECT, a hanging connect handler, a stuck upgrade or body: closed
    message_bytes: int = 65_536  # a larger frame or POST body closes the transport (1009, or 400 and 413 over polling)
    packets_per_post: int = 64  # more packets in one POST: 400, none of them handled, session closed
    attachments: int = 0  # binary attachments accepted in one packet; any above is refused with an acknowledgement
    buffer_bytes: int = 1 << 20  # a client with more unread bytes is cut, reason "slow client"; it returns and syncs
    droppable_bytes: int = 1 << 16  # with more unread bytes than this, droppable events are skipped for that client
    held_emits: int = 1024  # emits to a connection still being accepted; beyond it the connect is refused
    inbox: int = 64  # wishes waiting for their turn; the next are answered by Handlers.refused("queue_full")
    inbox_refusals: int = 64  # refusals waiting on top of a full inbox; beyond it the transport is closed, "flooding"
    handler_seconds: float = 60.0  # a wish or disconnect taking longer is canceled and answered as `internal`
    connecting: int = 64  # connect handlers running at once; others wait in line, and their clock starts at their turn
    connects_per_second: float = 1000.0  # connect handlers begun; a late loop begins fewer, and does not make up for it
    connect_burst: int = 16  # of them in one moment
    waiting_connects: int = 12_000  # in line; beyond it new transports are answered 503, connects closed: "line full"
    refusal_seconds: float = 1.0  # a refused client's transport stays open this long, so that the reason arrives
    close_seconds: float = 5.0  # the other side's time to finish a clean close; then the transport is aborted

    @property
    def largest_frame(self) -> int:
        """What the frame parser is given: it refuses from this size on, we beyond `message_bytes`."""
        return self.message_bytes + 1
