"""Numbers of an outgoing line across cuts, and back to the source's own."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from signaling.media.numbering import REMEMBERED_CUTS, Numbering


def test_numbers_go_on_by_one_at_a_cut_and_gaps_of_the_source_are_kept() -> None:
    line: Numbering[str] = Numbering(99)
    line.cut("ana", 5000, 0)
    assert [line.carry(seq) for seq in (5000, 5001, 5003)] == [100, 101, 103]
    line.cut("bo", 65535, 0)
    assert [line.carry(seq) for seq in (65535, 0, 2)] == [104, 105, 107]


def test_a_late_packet_gets_its_own_number_and_one_from_before_the_cut_none() -> None:
    line: Numbering[str] = Numbering(0)
    line.cut("ana", 10, 0)
    assert [line.carry(seq) for seq in (10, 13, 11)] == [1, 4, 2]
    assert line.carry(9) == -1


def test_before_the_cut_is_told_from_after_also_when_32768_numbers_have_gone_by() -> None:
    line: Numbering[str] = Numbering(0)
    line.cut("ana", 0, 0)
    for seq in range(40_000):
        line.carry(seq & 0xFFFF)
    assert line.carry((40_000 - 20_000) & 0xFFFF) == (line.seq - 19_999) & 0xFFFF


def test_a_number_a_browser_asks_for_leads_back_to_the_source_it_came_from() -> None:
    line: Numbering[str] = Numbering(0)
    line.cut("ana", 100, 7)
    sent = line.carry(100)
    line.carry(101)
    line.cut("bo", 500, 9)
    assert line.origin(line.carry(500)) == (line.segments[-1], 500)
    found = line.origin(sent)
    assert found is not None
    assert (found[0].source, found[0].add_time, found[1]) == ("ana", 7, 100)


def test_only_the_last_cuts_are_remembered() -> None:
    line: Numbering[int] = Numbering(0)
    line.cut(-1, 0, 0)
    first = line.carry(0)
    for source in range(REMEMBERED_CUTS):
        line.cut(source, 0, 0)
        line.carry(0)
    assert line.origin(first) is None


@given(st.integers(0, 0x3FFF), st.lists(st.tuples(st.integers(0, 0xFFFF), st.integers(1, 50)), min_size=1, max_size=6))
def test_every_number_of_the_last_cuts_is_used_once_and_is_reversed_exactly(
    start: int, runs: list[tuple[int, int]]
) -> None:
    line: Numbering[int] = Numbering(start)
    sent: dict[int, tuple[int, int]] = {}
    for source, (first, count) in enumerate(runs):
        line.cut(source, first, 0)
        for step in range(count):
            number = line.carry((first + step) & 0xFFFF)
            assert number not in sent
            sent[number] = (source, (first + step) & 0xFFFF)
    for number, (source, seq) in sent.items():
        found = line.origin(number)
        if source >= len(runs) - REMEMBERED_CUTS:
            assert found is not None
            assert (found[0].source, found[1]) == (source, seq)
        else:
            assert found is None
