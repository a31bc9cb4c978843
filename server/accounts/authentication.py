"""From an access token to the actor: the signature first, then that the sign-in and the person still stand.

One query on a read connection for everybody who comes at that moment, remembered for a second; whatever ends a sign-in
in this process is heard at once, in another process within that second.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import select

from server.access import AccountRole, Actor
from server.accounts.tables import SignIn, User
from server.accounts.tokens import AccessClaims, Tokens
from server.db import Database
from server.db.base import Base
from server.db.gathering import Gathering
from server.db.glances import Question
from server.errors import Unauthenticated
from server.events import RoleChanged, SignInsEnded

_sign_ins, _users = (Base.metadata.tables[table.__tablename__] for table in (SignIn, User))
_STANDING = Question(
    lambda among: (
        select(_sign_ins.c.id, _users.c.id, _users.c.name, _users.c.role, _users.c.avatar_url)
        .join(_users, _sign_ins.c.user_id == _users.c.id)
        .where(among(_sign_ins.c.id, "sign_ins"), _sign_ins.c.ended_at.is_(None), _users.c.disabled_at.is_(None))
    )
)
STALE_SECONDS = 1.0
REMEMBERED = 4096  # sign-ins; when full, all are forgotten and asked for again


@dataclass(frozen=True, slots=True)
class _Standing:
    user_id: int
    name: str
    role: AccountRole
    avatar_url: str | None
    read_at: float


@dataclass(slots=True, eq=False)
class Look:
    """A person is being looked up; `is_overtaken` until it was asked, and when something of them was heard since."""

    is_overtaken: bool = True


class Authenticator:
    """Call it with a token. It listens for ended sign-ins; `forget` is for whoever changes a person."""

    def __init__(self, database: Database, tokens: Tokens, clock: Callable[[], float] = time.monotonic) -> None:
        self._database, self._tokens, self._clock = database, tokens, clock
        self._known: dict[int, _Standing] = {}
        self._forgotten = set[int]()  # people, since the reading under way began
        self._looking: dict[int, list[Look]] = {}  # by person
        self._reading = Gathering(self._read)

    async def __call__(self, token: str) -> Actor:
        """The actor. Raises Unauthenticated, TokenExpired, DatabaseAway."""
        claims = self._tokens.read_access(token, self._database.clock.now())
        known = self._known.get(claims.sign_in_id)
        if known is None or known.user_id != claims.user_id or self._clock() - known.read_at > STALE_SECONDS:
            known = await self._look_up(claims)
        return Actor(
            id=claims.user_id,
            name=known.name,
            role=known.role,
            sign_in_id=claims.sign_in_id,
            token_expires_at=claims.expires_at,
            avatar_url=known.avatar_url,
        )

    def forget(self, user_id: int, sign_in_ids: Collection[int] = ()) -> None:
        """Ask the database again about this person's sign-ins (all of them, or those named)."""
        self._forgotten.add(user_id)
        for look in self._looking.get(user_id, ()):
            look.is_overtaken = True
        for sign_in_id in [i for i, known in self._known.items() if known.user_id == user_id]:
            if not sign_in_ids or sign_in_id in sign_in_ids:
                del self._known[sign_in_id]

    def publish(self, facts: Sequence[object]) -> None:
        """Hear that sign-ins ended or a role changed, as one of the publisher's listeners."""
        for fact in facts:
            if isinstance(fact, SignInsEnded):
                self.forget(fact.user_id, fact.sign_in_ids)
            elif isinstance(fact, RoleChanged):
                self.forget(fact.user_id)

    async def _look_up(self, claims: AccessClaims) -> _Standing:
        look = Look()
        looking = self._looking.setdefault(claims.user_id, [])
        looking.append(look)
        try:
            while look.is_overtaken:  # what was read before something was heard may be older than it
                look.is_overtaken = False
                standing = await self._reading.ask(claims.sign_in_id)
        finally:
            looking.remove(look)
            if not looking:
                del self._looking[claims.user_id]
        if standing is None or standing.user_id != claims.user_id:
            raise Unauthenticated("This sign-in has ended; sign in again.")
        return standing

    async def _read(self, sign_in_ids: Sequence[int]) -> dict[int, _Standing | None]:
        asked_at = self._clock()
        self._forgotten.clear()
        (found,) = await self._database.glance((_STANDING, {"sign_ins": list(sign_in_ids)}))
        standing = {
            sign_in_id: _Standing(user_id, name, AccountRole(role), avatar_url, asked_at)
            for sign_in_id, user_id, name, role, avatar_url in found
        }
        # What was read before its person was forgotten may be older than that, and is not kept.
        kept = {number: one for number, one in standing.items() if one.user_id not in self._forgotten}
        if len(self._known) + len(kept) > REMEMBERED:
            self._known.clear()
        self._known |= kept
        return {sign_in_id: standing.get(sign_in_id) for sign_in_id in sign_in_ids}
