"""Addresses, passwords and the generations of refresh tokens, without a database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from server.accounts.rules import Judged, common_passwords, expiry, is_email, judge, normal_email, password_fault

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "given", ["ana@example.org", " Ana@Example.ORG ", "o'brien+class@mail.example.co.uk", "jürgen@bücher.example"]
)
def test_usual_addresses_are_addresses(given: str) -> None:
    assert is_email(normal_email(given))


@pytest.mark.parametrize(
    "given",
    [
        "",
        "ana",
        "ana@",
        "@example.org",
        "ana@localhost",
        "ana@example.o",
        "ana@exam ple.org",
        "ana@example.org, bo@example.org",
        "ana@example.org\x00",
        "ana\ud800@example.org",
        "Ana <ana@example.org>",
        "a@" + "b" * 250 + ".org",
        "ana\n@example.org",
    ],
)
def test_what_cannot_be_an_address_is_not_one(given: str) -> None:
    assert not is_email(normal_email(given))


def test_one_person_has_one_spelling() -> None:
    assert normal_email("ANA@Example.org ") == normal_email("ana@example.org")
    assert normal_email("ju\u0308rgen@example.org") == normal_email("j\u00fcrgen@example.org")


@pytest.mark.parametrize(
    ("password", "word"),
    [
        ("short", "at least 8"),
        ("password1", "guess"),
        ("PASSWORD1", "guess"),
        ("aaaaaaaaaaaa", "guess"),
        ("ana@example.org", "your name"),
        ("Ana Castro", "your name"),
        ("x" * 1025, "at most"),
    ],
)
def test_weak_passwords_are_refused_with_the_reason(password: str, word: str) -> None:
    assert word in (password_fault(password, email="ana@example.org", name="Ana Castro") or "")


@pytest.mark.parametrize(
    "password", ["correct horse battery", "ein Dampfschiff", "пароль-для-класса", "🦊🦊🦊🦊🌲🌲🌲🌲", "x7" * 100]
)
def test_long_enough_passwords_are_fine_in_any_script(password: str) -> None:
    assert password_fault(password, email="ana@example.org", name="Ana") is None


def test_the_list_of_common_passwords_is_there() -> None:
    assert len(common_passwords()) == 5000


@pytest.mark.parametrize(
    ("presented", "seconds_later", "judged"),
    [
        (7, 0, Judged.CURRENT),
        (7, 1_000_000, Judged.CURRENT),
        (6, 0, Judged.PREVIOUS),
        (6, 30, Judged.PREVIOUS),
        (6, 31, Judged.REUSED),
        (5, 0, Judged.REUSED),
        (0, 5, Judged.REUSED),
        (9, 0, Judged.CURRENT),
    ],
)
def test_a_refresh_token_is_judged_by_its_generation(presented: int, seconds_later: int, judged: Judged) -> None:
    assert judge(presented, 7, NOON, NOON + timedelta(seconds=seconds_later)) is judged


def test_a_sign_in_runs_out_when_unused_and_at_the_latest_after_sixty_days() -> None:
    assert expiry(NOON, NOON) == NOON + timedelta(days=14)
    assert expiry(NOON, NOON + timedelta(days=55)) == NOON + timedelta(days=60)
