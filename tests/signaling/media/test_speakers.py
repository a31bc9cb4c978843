"""Who speaks, from the levels of packets."""

from __future__ import annotations

from signaling.media.speakers import BEGINS, ENOUGH, REMEMBERED, Speakers

ANA, BO = 1, 2
VOICE, HUM = 30, 70


def says(speakers: Speakers, user: int, *levels: int) -> int:
    """How often that was a beginning."""
    return sum(speakers.hear(user, level) for level in levels)


def test_somebody_speaks_after_a_stretch_of_loud_packets_and_not_at_a_cough() -> None:
    speakers = Speakers()
    assert says(speakers, ANA, *[VOICE] * (BEGINS - 1), *[HUM] * BEGINS) == 0
    assert speakers.now == frozenset()
    assert says(speakers, ANA, *[VOICE, VOICE, HUM] * 3 * BEGINS) == 1
    assert speakers.now == {ANA}
    assert speakers.lately == (ANA,)


def test_a_breath_is_no_end_and_silence_is() -> None:
    speakers = Speakers()
    says(speakers, ANA, *[VOICE] * 2 * ENOUGH)
    says(speakers, ANA, *[HUM] * (ENOUGH - 1))
    assert speakers.now == {ANA}
    says(speakers, ANA, HUM)
    assert speakers.now == frozenset()
    assert speakers.lately == (ANA,)


def test_the_last_to_begin_comes_first_and_the_first_does_not_begin_twice() -> None:
    speakers = Speakers()
    says(speakers, ANA, *[VOICE] * BEGINS)
    says(speakers, BO, *[VOICE] * BEGINS)
    assert speakers.lately == (BO, ANA)
    says(speakers, BO, *[HUM] * ENOUGH)
    assert says(speakers, BO, *[VOICE] * BEGINS) == 0
    speakers.forget(BO)
    assert BO not in speakers.lately
    assert speakers.now == {ANA}


def test_what_is_remembered_has_a_bound() -> None:
    speakers = Speakers()
    for user in range(2 * REMEMBERED):
        says(speakers, user, *[VOICE] * BEGINS, *[HUM] * ENOUGH)
    assert len(speakers.lately) == REMEMBERED
    assert not speakers.now
