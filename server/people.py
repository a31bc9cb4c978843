"""People from the command line, for whoever runs the server; the same services and rules as over REST."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from server.access import AccountRole
from server.accounts import service
from server.accounts.passwords import Passwords
from server.accounts.rules import normal_email, password_fault
from server.db.database import Database
from server.errors import Invalid, Missing
from server.ports import SilentPublisher
from server.settings import Settings


async def add(settings: Settings, email: str, name: str, role: str, password: str) -> str:
    """Add a person; returns a sentence. Raises Invalid, EmailTaken."""
    hashed = await _hashed(password, email, name)
    async with _database(settings) as database, database.work() as work:
        user = await service.create_user(work, email=email, name=name, role=AccountRole(role), password_hash=hashed)
        return f"{user.name} <{user.email}> is here as {user.role}."


async def set_password(settings: Settings, email: str, password: str) -> str:
    """Set a password and end all sign-ins of the person; returns a sentence. Raises Invalid, Missing."""
    async with _database(settings) as database:
        async with database.read() as read:
            user = await service.user_by_email(read, email)
        if user is None:
            raise Missing(f"Nobody here has the address {normal_email(email)}.")
        hashed = await _hashed(password, user.email, user.name)
        async with database.work() as work:
            await service.set_password(work, user.id, hashed)
        return f"{user.name} <{user.email}> has a new password and is signed out everywhere."


async def _hashed(password: str, email: str, name: str) -> str:
    if fault := password_fault(password, email=normal_email(email), name=name):
        raise Invalid(f"The password {fault}.")
    passwords = Passwords()
    try:
        return await passwords.hash(password)
    finally:
        passwords.close()


@asynccontextmanager
async def _database(settings: Settings) -> AsyncIterator[Database]:
    database = Database.open(settings.database_url, publisher=SilentPublisher())
    try:
        yield database
    finally:
        await database.close()
