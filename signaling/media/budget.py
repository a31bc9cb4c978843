"""What a subscriber's link carries: pure, from what its browser reports and what it is sent. No limit until there are
signs of one.

A browser's estimate (REMB) follows what it receives and rises slowly, so being low means nothing; that it falls while
more is sent does, and so do a queue (the round trip grows) and loss far beyond what repairs deal with. Then everything
sent together has a budget. The way back is tried and not estimated: padding beside the media for a moment, little
more than what was known to pass, and only when nobody complains does it become the budget. So a tile is not switched up
to find out that the link is narrow, and nobody else pays a keyframe for it.
"""

from __future__ import annotations

from dataclasses import dataclass

FALL = 0.95  # an estimate below this share of the one before has fallen
BELOW = 0.6  # and counts when it is below this share of what is sent
LOSS = 0.3  # of packets, twice running; repairs cope with less
QUEUE_SECONDS = 0.25  # that the round trip has grown by, in two running; once may be a busy machine
KEPT = 0.85  # of what passed, as estimates do: what has queued up drains meanwhile
SETTLE_SECONDS = 1.5  # after a cut: reports of loss and queues still tell of before it
LEAST = 40_000  # bits a second: sound, whatever is reported
QUIET_SECONDS = 1.6  # without trouble before more is tried
PROBE_SECONDS, VERDICT_SECONDS = 0.25, 0.3  # padding is sent; and somebody might still complain of it
STEP = 1.6  # times what is known to pass: a link that carries no more than that queues for a quarter second at most
LEAP, LEAP_AFTER = 3.0, 2  # times, after so many steps running that passed: the link is another than it was
ROOM = 1.1  # more than is needed, because sources are not even


@dataclass(frozen=True, slots=True)
class Heard:
    """One message of the browser: its estimate (bits a second), share of packets lost, round trip in seconds; each None
    when it does not say.
    """

    estimate: int | None = None
    loss: float | None = None
    round_trip: float | None = None


class Budget:
    """`bits` a second for everything sent to one subscriber; None: no limit is known."""

    __slots__ = (
        "_cut_at",
        "_estimate",
        "_grown",
        "_loss",
        "_passes",
        "_probe_ends",
        "_shortest",
        "_sure",
        "_target",
        "_trouble_at",
        "bits",
    )

    def __init__(self) -> None:
        self.bits: float | None = None
        self._estimate: int | None = None
        self._loss = self._grown = 0.0
        self._shortest: float | None = None
        self._cut_at = self._trouble_at = float("-inf")
        self._target: float | None = None  # of the probe that is under way
        self._probe_ends = 0.0
        self._passes = 0
        self._sure: float | None = None  # the budget before the last probe that passed

    @property
    def is_probing(self) -> bool:
        """Padding may be sent, or its verdict is awaited."""
        return self._target is not None

    def hear(self, heard: Heard, sent: float, now: float) -> bool:
        """Take a report; `sent` is the rate of late, padding included. True when the budget has changed."""
        fell = False
        if heard.estimate is not None:
            fell = self._estimate is not None and heard.estimate < self._estimate * FALL
            self._estimate = heard.estimate
        is_lossy = is_queued = False
        if now - self._cut_at < SETTLE_SECONDS:
            self._loss = self._grown = 0.0
        else:
            if heard.loss is not None:
                is_lossy, self._loss = min(heard.loss, self._loss) > LOSS, heard.loss
            if heard.round_trip is not None:
                self._shortest = min(heard.round_trip, self._shortest or heard.round_trip)
                grown = heard.round_trip - self._shortest
                is_queued, self._grown = min(grown, self._grown) > QUEUE_SECONDS, grown
        if self._target is not None and (fell or is_lossy or is_queued):
            self._target, self._trouble_at = None, now  # the probe's own doing; the one before may have passed by luck
            before, self.bits = self.bits, self._sure or self.bits
            self._sure, self._passes = None, 0
            return self.bits != before
        fell = fell and heard.estimate is not None and heard.estimate < sent * BELOW
        if not (fell or is_lossy or is_queued):
            return False
        self._trouble_at = now
        if fell and heard.estimate is not None:
            passed: float = heard.estimate  # it is made of what has arrived
        else:
            passed = sent * (1 - self._loss) * KEPT
        before, self._cut_at, self._sure, self._passes = self.bits, now, None, 0
        self.bits = max(LEAST, passed if self.bits is None else min(self.bits, passed))
        return self.bits != before

    def probe(self, sent: float, needed: float, now: float) -> float | None:
        """Bits a second of padding to send for PROBE_SECONDS from now on; None when it is not the time. `needed` is the
        rate of everything the page has use for.
        """
        if self.bits is None or self._target is not None or now - self._trouble_at < QUIET_SECONDS:
            return None
        self._target = min(max(self.bits, sent) * (STEP if self._passes < LEAP_AFTER else LEAP), needed * ROOM)
        self._probe_ends = now + PROBE_SECONDS + VERDICT_SECONDS
        return max(0.0, self._target - sent)

    def passed(self, needed: float, now: float) -> bool:
        """True when a probe has just gone by without trouble, and the budget is a larger one, or has no limit again."""
        if self._target is None or now < self._probe_ends:
            return False
        target, self._target, self._sure = self._target, None, self.bits
        self._passes += 1
        self.bits = None if target >= needed * ROOM else max(self.bits or 0.0, target)
        return True
