"""A line that breaks at chosen bytes of a file on its way up, and the two public clients that send over it."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

from tusclient.client import TusClient
from tusclient.exceptions import TusUploadFailed
from tusclient.uploader.uploader import Uploader

from tests.chaos.proxy import FaultProxy, Link
from tests.node import run_node

OFFSET = re.compile(rb"\r\nupload-offset: *(\d+)", re.IGNORECASE)
UPLOAD_SECONDS = 60.0
DRIVER = Path(__file__).with_name("cut_client.mjs")


class CuttingProxy(FaultProxy):
    """Resets the connection each time the file comes to the next of `places`, counted in bytes of the file."""

    def __init__(self, target_port: int) -> None:
        super().__init__(target_port)
        self.places: list[int] = []  # ascending
        self.cuts = 0
        self._at: dict[Link, int] = {}

    async def _write(self, link: Link, writer: asyncio.StreamWriter, data: bytes, is_to_server: bool) -> None:
        if not is_to_server:
            return await super()._write(link, writer, data, is_to_server)
        head = b""
        if data.startswith(b"PATCH "):
            head, end, data = data.partition(b"\r\n\r\n")
            found = OFFSET.search(head)
            assert end and found, "the head of a request comes in one piece"
            head += end
            self._at[link] = int(found[1])
        at = self._at.get(link)
        if at is None or not self.places or at + len(data) < self.places[0]:
            await super()._write(link, writer, head + data, is_to_server)
            if at is not None:
                self._at[link] = at + len(data)
            return None
        await super()._write(link, writer, head + data[: max(0, self.places.pop(0) - at)], is_to_server)
        self.cuts += 1
        self._links.discard(link)
        del self._at[link]
        link.reset()
        return None


class CountingUploader(Uploader):
    """tuspy's own, which counts how often it had to try again."""

    count = 0

    def _retry_or_cry(self, error: Exception) -> None:
        self.count += 1
        super()._retry_or_cry(error)


async def by_tuspy(address: str, token: str, file: Path) -> int:
    """How often it tried again."""

    def send() -> int:
        client = TusClient(address.rpartition("/")[0], headers={"Authorization": f"Bearer {token}"})
        uploader = CountingUploader(str(file), url=address, client=client, retries=200, retry_delay=0)
        uploader.upload()
        return uploader.count

    try:
        async with asyncio.timeout(UPLOAD_SECONDS):
            return await asyncio.to_thread(send)
    except TusUploadFailed as failed:
        raise AssertionError(f"tuspy gave up: {failed}") from failed


async def by_tus_js(address: str, token: str, file: Path) -> int:
    """How often it tried again."""
    found: dict[str, Any] = await run_node(str(DRIVER), address, token, str(file), seconds=UPLOAD_SECONDS)
    return int(found["retries"])
