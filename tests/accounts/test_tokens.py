"""Access tokens: only what we signed, for this purpose, now. Refresh tokens: only ours, the same when asked again."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from server.accounts.tokens import REMEMBERED, Tokens, derived_key
from server.errors import TokenExpired, Unauthenticated

SECRET = "a secret of forty characters or even more"
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
KEY = derived_key(SECRET, "access-token")
tokens = Tokens(SECRET, access_seconds=600)


def claims(**changed: Any) -> dict[str, Any]:
    at = int(NOW.timestamp())
    whole = {
        "iss": "lectern",
        "aud": "lectern-api",
        "typ": "access",
        "sub": "7",
        "sid": 3,
        "jti": "x",
        "iat": at,
        "nbf": at,
        "exp": at + 600,
    }
    return {name: value for name, value in (whole | changed).items() if value is not None}


def signed(given: dict[str, Any], key: Any = KEY, algorithm: str = "HS256", **headers: Any) -> str:
    return jwt.encode(given, key, algorithm=algorithm, headers=headers or None)


def by_hand(header: Any, payload: Any, key: bytes = KEY) -> str:
    """A token no library would make, with a signature that fits."""

    def part(value: Any) -> str:
        raw = value if isinstance(value, bytes) else json.dumps(value).encode()
        return base64.urlsafe_b64encode(raw).decode().rstrip("=")

    text = f"{part(header)}.{part(payload)}"
    signature = base64.urlsafe_b64encode(hmac.digest(key, text.encode(), hashlib.sha256)).decode().rstrip("=")
    return f"{text}.{signature}"


def test_a_token_says_who_it_was_made_for() -> None:
    read = tokens.read_access(tokens.access(7, 3, NOW), NOW)
    assert (read.user_id, read.sign_in_id, read.expires_at) == (7, 3, int(NOW.timestamp()) + 600)


def test_the_corpus_is_made_like_a_good_token() -> None:
    assert tokens.read_access(signed(claims()), NOW).user_id == 7


HEADER = {"alg": "HS256", "typ": "JWT"}
FORGED: dict[str, Callable[[], str]] = {
    "nothing": lambda: "",
    "dots": lambda: "..",
    "words": lambda: "not a token",
    "no algorithm": lambda: by_hand({"alg": "none"}, claims()).rpartition(".")[0] + ".",
    "no algorithm, spelled oddly": lambda: by_hand({"alg": "nOnE"}, claims()),
    "algorithm left out": lambda: by_hand({"typ": "JWT"}, claims()),
    "a longer hash with our key": lambda: signed(claims(), algorithm="HS512"),
    "a public key": lambda: signed(claims(), rsa.generate_private_key(65537, 2048), "RS256"),
    "another key": lambda: signed(claims(), derived_key("somebody else's secret of 40 characters", "access-token")),
    "the bare secret as key": lambda: signed(claims(), SECRET.encode()),
    "the key of refresh tokens": lambda: signed(claims(), derived_key(SECRET, "refresh-token")),
    "a key by reference": lambda: signed(claims(), b"x" * 32, jku="https://example.org/keys", kid="../../dev/null"),
    "a key inside": lambda: signed(claims(), b"x" * 32, jwk={"kty": "oct", "k": "eHh4eA"}),
    "an extension we do not know": lambda: by_hand(HEADER | {"crit": ["exp"], "exp": 1}, claims()),
    "cut off": lambda: signed(claims())[:-4],
    "signature removed": lambda: signed(claims()).rpartition(".")[0] + ".",
    "another payload": lambda: ".".join(
        [signed(claims()).split(".")[0], signed(claims(sub="8")).split(".")[1], signed(claims()).split(".")[2]]
    ),
    "a refresh token": lambda: tokens.refresh(3, 0),
    "another purpose": lambda: signed(claims(typ="refresh")),
    "another audience": lambda: signed(claims(aud="lectern-media")),
    "a list of audiences": lambda: signed(claims(aud=["lectern-api"])),
    "another issuer": lambda: signed(claims(iss="lecter")),
    "issued tomorrow": lambda: signed(claims(iat=int(NOW.timestamp()) + 86_400)),
    "not valid yet": lambda: signed(claims(nbf=int(NOW.timestamp()) + 60)),
    "times as text": lambda: by_hand(HEADER, claims(exp="4000000000")),
    "time without end": lambda: by_hand(HEADER, json.dumps(claims()).replace(str(claims()["exp"]), "1e999").encode()),
    "a true time": lambda: by_hand(HEADER, claims(exp=True)),
    "nobody": lambda: signed(claims(sub="0")),
    "a negative person": lambda: signed(claims(sub="-7")),
    "a huge person": lambda: signed(claims(sub="9" * 30)),
    "a person of words": lambda: signed(claims(sub="ana")),
    "a person as a number": lambda: by_hand(HEADER, claims(sub=7)),
    "a sign-in as text": lambda: signed(claims(sid="3")),
    "a huge sign-in": lambda: signed(claims(sid=2**63)),
    "a list": lambda: by_hand(HEADER, [claims()]),
    "twice encoded": lambda: by_hand(HEADER, json.dumps(json.dumps(claims())).encode()),
    "deep nesting": lambda: by_hand(b"[" * 1200, claims()),
    "very deep nesting": lambda: "W1tb" * 100_000 + ".e30.",
    "huge": lambda: signed(claims(jti="x" * 100_000)),
    "not text": lambda: "\udcff" * 40,
    "umlauts": lambda: "ä.ö.ü",
    "a NUL": lambda: signed(claims()) + "\x00",
    **{f"without {name}": lambda name=name: signed(claims(**{name: None})) for name in claims()},  # type: ignore[misc]
}


@pytest.mark.parametrize("kind", FORGED)
def test_a_token_that_is_not_ours_is_refused(kind: str) -> None:
    with pytest.raises(Unauthenticated) as refused:
        tokens.read_access(FORGED[kind](), NOW)
    assert refused.value.code == "unauthenticated"


def test_a_token_that_ran_out_is_called_expired() -> None:
    token = tokens.access(7, 3, NOW)
    assert tokens.read_access(token, NOW + timedelta(seconds=601)).user_id == 7
    with pytest.raises(TokenExpired):
        tokens.read_access(token, NOW + timedelta(seconds=602))


def test_an_expired_forgery_is_a_forgery() -> None:
    forged = signed(claims(exp=1), derived_key("somebody else's secret of 40 characters", "access-token"))
    with pytest.raises(Unauthenticated) as refused:
        tokens.read_access(forged, NOW)
    assert refused.value.code == "unauthenticated"


def test_a_refresh_token_has_one_form_each_generation() -> None:
    assert tokens.refresh(3, 5) == Tokens(SECRET, 60).refresh(3, 5)
    assert len({tokens.refresh(3, 5), tokens.refresh(3, 6), tokens.refresh(4, 5)}) == 3
    assert tokens.read_refresh(3, tokens.refresh(3, 5)) == 5


@pytest.mark.parametrize(
    "given", ["", "5", "5.", ".x", "5." + "A" * 43, "٥." + "A" * 43, "-1." + "A" * 43, "9" * 30 + "." + "A" * 43]
)
def test_a_refresh_token_that_is_not_ours_is_nothing(given: str) -> None:
    assert tokens.read_refresh(3, given) is None
    assert tokens.read_refresh(3, tokens.refresh(4, 5)) is None
    assert Tokens("another secret of forty characters, or so", 60).read_refresh(3, tokens.refresh(3, 5)) is None


def test_a_token_that_was_read_before_still_has_its_times() -> None:
    token = tokens.access(7, 3, NOW)
    assert tokens.read_access(token, NOW) == tokens.read_access(token, NOW + timedelta(seconds=599))
    with pytest.raises(Unauthenticated):
        tokens.read_access(token, NOW - timedelta(seconds=10))
    for _ in range(2):
        with pytest.raises(TokenExpired):
            tokens.read_access(token, NOW + timedelta(seconds=610))
    with pytest.raises(Unauthenticated):
        tokens.read_access(token[:-4] + "AAAA", NOW)
    assert tokens.read_access(token, NOW).user_id == 7


def test_tokens_remembered_are_bounded() -> None:
    small = Tokens(SECRET, access_seconds=600)
    for person in range(1, REMEMBERED + 3):
        small.read_access(small.access(person, person, NOW), NOW)
    assert 0 < len(small._signed) <= REMEMBERED
