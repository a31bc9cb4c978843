"""What other processes say of their connections, in any order and with losses, comes to the same counts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from signaling.rooms.headcount import ANYWHERE, Elsewhere, Headcount, Key

BO, CLEO, ROOM = 1, 2, 70


def test_counts_by_person_and_room() -> None:
    count = Headcount()
    for key in ((BO, ANYWHERE), (BO, ANYWHERE), (BO, ROOM), (CLEO, ANYWHERE)):
        count.add(key, 1)
    assert (count[BO, ANYWHERE], count[BO, ROOM], count[CLEO, ROOM]) == (2, 1, 0)
    assert (count.rooms(), count.rooms_of(BO), count.rooms_of(CLEO)) == ({ROOM}, [ROOM], [])
    count.add((BO, ROOM), -1)
    count.add((CLEO, ROOM), -1)
    assert (count.rooms(), dict(count.items())) == (set(), {(BO, ANYWHERE): 2, (CLEO, ANYWHERE): 1})


def test_two_processes_add_up_and_one_that_ends_is_taken_off() -> None:
    elsewhere = Elsewhere()
    assert elsewhere.hear(5, 1, [(BO, ANYWHERE, 2), (BO, ROOM, 1)]) == {(BO, ANYWHERE), (BO, ROOM)}
    assert elsewhere.read(6, 3, {(BO, ANYWHERE): 1}) == {(BO, ANYWHERE)}
    assert elsewhere.total[BO, ANYWHERE] == 3
    assert elsewhere.forget([5]) == {(BO, ANYWHERE), (BO, ROOM)}
    assert dict(elsewhere.total.items()) == {(BO, ANYWHERE): 1}


def test_the_database_does_not_put_back_what_was_heard_after_it() -> None:
    elsewhere = Elsewhere()
    elsewhere.hear(5, 4, [(BO, ANYWHERE, 0), (CLEO, ANYWHERE, 1)])
    assert elsewhere.read(5, 3, {(BO, ANYWHERE): 1}) == set()
    assert dict(elsewhere.total.items()) == {(CLEO, ANYWHERE): 1}
    assert elsewhere.hear(5, 2, [(BO, ANYWHERE, 9)]) == set()


@given(st.lists(st.tuples(st.sampled_from([BO, CLEO]), st.integers(0, 3), st.booleans(), st.booleans()), max_size=30))
def test_lost_words_are_healed_by_the_next_reading(steps: list[tuple[int, int, bool, bool]]) -> None:
    elsewhere, truth, version = Elsewhere(), dict[Key, int](), 0
    for user_id, connections, is_lost, is_read in steps:
        truth[user_id, ANYWHERE] = connections
        version += 1
        if not is_lost:
            elsewhere.hear(5, version, [(user_id, ANYWHERE, connections)])
        if is_read:
            version += 1
            elsewhere.read(5, version, {key: n for key, n in truth.items() if n})
            assert dict(elsewhere.total.items()) == {key: n for key, n in truth.items() if n}
