"""What the transport counts; whoever exposes metrics reads these plain numbers."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class TransportCounters:
    """Totals since the start. `closed` is keyed by reason, `refused` by the code of a refused connect."""

    opened: int = 0  # transports opened
    upgraded: int = 0  # polling sessions that moved to WebSocket
    connected: int = 0  # namespace connections accepted
    received: int = 0  # events received from clients
    delivered: int = 0  # packets handed to transports, one per client
    writes: int = 0  # writes to WebSocket transports; fewer than packets where coalescing gained something
    untaken: int = 0  # of those, what the kernel did not take whole, so that the loop had to see to it
    dropped: int = 0  # droppable events skipped for a busy client
    handler_failures: int = 0  # handlers that raised or ran out of time
    foreign_origins: int = 0  # requests of a page that is neither ours nor listed
    closed: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)

    @property
    def slow(self) -> int:
        """Clients cut because their unread bytes passed the cap."""
        return self.closed["slow client"]

    @property
    def malformed(self) -> int:
        """Clients closed because of a frame that is not the protocol's."""
        return self.closed["malformed"]
