"""Whether a connection stands between two requests is known, or not claimed, wherever the network cuts."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.http.early import Following

GET = b"GET /a?b=c HTTP/1.1\r\nHost: x\r\nRange: bytes=0-9\r\n\r\n"
POST = b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 14\r\n\r\n\r\n\r\nGET / HTTP"
REQUESTS = st.lists(st.sampled_from([GET, POST]), min_size=1, max_size=5)


@settings(max_examples=200, deadline=None)
@given(requests=REQUESTS, cuts=st.lists(st.integers(1, 400), max_size=6))
async def test_it_is_never_said_in_the_middle_of_one(requests: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(requests)
    ends = {len(b"".join(requests[:count])) for count in range(len(requests) + 1)}
    following = Following()
    for start, end in pairwise([0, *sorted({cut for cut in cuts if cut < len(stream)}), len(stream)]):
        following.passed_on(stream[start:end])
        assert not following.is_between or end in ends


async def test_it_is_said_after_each_that_came_alone_and_after_a_body_in_pieces() -> None:
    following = Following()
    for data, is_between in [(GET, True), (POST[:-9], False), (POST[-9:-1], False), (POST[-1:], True), (GET, True)]:
        following.passed_on(data)
        assert following.is_between == is_between


@pytest.mark.parametrize(
    "data",
    [
        GET + GET,
        GET[:-2],
        POST + b"x",
        b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length : 5\r\n\r\n",
        b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5, 5\r\n\r\n",
        b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
        b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: +5\r\n\r\n",
        b"GET /a HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        b"GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"GET /a HTTP/1.1\nHost: x\r\n\r\n",
        b"GET /a HTTP/1.0\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01",
    ],
)
async def test_what_is_not_of_the_plainest_form_ends_it_for_good(data: bytes) -> None:
    following = Following()
    for each in (data, GET):
        following.passed_on(each)
        assert not following.is_between
