"""What a subscriber's link carries, from reports and probes, without waiting."""

from __future__ import annotations

from signaling.media.budget import LEAP, ROOM, STEP, Budget, Heard
from signaling.media.dtls import rtp
from signaling.media.pressure import Reports

NEEDED, LINK = 1_300_000.0, 300_000


class Story:
    """A budget, its clock, and what is sent."""

    def __init__(self) -> None:
        self.budget = Budget()
        self.now = 100.0
        self.sent = NEEDED
        self.tells(estimate=2_000_000, loss=0.0, round_trip=0.02)

    def tells(
        self,
        estimate: int | None = None,
        loss: float | None = None,
        round_trip: float | None = None,
        after: float = 0.25,
    ) -> bool:
        """The browser, a moment later."""
        self.now += after
        return self.budget.hear(Heard(estimate, loss, round_trip), self.sent, self.now)

    def squeezed(self) -> Story:
        """The link has become a narrow one, and it was noticed."""
        assert self.tells(estimate=255_000)
        self.sent = 200_000
        return self

    def probes(self) -> float | None:
        """Padding, if it is the time."""
        return self.budget.probe(self.sent, NEEDED, self.now)

    def waits(self, seconds: float) -> Story:
        """In peace."""
        self.now += seconds
        return self

    def passes(self) -> bool:
        """A probe goes by without trouble."""
        assert self.probes()
        return self.waits(0.6).budget.passed(NEEDED, self.now)


def test_without_trouble_there_is_no_limit_and_nothing_is_tried() -> None:
    story = Story()
    for estimate in (300_000, 324_000, 350_000):
        assert not story.tells(estimate=max(estimate, 300_000), loss=0.0, round_trip=0.02) or estimate == 300_000
    story = Story()
    for step in range(20):
        assert not story.tells(estimate=2_000_000 + step, loss=0.03, round_trip=0.02)
    assert story.budget.bits is None
    assert story.probes() is None


def test_a_low_estimate_means_nothing_while_it_rises() -> None:
    budget = Budget()
    for estimate in (200_000, 216_000, 233_000):
        assert not budget.hear(Heard(estimate=estimate), NEEDED, 1.0)
    assert budget.bits is None


def test_an_estimate_that_falls_below_what_is_sent_is_the_budget() -> None:
    story = Story().squeezed()
    assert story.budget.bits == 255_000
    assert story.tells(estimate=200_000) is False  # that is what is sent now; nobody complains of more
    assert story.budget.bits == 255_000


def test_an_estimate_that_falls_a_little_is_not() -> None:
    story = Story()
    assert not story.tells(estimate=int(NEEDED * 0.85))
    assert story.budget.bits is None


def test_loss_that_repairs_cope_with_is_no_trouble_and_far_more_is_when_it_lasts() -> None:
    story = Story()
    for loss in (0.1, 0.2, 0.5, 0.1, 0.24, 0.24):
        assert not story.tells(loss=loss)
    assert not story.tells(loss=0.5)
    assert story.tells(loss=0.5)
    assert story.budget.bits == NEEDED * 0.5 * 0.85


def test_a_round_trip_that_has_grown_twice_running_is_a_queue_and_once_is_a_busy_machine() -> None:
    story = Story()
    for trip in (0.5, 0.02, 0.5):
        assert not story.tells(round_trip=trip)
    assert story.tells(round_trip=0.5)
    assert story.budget.bits is not None


def test_reports_that_tell_of_before_a_cut_are_not_counted_twice() -> None:
    story = Story().squeezed()
    for _ in range(4):
        assert not story.tells(loss=0.8, round_trip=0.5)
    assert story.budget.bits == 255_000


def test_sound_is_never_budgeted_away() -> None:
    story = Story()
    assert story.tells(estimate=3_000)
    assert story.budget.bits == 40_000


def test_more_is_tried_in_steps_after_some_quiet_and_becomes_the_budget_when_nobody_complains() -> None:
    story = Story().squeezed()
    assert story.waits(0.5).probes() is None
    padding = story.waits(1.2).probes()
    assert padding == 255_000 * STEP - story.sent
    assert story.probes() is None  # one at a time
    assert not story.budget.passed(NEEDED, story.now)
    assert story.waits(0.6).budget.passed(NEEDED, story.now)
    assert story.budget.bits == 255_000 * STEP
    assert story.passes()
    assert story.budget.bits == 255_000 * STEP * STEP
    assert story.passes()  # a leap
    assert LEAP * STEP**2 * 255_000 > NEEDED * ROOM
    assert story.budget.bits is None


def test_a_probe_somebody_complains_of_changes_nothing_but_takes_back_the_one_before() -> None:
    story = Story().squeezed().waits(2)
    assert story.probes()
    assert not story.tells(estimate=190_000)
    assert story.budget.bits == 255_000
    assert story.probes() is None
    assert story.waits(2).passes()
    assert story.probes()
    assert story.tells(estimate=150_000)
    assert story.budget.bits == 255_000


def test_a_freed_link_is_whole_again_within_five_seconds_of_the_last_failure() -> None:
    story = Story().squeezed().waits(2)
    assert story.probes()
    story.tells(estimate=190_000)
    failed = story.now
    while story.budget.bits is not None:
        story.waits(0.1)
        story.probes()
        story.budget.passed(NEEDED, story.now)
        assert story.now - failed < 4.5


def report(newest: int, lost: int) -> rtp.RtcpRrPacket:
    """A browser's report about stream 7; what it lost of late it thinks to be half."""
    block = rtp.RtcpReceiverInfo(
        ssrc=7, fraction_lost=128, packets_lost=lost, highest_sequence=newest, jitter=0, lsr=0, dlsr=0
    )
    return rtp.RtcpRrPacket(ssrc=1, reports=[block])


def test_loss_is_told_over_enough_packets_to_mean_something() -> None:
    reports = Reports([7])
    told = [reports.read([report(newest, lost)]).loss for newest, lost in ((20, 0), (32, 6), (119, 17), (121, 20))]
    assert told == [None, None, None, 20 / 101]
    assert reports.read([report(241, 104)]).loss == 84 / 120
    assert reports.read([report(5, 0)]).loss is None  # it began anew
    assert reports.read([report(105, 10)]).loss == 0.1
