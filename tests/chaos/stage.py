"""A class on real processes: a database, perhaps Redis, one or two servers, proxies between them, people, and a load.

Whatever is broken here is broken from outside: processes get signals, connections go through proxies.
"""

from __future__ import annotations

import asyncio
import math
import random
import shutil
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from sqlalchemy import select

from server.db.database import Database
from server.live_sessions.tables import LiveSession, LiveSessionEvent, Participation, PollAnswer
from server.ports import SilentPublisher
from signaling.rooms.state import TimelineEvent
from tests.api import Api
from tests.chaos.checker import Answer, History, Log, Verdict, Wish
from tests.chaos.client import LightClient
from tests.chaos.proxy import FaultProxy
from tests.factories import World
from tests.program import Program
from tests.services import Postgres, Redis

SECRET = "a-secret-of-the-tests-and-of-nothing-else"
LOOK_SECONDS = 0.02
GIVE_UP_SECONDS = 60.0  # until everybody agrees; the tests ask for far less


@dataclass
class Server:
    """One web process and the lines that lead to and from it."""

    program: Program
    clients: FaultProxy
    database: FaultProxy | None
    redis: FaultProxy | None

    async def close(self) -> None:
        await self.program.stop()
        for proxy in (self.clients, self.database, self.redis):
            if proxy is not None:
                await proxy.close()


class Stage:
    """Everything of one run; open() makes it."""

    def __init__(
        self, url: str, seed: str, servers: Sequence[Server], postgres: Postgres | None, redis: Redis | None
    ) -> None:
        self.url, self.seed, self.servers, self.postgres, self.redis = url, seed, servers, postgres, redis
        self.chance = random.Random(seed)
        self.history = History()
        self.clients: dict[str, LightClient] = {}
        self.room = 0
        self.world: World
        self.tab_of: Callable[[str], Callable[..., LightClient]]
        self._http: aiohttp.ClientSession

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        folder: Path,
        seed: str,
        *,
        sqlite: Path | None = None,
        postgres: Postgres | None = None,
        redis: Redis | None = None,
        processes: int = 1,
        workers: int = 1,
        people: int = 50,
        entering_per_second: float = math.inf,
        tab_of: Callable[[str], Callable[..., LightClient]] = lambda person: LightClient,
        **environment: str,
    ) -> AsyncIterator[Stage]:
        """A class of `people` in which everybody is live.

        On `sqlite`, a migrated file that is copied, runs the whole embedded server; on `postgres` run `--only web`s,
        each of them of so many `workers`. `tab_of(person)` makes that person's client.
        """
        print(f"LECTERN_CHAOS_SEED={seed}")
        async with AsyncExitStack() as stack:
            if postgres is not None:
                name = postgres.create()
                url = postgres.url(name).replace("postgresql:", "postgresql+asyncpg:")
            else:
                assert sqlite is not None
                path = folder / "server0" / "var" / "lectern.db"
                path.parent.mkdir(parents=True)
                shutil.copyfile(sqlite, path)
                url, name = f"sqlite+aiosqlite:///{path}", ""
            servers = list[Server]()
            for number in range(processes):
                server = await _server(folder / f"server{number}", seed, name, postgres, redis, workers, environment)
                stack.push_async_callback(server.close)
                servers.append(server)
            stage = cls(url, seed, servers, postgres, redis)
            stage.tab_of = tab_of
            await stage._invite(people)
            await asyncio.gather(*(server.program.start() for server in servers))
            stage._http = await stack.enter_async_context(
                aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), connector=aiohttp.TCPConnector(limit=0))
            )
            stack.push_async_callback(stage._close_clients)
            await stage._enter(entering_per_second)
            await stage.agreed()
            yield stage

    async def _invite(self, people: int) -> None:
        """Ana and her students, in a class that has begun."""
        database = Database.open(self.url, publisher=SilentPublisher())
        try:
            self.world = await World.with_cast(database, SECRET)
            students = [f"student{number}" for number in range(1, people)]
            for student in students:
                await self.world.person(student)
            self.people = ["ana", *students]
            self.room = (await self.world.live_session(students=students)).id
        finally:
            await database.close()

    async def _enter(self, per_second: float) -> None:
        for number, person in enumerate(self.people):
            client = self.tab_of(person)(
                self._http,
                person,
                self.world.id_of(person),
                port=self.servers[number % len(self.servers)].clients.port,
                token=lambda person=person: self.world.token(person),
                room=self.room,
                history=self.history,
                chance=random.Random(f"{self.seed}/{person}"),
            )
            self.clients[person] = client
            client.start()
            await asyncio.sleep(1 / per_second)

    async def _close_clients(self) -> None:
        await asyncio.gather(*(client.close() for client in self.clients.values()))

    def of_server(self, number: int) -> list[str]:
        """Whose clients are connected to that server."""
        return self.people[number :: len(self.servers)]

    @property
    def students(self) -> list[str]:
        return self.people[1:]

    def api(self, person: str, server: int = 0) -> Api:
        """REST on one of the servers, past the proxies."""
        return Api(self._http, self.servers[server].program.url, self.world.token(person))

    @asynccontextmanager
    async def load(self, lines_per_second: float = 25.0, people: Sequence[str] = ()) -> AsyncIterator[None]:
        """`people`, or everybody, talk now and then; whoever has three lines unanswered waits."""
        speakers = people or self.people

        async def talk(client: LightClient, chance: random.Random) -> None:
            mean = len(speakers) / lines_per_second
            said: list[Wish] = []
            while True:
                await asyncio.sleep(chance.uniform(0, 2 * mean))
                said = [wish for wish in said if wish.outcome == "pending"]
                if len(said) < 3:
                    said.append(client.wish("chat_send", text=f"{client.person} says {chance.random()}"))

        tasks = [
            asyncio.create_task(
                talk(self.clients[person], random.Random(f"{self.seed}/{person}/talk/{self.chance.random()}"))
            )
            for person in speakers
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def gone_home(self, person: str) -> None:
        """Somebody closes the tab; what they were told is of no interest any more."""
        await self.clients.pop(person).close()
        self.people.remove(person)
        del self.history.views[person]

    async def talked(self, seconds: float) -> None:
        """Let the class go on for so long."""
        await asyncio.sleep(seconds)

    def outcry(self) -> list[Wish]:
        """Everybody says something at this very moment."""
        return [c.wish("chat_send", text=f"{p} calls {self.chance.random()}") for p, c in self.clients.items()]

    async def agreed(self, seconds: float = GIVE_UP_SECONDS) -> float:
        """Wait until every wish is settled and every client live and at the log's end; returns how long that took."""
        started = time.monotonic()
        deadline = started + seconds
        while True:
            clients = self.clients.values()
            if not self.history.pending and all(client.is_live for client in clients):
                position = max(client.view.position for client in clients)
                if all(client.view.position == position for client in clients) and await self._last_seq() == position:
                    return time.monotonic() - started
            assert time.monotonic() < deadline, self._who_is_missing(seconds)
            await asyncio.sleep(LOOK_SECONDS)

    def _who_is_missing(self, seconds: float) -> str:
        out = [
            f"{c.person} ({'live' if c.is_live else 'away'} at {c.view.position}; {'; '.join(c.ends[-3:])})"
            for c in self.clients.values()
        ]
        pending = [(w.person, w.event, w.times_sent, w.refusals[-3:]) for w in self.history.pending]
        return f"no agreement within {seconds} s: pending {pending[:10]}; {out[:10]}"

    async def settled(self, wish: Wish, seconds: float = GIVE_UP_SECONDS) -> Wish:
        """Wait for the end of one wish."""
        async with asyncio.timeout(seconds):
            while wish.outcome == "pending":
                await asyncio.sleep(LOOK_SECONDS)
        return wish

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Any]:
        """The database itself, past the proxies; closed again, so that no crash finds us holding its files."""
        database = Database.open(self.url, publisher=SilentPublisher())
        try:
            async with database.read() as read:
                yield read
        finally:
            await database.close()

    async def _last_seq(self) -> int:
        async with self.reading() as read:
            return int(await read.scalar(select(LiveSession.last_seq).filter_by(id=self.room)))

    async def verdict(self) -> Verdict:
        """Everything so far, compared with the log."""
        async with self.reading() as read:
            row = await read.get(LiveSession, self.room)
            stored = await read.scalars(select(LiveSessionEvent).filter_by(live_session_id=self.room).order_by("seq"))
            events = [
                TimelineEvent(e.seq, e.at, e.type, e.actor_id, e.client_id, e.payload).wire() for e in list(stored)
            ]
            answers = [
                Answer(a.client_id, a.user_id, a.poll, tuple(map(int, a.choices.split(","))), a.is_current)
                for a in await read.scalars(select(PollAnswer).filter_by(live_session_id=self.room))
            ]
        return self.history.judged(Log(row.last_seq, events, answers))

    async def seats(self, people: Sequence[str] = ()) -> dict[str, str]:
        """Where `people`'s seats, or everybody's, stand: held (by a connection), vacated, or missing."""
        async with self.reading() as read:
            open_ones = select(Participation).filter_by(live_session_id=self.room, left_at=None)
            stays = {stay.user_id: stay for stay in await read.scalars(open_ones)}
        found = {person: stays.get(self.world.id_of(person)) for person in people or self.people}
        return {
            person: "missing" if stay is None else "held" if stay.last_seen_at is None else "vacated"
            for person, stay in found.items()
        }


async def _server(
    folder: Path,
    seed: str,
    name: str,
    postgres: Postgres | None,
    redis: Redis | None,
    workers: int,
    environment: dict[str, str],
) -> Server:
    folder.mkdir(exist_ok=True)
    lines = {"SECRET_KEY": SECRET, **environment}
    database = to_redis = None
    if postgres is not None:
        database = await FaultProxy(postgres.port, seed=seed).start()
        lines["DATABASE_URL"] = f"postgresql://postgres@127.0.0.1:{database.port}/{name}"
    if redis is not None:
        to_redis = await FaultProxy(redis.port, seed=seed).start()
        lines["REDIS_URL"] = f"redis://127.0.0.1:{to_redis.port}/0"
    arguments = ["serve"] if postgres is None else ["serve", "--only", "web"]
    arguments += ["--workers", str(workers)] if workers > 1 else []
    program = Program(folder, *arguments, ready="", defaults=False, **lines)
    return Server(program, await FaultProxy(program.port, seed=seed).start(), database, to_redis)
