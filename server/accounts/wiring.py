"""What the account handlers use, joined once: app.py makes it, keeps it under ACCOUNTS, and closes it.

accounts = Accounts.of(settings, database)
app[ACCOUNTS], app[AUTHENTICATE] = accounts, accounts.authenticate
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web

from server.accounts.authentication import Authenticator
from server.accounts.cookies import RefreshCookies
from server.accounts.invites import InviteTokens
from server.accounts.limits import SignInLimits
from server.accounts.passwords import Passwords
from server.accounts.tokens import Tokens
from server.db import Database
from server.settings import Settings


@dataclass(frozen=True, slots=True)
class Accounts:
    """Keys, limits and threads of this process's accounts."""

    tokens: Tokens
    passwords: Passwords
    limits: SignInLimits
    cookies: RefreshCookies
    invite_tokens: InviteTokens
    authenticate: Authenticator

    @classmethod
    def of(cls, settings: Settings, database: Database) -> Accounts:
        tokens = Tokens(settings.secret_key, settings.access_token_seconds)
        return cls(
            tokens=tokens,
            passwords=Passwords(),
            limits=SignInLimits(settings.register_per_minute),
            cookies=RefreshCookies(settings),
            invite_tokens=InviteTokens(settings.secret_key),
            authenticate=Authenticator(database, tokens),
        )

    def close(self) -> None:
        """End the hashing threads."""
        self.passwords.close()


ACCOUNTS = web.AppKey("ACCOUNTS", Accounts)
# One-click sign-in links of a demo: SHA-256 of the token (tokens.token_hash) to user id; in memory, this process only.
SIGN_IN_LINKS: web.AppKey[Mapping[str, int]] = web.AppKey("SIGN_IN_LINKS", Mapping)
