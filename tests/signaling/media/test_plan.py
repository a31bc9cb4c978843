"""Who sits where on the stage: from plain values, for one viewer at a time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from signaling.media.plan import NOBODY, POOL, Binding, bind, permitted, seat

ANA, BO, CLEO, DIO, EVA, FAY = 1, 2, 3, 4, 5, 6
SPEAKS = frozenset({"microphone", "camera"})
SHOWS = frozenset({"microphone", "camera", "screen", "screen_audio"})


def test_the_first_of_the_order_has_the_stage_and_those_with_the_floor_follow_in_order() -> None:
    published = {ANA: SPEAKS, CLEO: SPEAKS, BO: SPEAKS}
    assert seat([ANA, CLEO, BO], published, DIO, NOBODY) == (ANA, None, CLEO, BO, None)


def test_nobody_receives_what_they_send() -> None:
    published = {ANA: SHOWS, BO: SPEAKS}
    assert seat([ANA, BO], published, ANA, NOBODY) == (None, None, BO, None, None)
    assert seat([ANA, BO], published, BO, NOBODY) == (ANA, ANA, None, None, None)


def test_a_guest_keeps_the_slot_when_the_one_before_leaves() -> None:
    before = seat([ANA, BO, CLEO], {BO: SPEAKS, CLEO: SPEAKS}, DIO, NOBODY)
    assert before == (None, None, BO, CLEO, None)
    after = seat([ANA, CLEO, EVA], {CLEO: SPEAKS, EVA: SPEAKS}, DIO, before)
    assert after == (None, None, EVA, CLEO, None)


def test_more_guests_than_slots_shows_the_earliest_of_the_order() -> None:
    published = dict.fromkeys((BO, CLEO, EVA, FAY), SPEAKS)
    assert seat([ANA, FAY, BO, CLEO, EVA], published, DIO, NOBODY)[2:] == (FAY, BO, CLEO)


def test_with_more_guests_than_slots_those_who_spoke_last_have_them_and_nobody_moves_without_need() -> None:
    published = dict.fromkeys((ANA, BO, CLEO, EVA, FAY), SPEAKS)
    order = [ANA, BO, CLEO, EVA, FAY]
    before = seat(order, published, DIO, NOBODY)
    assert before[2:] == (BO, CLEO, EVA)
    assert seat(order, published, DIO, before, lately=(EVA, BO)) == before
    after = seat(order, published, DIO, before, lately=(FAY, EVA, BO))
    assert after[2:] == (BO, FAY, EVA)
    assert after[0] == ANA
    assert seat(order, published, DIO, after, lately=(FAY, EVA, BO)) == after
    assert seat(order, {ANA: SPEAKS, BO: SPEAKS}, DIO, NOBODY, lately=(FAY, ANA))[2:] == (BO, None, None)


def test_of_seated_guests_so_many_are_seen_as_the_limit_says_those_who_spoke_last_first_and_all_are_heard() -> None:
    published = dict.fromkeys((ANA, BO, CLEO, EVA), SPEAKS)
    seats = (ANA, None, BO, CLEO, EVA)
    for faces, seen in ((None, {BO, CLEO, EVA}), (2, {EVA, BO}), (1, {EVA}), (0, set())):
        bindings = bind(seats, published, lately=(EVA,), faces=faces)
        cameras = {b.user_id for b in bindings.values() if b and b.source == "camera"}
        assert cameras == {ANA, *seen}
        assert {b.user_id for b in bindings.values() if b and b.source == "microphone"} == {ANA, BO, CLEO, EVA}


def test_a_limit_is_not_spent_on_whoever_has_no_camera() -> None:
    published = {BO: frozenset({"microphone"}), CLEO: SPEAKS}
    assert bind((None, None, BO, CLEO, None), published, lately=(BO,), faces=1)["7"] == Binding(CLEO, "camera")


def test_who_may_speak_without_the_floor_comes_after_those_who_have_it() -> None:
    published = {BO: SPEAKS, CLEO: SPEAKS}
    assert seat([ANA, CLEO], published, DIO, NOBODY)[2:] == (CLEO, BO, None)


def test_a_screen_of_a_guest_goes_to_the_screen_slot() -> None:
    published = {ANA: SPEAKS, BO: SHOWS}
    assert seat([ANA, BO], published, DIO, NOBODY) == (ANA, BO, BO, None, None)


def test_the_lines_of_a_slot_carry_only_what_its_holder_publishes() -> None:
    bindings = bind((ANA, None, BO, None, None), {ANA: frozenset({"microphone"}), BO: frozenset({"camera"})})
    assert bindings["0"] == Binding(ANA, "microphone")
    assert bindings["1"] is None
    assert bindings["4"] is None
    assert bindings["5"] == Binding(BO, "camera")
    assert len(bindings) == 2 * len(POOL) == 10


def test_only_what_is_both_negotiated_and_permitted_counts() -> None:
    may = {ANA: frozenset({"microphone", "camera"}), BO: frozenset({"camera"})}
    negotiated = [(ANA, "camera"), (ANA, "screen"), (CLEO, "camera")]
    assert permitted(may, negotiated) == {ANA: frozenset({"camera"})}


USERS = st.integers(1, 8)
PUBLISHED = st.dictionaries(USERS, st.frozensets(st.sampled_from(sorted(SHOWS))))


@given(st.lists(USERS, unique=True), PUBLISHED, PUBLISHED, USERS)
def test_whatever_happens_no_one_is_seated_twice_and_a_full_plan_is_stable(
    order: list[int], first: dict[int, frozenset[str]], second: dict[int, frozenset[str]], viewer: int
) -> None:
    held = seat(order, first, viewer, NOBODY)
    seats = seat(order, second, viewer, held)
    faces = [user for user, slot in zip(seats, POOL, strict=True) if user is not None and slot.audio == "microphone"]
    assert len(faces) == len(set(faces))
    assert viewer not in seats
    assert seat(order, second, viewer, seats) == seats
    for binding in bind(seats, second).values():
        assert binding is None or binding.source in second[binding.user_id]
