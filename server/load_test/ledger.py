"""What one room's members must have got, and what they got: every acknowledged line once, in order, without a gap."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Ledger:
    """One room. Times are seconds of the loop's clock; `ack_seconds` and `delivery_seconds` are in order of arrival."""

    sent: dict[str, float] = field(default_factory=dict)  # client_id: when it was first sent
    acknowledged: dict[str, int] = field(default_factory=dict)  # client_id: seq
    told: dict[int, str | None] = field(default_factory=dict)  # seq: client_id, as the first member heard it
    ack_seconds: array[float] = field(default_factory=lambda: array("d"))
    delivery_seconds: array[float] = field(default_factory=lambda: array("d"))
    wrong: int = 0  # events that are not what another member got, or not what was acknowledged, under their number

    def acknowledge(self, client_id: str, seq: int, at: float) -> None:
        self.acknowledged[client_id] = seq
        self.ack_seconds.append(at - self.sent[client_id])

    @property
    def end(self) -> int:
        """The last number a member must have reached."""
        return max(self.acknowledged.values(), default=0)

    def mismatched(self) -> int:
        """Acknowledged numbers under which members got another line, or none."""
        return sum(1 for client_id, seq in self.acknowledged.items() if self.told.get(seq, client_id) != client_id)


@dataclass(slots=True)
class Position:
    """How far one member is in one room."""

    ledger: Ledger
    epoch: str = ""
    seq: int = 0
    missing: set[int] = field(default_factory=set)  # numbers that were passed over
    doubled: int = 0
    disordered: int = 0

    def begin(self, epoch: str, seq: int) -> None:
        """A snapshot up to `seq`."""
        self.epoch, self.seq = epoch, seq

    def take(self, events: Sequence[Mapping[str, Any]], at: float, *, is_live: bool = True) -> None:
        """Events as they arrived at time `at`; only live ones count for the delivery times."""
        ledger = self.ledger
        for event in events:
            seq, client_id = event["seq"], event.get("client_id")
            if ledger.told.setdefault(seq, client_id) != client_id:
                ledger.wrong += 1
            if seq == self.seq + 1:
                self.seq = seq
            elif seq > self.seq:
                self.missing.update(range(self.seq + 1, seq))
                self.seq = seq
            elif seq in self.missing:
                self.missing.discard(seq)
                self.disordered += 1
            else:
                self.doubled += 1
            if is_live and (sent := ledger.sent.get(client_id or "")) is not None:
                ledger.delivery_seconds.append(at - sent)

    @property
    def lost(self) -> int:
        """Acknowledged lines this member did not get."""
        return sum(1 for seq in self.ledger.acknowledged.values() if seq > self.seq or seq in self.missing)
