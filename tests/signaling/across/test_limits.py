"""Guessing passwords on several processes at once is guessing."""

from __future__ import annotations

from tests.signaling.across.conftest import Apis

LIMIT = 5


async def test_failures_count_wherever_they_happen(apis: Apis) -> None:
    wrong = {"email": "ana@example.org", "password": "not the right one"}
    statuses = [(await apis(0, "ana").post("/auth/login", wrong)).status for _ in range(LIMIT)]
    assert statuses == [401] * LIMIT
    # The bells may be on their way; by itself this process would still allow this many.
    elsewhere = [(await apis(1, "ana").post("/auth/login", wrong)).status for _ in range(LIMIT - 1)]
    assert elsewhere[-1] == 429, elsewhere
