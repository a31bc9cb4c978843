"""One load: what is asked for, and the defaults of each scenario."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

CHAT_PER_SECOND: Final = 5.0  # a person's lines in one room by default; a load that needs more says so and sets it
LONGEST_LINE: Final = 4_000  # characters
STALLED_LINE: Final = "😀" * LONGEST_LINE  # 16 kB in UTF-8: the largest a chat line can be


@dataclass(frozen=True, slots=True)
class Load:
    """What is done to the server. `rate` is lines a second in all rooms together."""

    scenario: str
    connections: int
    rooms: int
    rate: float
    seconds: float
    stalled: int = 0
    missed: int = 0
    database_url: str = ""

    @property
    def room_sizes(self) -> list[int]:
        share, more = divmod(self.connections, self.rooms)
        return [share + (number < more) for number in range(self.rooms)]


SCENARIOS: Final = {
    "chat": (Load("chat", 1000, 20, 40, 60), "rooms that chat"),
    "lecture": (Load("lecture", 1000, 1, 5, 60), "one room of all"),
    "reconnect": (Load("reconnect", 1000, 20, 20, 5), "every connection is cut at once, and comes back"),
    "restart": (Load("restart", 1000, 20, 20, 5), "the server is killed and started again"),
    "catch-up": (Load("catch-up", 50, 1, 100, 0, missed=500), "members return who missed lines"),
    "stalled": (Load("stalled", 200, 1, 62.5, 10, stalled=50), "members stop reading in a room of the longest lines"),
    "idle": (Load("idle", 1000, 20, 0, 5), "everybody is in, and nobody says a word"),
}
