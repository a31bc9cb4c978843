"""Whatever bytes a client sends: understood or `Malformed`, never another error."""

from __future__ import annotations

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from signaling.transport import packets
from signaling.transport.intake import Malformed, packets_of, split
from signaling.transport.wire import RECORD_SEPARATOR, dumps, framed, loads, polling_body

ALPHABET = st.sampled_from(
    [*'0123456-/,?"[]{}:nul_eventtrue \\u²٣\x1e\x00b=é', "/live", '"_placeholder":true', '"num":0']
)
GARBAGE = st.lists(ALPHABET, max_size=40).map("".join) | st.text(max_size=40)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@given(GARBAGE)
def test_a_socket_packet_is_parsed_or_malformed(text: str) -> None:
    with contextlib.suppress(Malformed):
        packet = packets.parse(text)
        assert packet.packet_type in (0, 1, 2, 3, 5, 6)
        assert packet.namespace.startswith("/")


@given(GARBAGE | st.binary(max_size=40))
def test_an_engine_packet_is_split_or_malformed(data: str | bytes) -> None:
    with contextlib.suppress(Malformed):
        kind, _ = split(data)
        assert kind in set("0123456")


@given(GARBAGE, st.integers(1, 5))
def test_a_polling_body_is_split_within_its_bound_or_malformed(body: str, most: int) -> None:
    with contextlib.suppress(Malformed):
        assert len(packets_of(body, most)) <= most


@given(st.lists(st.text().map(lambda t: "4" + t.replace(RECORD_SEPARATOR, "")) | st.binary(), min_size=1, max_size=5))
def test_a_polling_body_reads_back(parts: list[str | bytes]) -> None:
    read = packets_of(polling_body(parts).decode("utf-8", "surrogatepass"), 5)
    assert ["4" + data if isinstance(data, str) else data for _, data in read] == parts


@given(JSON)
def test_json_survives_and_is_always_utf_8(value: object) -> None:
    text = dumps(value)
    assert text.encode()
    assert loads(text) == value


@given(st.integers(0, 300) | st.integers(65_530, 65_540))
def test_a_frame_says_its_length(size: int) -> None:
    payload = bytes(size)
    frame = framed(payload)
    short = frame[1]
    width = {126: 2, 127: 8}.get(short, 0)
    length = int.from_bytes(frame[2 : 2 + width], "big") if width else short
    assert (length, frame[2 + width :]) == (len(payload), payload)
