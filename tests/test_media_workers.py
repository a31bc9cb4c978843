"""Several media workers of one start: each at its own control address and UDP port, and back when it is killed."""

from __future__ import annotations

import os
import signal
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from server.listening import free_udp
from server.media_ports import ports_of
from server.settings import Settings
from signaling.media.client import MediaClient
from tests.processes import command_of
from tests.program import Program
from tests.services import free_port
from tests.signaling.media.conftest import Told
from tests.signaling.media.wire import until

SECRET = "a-secret-that-both-sides-of-the-wire-share"


async def test_media_alone_runs_a_worker_for_each_address_and_keeps_it_running(tmp_path: Path) -> None:
    addresses = [f"tcp:127.0.0.1:{free_port()}" for _ in range(2)]
    first_port = free_udp("127.0.0.1", 0, 2)
    program = Program(
        tmp_path, "serve", "--only", "media", ready="media workers ready",
        LECTERN_MEDIA_ADDRESS=",".join(addresses), LECTERN_MEDIA_SECRET=SECRET, MEDIA_PORT=str(first_port),
    )  # fmt: skip
    await program.start()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(program.stop)
        heard = [Told() for _ in addresses]
        for address, told in zip(addresses, heard, strict=True):
            client = MediaClient(address, told, secret=SECRET)
            await client.start()
            stack.push_async_callback(client.close)
            assert await client.wait_ready(30)
        words = [command_of(child) for child in program.children()]
        for number, address in enumerate(addresses):
            assert any(f"{address} --beat --udp-port {first_port + number} " in each for each in words), words
        (hit,) = [child for child in program.children() if addresses[1] in command_of(child)]
        os.kill(hit, signal.SIGKILL)
        await until(lambda: len(heard[1].named("worker_ready")) == 2, 30)
        assert not heard[0].named("worker_lost")
    assert program.status == 0


def test_a_port_too_high_for_that_many_workers_is_refused_in_one_line() -> None:
    settings = Settings.model_validate({"MEDIA_PORT": 65_534, "LECTERN_MEDIA_WORKERS": 2})
    assert list(ports_of(settings)) == [65_534, 65_535]
    with pytest.raises(SystemExit, match="leaves no port for 3 media workers"):
        list(ports_of(settings.model_copy(update={"media_workers": 3})))
