"""How often somebody may guess: moving windows over failures, kept in memory by each process and told to the others.

Successes never count, also when many arrive at once: an attempt that could push a window over its limit waits for the
outcome of those under way. (A counter that reserves first would refuse a family signing in on six tabs.)
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address

from server import events
from server.errors import LecternError, RateLimited, WrongCredentials

MINUTE = 60.0
FAILURES_PER_ACCOUNT = 5
FAILURES_PER_ADDRESS = 100
KEYS = 50_000  # windows remembered; beyond, the one touched longest ago is forgotten
# Attempts waiting for the outcome of those before them; further ones are refused for a second.
WAITERS_PER_ACCOUNT = 64
WAITERS_PER_ADDRESS = 1024  # a whole school signs in from one address at nine o'clock


@dataclass(slots=True)
class _Window:
    at: deque[float] = field(default_factory=deque)
    under_way: int = 0
    waiting: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)


class MovingWindow:
    """At most `limit` counted things per key in any minute. `clock` gives monotonic seconds.

    `counted` is called with the key of whatever is counted here.
    """

    def __init__(self, limit: int, clock: Callable[[], float] = time.monotonic, waiters: int = 0) -> None:
        self.limit, self._clock, self._waiters = limit, clock, waiters
        self._windows: OrderedDict[str, _Window] = OrderedDict()
        self.counted: Callable[[str], None] = lambda key: None

    def count(self, key: str) -> None:
        """Count one now."""
        self.add(key)
        self.counted(key)

    def add(self, key: str) -> None:
        """What another process counted."""
        window = self._window(key)
        window.at.append(self._clock())
        if len(window.at) > self.limit:
            window.at.popleft()

    def check(self, key: str) -> None:
        """Raises RateLimited while the window is full."""
        window = self._window(key)
        if len(window.at) >= self.limit:
            raise RateLimited(max(1.0, window.at[0] + MINUTE - self._clock()))

    def take(self, key: str) -> None:
        """Check, then count: for things that count whatever comes of them. Raises RateLimited."""
        self.check(key)
        self.count(key)

    @asynccontextmanager
    async def attempt(self, key: str, wrong: type[LecternError]) -> AsyncIterator[None]:
        """One attempt; leaving with an error of the class `wrong` counts it. Raises RateLimited before it begins."""
        await self._begin(key)
        try:
            yield
        except wrong:
            self.count(key)
            raise
        finally:
            window = self._window(key)
            window.under_way -= 1
            window.changed.set()

    async def _begin(self, key: str) -> None:
        while True:
            self.check(key)
            window = self._window(key)
            if len(window.at) + window.under_way < self.limit:
                window.under_way += 1
                return
            if window.waiting >= self._waiters:
                raise RateLimited(1.0)
            window.waiting += 1
            window.changed.clear()
            try:
                await window.changed.wait()
            finally:
                window.waiting -= 1

    def _window(self, key: str) -> _Window:
        window = self._windows.get(key)
        if window is None:
            window = self._windows[key] = _Window()
            self._forget_oldest()
        self._windows.move_to_end(key)
        while window.at and window.at[0] <= self._clock() - MINUTE:
            window.at.popleft()
        return window

    def _forget_oldest(self) -> None:
        if len(self._windows) > KEYS:
            key, window = self._windows.popitem(last=False)
            if window.under_way or window.waiting:
                self._windows[key] = window


class SignInLimits:
    """The limits of signing in and up. Wrong invite codes of live sessions count as failures too.

    What is counted here goes to the other processes by `tell`; what they count comes by publish(). While that way is
    down each process counts for itself.
    """

    def __init__(self, register_per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._accounts = MovingWindow(FAILURES_PER_ACCOUNT, clock, WAITERS_PER_ACCOUNT)
        self._addresses = MovingWindow(FAILURES_PER_ADDRESS, clock, WAITERS_PER_ADDRESS)
        self._registrations = MovingWindow(register_per_minute, clock)
        self.tell: Callable[[Sequence[object]], None] = lambda facts: None
        self._windows = {
            "account": self._accounts,
            "address": self._addresses,
            "registration": self._registrations,
        }
        for name, window in self._windows.items():
            window.counted = self._teller(name)

    @asynccontextmanager
    async def guess(
        self, account: str, address: str, wrong: type[LecternError] = WrongCredentials
    ) -> AsyncIterator[None]:
        """Around anything that may be guessed; `wrong` leaving the block counts. Raises RateLimited."""
        network = network_of(address)
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._accounts.attempt(_nameless(f"{account}|{network}"), wrong))
            await stack.enter_async_context(self._addresses.attempt(_nameless(network), wrong))
            yield

    def registering(self, address: str) -> None:
        """Count one registration. Raises RateLimited."""
        self._registrations.take(_nameless(network_of(address)))

    def publish(self, facts: Sequence[object]) -> None:
        """Hear what other processes counted."""
        for fact in facts:
            if isinstance(fact, events.Limited) and (window := self._windows.get(fact.window)) is not None:
                window.add(fact.key)

    def _teller(self, name: str) -> Callable[[str], None]:
        return lambda key: self.tell([events.Limited(name, key)])


def _nameless(key: str) -> str:
    """Neither a window nor a bell between processes needs to know whom it is about."""
    return hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def network_of(address: str) -> str:
    """What counts as one address: an IPv4 address, or the /64 a household gets of IPv6."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(IPv6Address(int(parsed) >> 64 << 64)) + "/64"
