"""Failures are counted exactly, successes never, however many come at once."""

from __future__ import annotations

import asyncio

import pytest

from server.accounts.limits import KEYS, MovingWindow, SignInLimits, network_of
from server.errors import RateLimited, WrongCredentials


class Watch:
    """Monotonic seconds that move when told to."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def limits(watch: Watch) -> SignInLimits:
    return SignInLimits(register_per_minute=3, clock=watch)


async def fails(limits: SignInLimits, account: str = "ana", address: str = "192.0.2.1") -> None:
    with pytest.raises(WrongCredentials):
        async with limits.guess(account, address):
            raise WrongCredentials()


async def succeeds(limits: SignInLimits, account: str = "ana", address: str = "192.0.2.1") -> None:
    async with limits.guess(account, address):
        await asyncio.sleep(0)


async def test_the_sixth_wrong_password_in_a_minute_is_not_even_tried(limits: SignInLimits, watch: Watch) -> None:
    for _ in range(5):
        await fails(limits)
    with pytest.raises(RateLimited) as refused:
        await succeeds(limits)
    assert refused.value.retry_after == 60
    watch.seconds += 61
    await succeeds(limits)


async def test_another_account_and_another_address_are_not_concerned(limits: SignInLimits) -> None:
    for _ in range(5):
        await fails(limits)
    await succeeds(limits, account="bo")
    await succeeds(limits, address="192.0.2.2")


async def test_an_address_may_be_wrong_a_hundred_times_a_minute(limits: SignInLimits) -> None:
    for number in range(100):
        await fails(limits, account=f"person {number}")
    with pytest.raises(RateLimited):
        await succeeds(limits, account="somebody else")
    await succeeds(limits, account="somebody else", address="192.0.2.2")


async def test_two_hundred_successes_at_once_are_all_let_in(limits: SignInLimits) -> None:
    await asyncio.gather(*(succeeds(limits, account=f"student {n}") for n in range(200)))
    await asyncio.gather(*(succeeds(limits) for _ in range(50)))


async def test_fifty_guesses_at_once_are_five_guesses(limits: SignInLimits) -> None:
    tried = 0

    async def guess() -> None:
        nonlocal tried
        async with limits.guess("ana", "192.0.2.1"):
            tried += 1
            await asyncio.sleep(0)
            raise WrongCredentials()

    results = await asyncio.gather(*(guess() for _ in range(50)), return_exceptions=True)
    assert tried == 5
    assert sum(isinstance(result, RateLimited) for result in results) == 45


async def test_an_attempt_that_is_cancelled_frees_its_place(limits: SignInLimits) -> None:
    entered = asyncio.Event()

    async def stuck() -> None:
        async with limits.guess("ana", "192.0.2.1"):
            entered.set()
            await asyncio.Event().wait()

    for _ in range(10):
        entered.clear()
        task = asyncio.create_task(stuck())
        await entered.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await succeeds(limits)


def test_registrations_count_whatever_comes_of_them(limits: SignInLimits, watch: Watch) -> None:
    for _ in range(3):
        limits.registering("192.0.2.1")
    with pytest.raises(RateLimited):
        limits.registering("192.0.2.1")
    limits.registering("192.0.2.9")
    watch.seconds += 60
    limits.registering("192.0.2.1")


def test_memory_is_bounded(watch: Watch) -> None:
    window = MovingWindow(5, watch)
    for number in range(KEYS + 10):
        window.count(str(number))
    assert len(window._windows) == KEYS


def test_a_household_is_one_address() -> None:
    assert network_of("2001:db8:1:2:3:4:5:6") == network_of("2001:db8:1:2:ffff::1")
    assert network_of("2001:db8:1:2::1") != network_of("2001:db8:1:3::1")
    assert network_of("::ffff:192.0.2.1") == network_of("192.0.2.1") == "192.0.2.1"
    assert network_of("unknown") == "unknown"


async def test_what_other_processes_counted_counts_here(watch: Watch) -> None:
    here, there = (SignInLimits(register_per_minute=3, clock=watch) for _ in range(2))
    here.tell, there.tell = there.publish, here.publish
    for limits in (here, there, here, there, here):
        await fails(limits)
    for limits in (here, there):
        with pytest.raises(RateLimited):
            await succeeds(limits)
        await succeeds(limits, account="bo")
    here.registering("192.0.2.1")
    there.registering("192.0.2.1")
    here.registering("192.0.2.1")
    with pytest.raises(RateLimited):
        there.registering("192.0.2.1")
