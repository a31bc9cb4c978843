"""Connectivity checks beside aioice's codec, and whatever a stranger may send in their place."""

from __future__ import annotations

from aioice import stun
from hypothesis import given
from hypothesis import strategies as st

from signaling.media import checks

PASSWORD = b"a password of twenty-four"
NAMES = st.text(st.characters(codec="ascii", exclude_characters=":"), min_size=1, max_size=40)
ADDRESSES = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)).map(str)


def request(name: str = "ours:theirs", *, nominates: bool = False) -> bytes:
    """A check as a browser's would be."""
    message = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
    message.attributes |= {"USERNAME": name, "PRIORITY": 1, "ICE-CONTROLLING": 2}
    if nominates:
        message.attributes["USE-CANDIDATE"] = None
    message.add_message_integrity(PASSWORD)
    return bytes(message)


@given(ours=NAMES, theirs=NAMES, nominates=st.booleans())
def test_a_browsers_check_is_read_and_its_maker_known(ours: str, theirs: str, nominates: bool) -> None:
    datagram = request(f"{ours}:{theirs}", nominates=nominates)
    check = checks.read(memoryview(datagram))
    assert check is not None
    assert (check.ufrag, check.nominates) == (ours, nominates)
    assert checks.is_authentic(datagram, check, PASSWORD)
    assert not checks.is_authentic(datagram, check, PASSWORD + b"!")


@given(host=ADDRESSES, port=st.integers(1, 65535))
def test_the_answer_is_what_a_browser_accepts(host: str, port: int) -> None:
    datagram = request()
    check = checks.read(datagram)
    assert check is not None
    answer = stun.parse_message(checks.answer(check, host, port, PASSWORD))  # verifies the fingerprint
    assert answer.check_message_integrity(PASSWORD)
    assert answer.transaction_id == stun.parse_message(datagram).transaction_id
    assert answer.attributes["XOR-MAPPED-ADDRESS"] == (host, port)


@given(where=st.integers(0, 200), bit=st.integers(0, 7))
def test_a_single_changed_bit_before_the_integrity_is_noticed(where: int, bit: int) -> None:
    changed = bytearray(request())
    end = len(changed) - checks.FINGERPRINT_BYTES
    changed[where % end] ^= 1 << bit
    check = checks.read(bytes(changed))
    assert check is None or not checks.is_authentic(bytes(changed), check, PASSWORD)


@given(datagram=st.binary(max_size=2000))
def test_noise_is_no_check(datagram: bytes) -> None:
    assert checks.read(datagram) is None


@given(body=st.binary(max_size=600), cut=st.integers(0, 200))
def test_noise_behind_a_right_header_and_cut_checks_are_read_without_an_error(body: bytes, cut: int) -> None:
    header = bytes.fromhex("0001") + len(body).to_bytes(2, "big") + bytes.fromhex("2112a442") + bytes(12)
    check = checks.read(header + body)
    assert check is None or not checks.is_authentic(header + body, check, PASSWORD)
    whole = request()
    assert checks.read(whole[: min(cut, len(whole) - 1)]) is None


def test_a_nomination_behind_the_integrity_does_not_count() -> None:
    whole = request()
    forged = bytearray(whole[: -checks.FINGERPRINT_BYTES] + bytes.fromhex("00250000"))
    forged[2:4] = (len(forged) - checks.HEADER_BYTES).to_bytes(2, "big")
    check = checks.read(bytes(forged))
    assert check is not None
    assert not check.nominates
