"""Numbers of an outgoing line across cuts, and back to the source's own."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from signaling.media.cache import Packet, PacketCache
from signaling.media.numbering import REMEMBERED_CUTS, Numbering


def a_packet(seq: int) -> Packet:
    """With this extended number."""
    return Packet(seq, 0, 0, 0, b"x")


def test_numbers_go_on_by_one_at_a_cut_and_gaps_of_the_source_are_kept() -> None:
    line: Numbering[str] = Numbering(99)
    ana = line.cut("ana", 5000, 0)
    assert [(seq + ana.add_seq) & 0xFFFF for seq in (5000, 5001, 5003)] == [100, 101, 103]
    line.reach(5003)
    bo = line.cut("bo", 65535, 0)
    assert [(seq + bo.add_seq) & 0xFFFF for seq in (65535, 65536, 65538)] == [104, 105, 107]


def test_a_number_a_browser_asks_for_leads_back_to_the_source_it_came_from() -> None:
    line: Numbering[str] = Numbering(0)
    ana = line.cut("ana", 100, 7)
    line.reach(101)
    bo = line.cut("bo", 500, 9)
    assert line.origin((101 + ana.add_seq) & 0xFFFF) == (ana, 101)
    assert line.origin((500 + bo.add_seq) & 0xFFFF) == (bo, 500)


def test_also_after_more_packets_than_there_are_numbers() -> None:
    line: Numbering[str] = Numbering(0)
    ana = line.cut("ana", 0, 0)
    line.reach(200_000)
    assert line.origin((199_500 + ana.add_seq) & 0xFFFF) == (ana, 199_500)


def test_only_the_last_cuts_are_remembered() -> None:
    line: Numbering[int] = Numbering(0)
    first = line.cut(-1, 0, 0)
    for source in range(REMEMBERED_CUTS):
        line.cut(source, 0, 0)
    assert line.origin((0 + first.add_seq) & 0xFFFF) is None


def test_the_memory_of_a_source_is_bounded_and_takes_each_number_once() -> None:
    cache = PacketCache(4)
    assert [cache.put(a_packet(seq), newest=max(seq, 10)) for seq in (10, 11, 10)] == [True, True, False]
    assert not cache.put(a_packet(7), newest=11), "too old to know whether it was here"
    assert cache.put(a_packet(8), newest=11)
    for seq in range(12, 16):
        assert cache.put(a_packet(seq), newest=seq)
    assert [cache.get(seq) is not None for seq in (8, 10, 11, 12, 15, 16)] == [False, False, False, True, True, False]
    cache.clear()
    assert cache.get(15) is None


@given(st.integers(0, 0x3FFF), st.lists(st.tuples(st.integers(0, 200_000), st.integers(1, 50)), min_size=1, max_size=6))
def test_every_number_of_the_last_cuts_is_used_once_and_is_reversed_exactly(
    start: int, runs: list[tuple[int, int]]
) -> None:
    line: Numbering[int] = Numbering(start)
    sent: dict[int, tuple[int, int]] = {}
    for source, (first, count) in enumerate(runs):
        segment = line.cut(source, first, 0)
        for seq in range(first, first + count):
            number = (seq + segment.add_seq) & 0xFFFF
            assert number not in sent
            sent[number] = (source, seq)
        line.reach(first + count - 1)
    for number, (source, seq) in sent.items():
        found = line.origin(number)
        if source >= len(runs) - REMEMBERED_CUTS:
            assert found is not None
            assert (found[0].source, found[1]) == (source, seq)
        else:
            assert found is None
