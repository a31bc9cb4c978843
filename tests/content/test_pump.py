"""What is read in a thread is written up to the mark and no further, wherever the network cuts; what fails ends it."""

from __future__ import annotations

import random
import socket
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.content.disk import Disk
from server.content.uploads import pump
from server.content.uploads.pump import Pace, Poured, pour

MARK = b"\r\n------wave"
PIECES = st.sampled_from([b"\r\n", b"\r", b"--", b"-", b"\r\n------wav", b"------wave", b"x" * 40, b"\0\xff" * 300])


@dataclass
class Body:
    """A body of `left` bytes; they are given to `near`."""

    left: int
    woken_at: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.near, self.line = socket.socketpair()
        self.line.setblocking(False)

    def wake_at(self, count: int) -> None:
        self.woken_at.append(count)

    def close(self) -> None:
        self.near.close()
        self.line.close()


@pytest.fixture(scope="module")
def disk() -> Iterator[Disk]:
    made = Disk(1)
    yield made
    made.close()


def poured(disk: Disk, pieces: Sequence[bytes], mark: bytes, left: int) -> tuple[bytes, Poured]:
    """What was written of a body that comes in `pieces`, a turn for each, and what the last turn left."""
    body, written = Body(left), bytearray()
    try:
        last = Poured(b"")
        for piece in pieces:
            body.near.sendall(piece)
            last = pour(body, last.held, mark, written.extend, disk)
            if last.is_found:
                break
        return bytes(written), last
    finally:
        body.close()


@settings(max_examples=150, deadline=None)
@given(
    content=st.lists(PIECES, max_size=12).map(b"".join).filter(lambda c: MARK not in c + MARK[:-1]),
    rest=st.sampled_from([b"", b"--\r\n", b"\r\nmore" + MARK]),
    cuts=st.lists(st.integers(0, 4000), max_size=8),
)
def test_all_before_the_mark_is_written_and_the_rest_is_handed_back(
    disk: Disk, content: bytes, rest: bytes, cuts: list[int]
) -> None:
    whole = content + MARK + rest
    places = [0, *sorted({cut for cut in cuts if 0 < cut < len(whole)}), len(whole)]
    pieces = [whole[start:end] for start, end in pairwise(places)]
    written, last = poured(disk, pieces, MARK, len(whole))
    assert written == content
    assert last.is_found
    assert (MARK + rest).startswith(last.held)


def test_without_a_mark_everything_is_written_at_once_and_no_byte_beyond_the_body_is_read(disk: Disk) -> None:
    body, written = Body(5), bytearray()
    body.near.sendall(b"12345GET / HTTP/1.1")
    assert pour(body, b"", b"", written.extend, disk) == Poured(b"")
    assert bytes(written) == b"12345" and body.left == 0
    assert body.line.recv(100) == b"GET / HTTP/1.1"
    body.close()


def test_a_sender_who_stops_or_leaves_is_told_apart(disk: Disk) -> None:
    body, written = Body(1000), bytearray()
    assert pour(body, b"held", b"", written.extend, disk).is_starved
    body.near.sendall(b"and more")
    assert pour(body, b"", b"", written.extend, disk).is_starved
    body.near.sendall(b", the last")
    body.near.close()
    assert pour(body, b"", b"", written.extend, disk) == Poured(b"", is_ended=True)
    assert written == b"heldand more, the last"
    assert body.left == 1000 - len(b"and more, the last")
    body.close()


def test_a_large_body_comes_in_turns_in_order(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pump, "TURN_BYTES", 1_500_000)
    data, written = random.Random(1).randbytes(5_000_000), bytearray()
    body = Body(len(data) + len(MARK))
    sender = threading.Thread(target=body.near.sendall, args=(data + MARK,))
    sender.start()
    last, turns = Poured(b""), 0
    while not last.is_found:
        before = body.left
        last = pour(body, last.held, MARK, written.extend, disk)
        assert before - body.left <= 1_500_000
        turns += 1
    sender.join()
    assert written == data
    assert turns >= 4
    body.close()


def test_a_write_that_fails_ends_the_turn_and_nothing_is_written_after_it(disk: Disk) -> None:
    body, count = Body(3_000_000), 0

    def write(data: memoryview) -> None:
        nonlocal count
        count += 1
        raise OSError(28, "No space left on device")

    body.near.sendall(bytes(100_000))  # so that the turn finds something
    sender = threading.Thread(target=_sent, args=(body.near, bytes(2_900_000)))
    sender.start()
    with pytest.raises(OSError, match="No space"):
        pour(body, b"", MARK, write, disk)
    body.close()
    sender.join()
    assert count == 1


def _sent(line: socket.socket, data: bytes) -> None:
    try:
        line.sendall(data)
    except OSError:
        pass  # nobody reads it any more


def test_only_what_comes_fast_is_worth_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("server.content.uploads.pump.time.monotonic", lambda: now)
    pace = Pace()
    said = []
    for size, at in [(100_000, 0.01), (600_000, 0.05), (700_000, 0.06), (1_200_000, 5.0), (1_800_000, 5.05)]:
        now = at
        said.append(pace.is_fast(size))
    assert said == [False, True, False, False, True]
