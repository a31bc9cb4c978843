"""The same people with the official JavaScript client as it comes: polling first, an upgrade, its own way back."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from functools import partial
from typing import Any

from tests.chaos.client import LightClient
from tests.signaling.transport.official import OfficialClient

DEFAULT_BACK_OFF = {"reconnectionDelay": 1000, "reconnectionDelayMax": 5000}  # the client's; its driver is hastier


class OfficialTab(LightClient):
    """One person's tab; what it says and hears goes through the node process, everything else is LightClient's."""

    def __init__(self, official: OfficialClient, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._official = official
        self.connects = self.upgrades = 0

    async def close(self) -> None:
        self._official.disconnect()
        await super().close()

    async def _run(self) -> None:
        self._official.connect(f"http://127.0.0.1:{self.port}/live", auth={"token": self._token()}, **DEFAULT_BACK_OFF)
        heard = 0
        while True:
            with contextlib.suppress(TimeoutError):  # a quiet moment
                await self._official.until(partial(_later_than, heard))
            for line in self._official.heard[heard:]:
                heard += 1
                self._take(line)

    def _take(self, line: dict[str, Any]) -> None:
        kind = line["on"]
        if kind == "connect":
            self.connects += 1
            self._ws = line  # type: ignore[assignment]  # this connection, for whoever asks whether it is still the same
            self._join()
        elif kind == "disconnect":
            self.ends.append(line["reason"])
            self.is_live, self._ws = False, None
            self._acks.clear()
        elif kind == "connect_error" and not line["active"]:
            self.view.complaints.append(f"{self.person} was refused for good: {line['data']}")
        elif kind == "upgrade":
            self.upgrades += 1
        elif kind == "event":
            self._told(line["event"], *line["args"])
        elif kind == "ack" and (settle := self._acks.pop(line["ack"], None)) is not None:
            settle(*line["answers"])

    def _within(self, seconds: float) -> None:
        """The official client has its own patience."""

    def _emit(self, event: str, payload: dict[str, Any], settle: Callable[[dict[str, Any]], None]) -> int:
        number = next(self._numbers)
        self._acks[number] = settle
        self._official.emit_for_ack(number, event, payload)
        return number


def _later_than(known: int, lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return lines[known:]
