"""How many connections people have, by live session: here, and in each of the other web processes. Pure.

What another process says of itself comes twice: at once over the bus, where a word may be lost, and some seconds later
from the database, which heals that. Each word carries absolute numbers and the version they are of, so nothing depends
on the order in which the two arrive.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

ANYWHERE = 0  # in place of a live session's id: all of a person's connections
Key = tuple[int, int]  # a person's id and a live session's, or ANYWHERE


class Headcount:
    """Connections by person and live session."""

    def __init__(self) -> None:
        self._of: dict[int, dict[int, int]] = {}
        self._in: Counter[int] = Counter()

    def add(self, key: Key, connections: int) -> None:
        """So many more, or fewer; it never falls below none."""
        user_id, place = key
        before = self[key]
        after = max(0, before + connections)
        if after:
            self._of.setdefault(user_id, {})[place] = after
        elif before:
            del self._of[user_id][place]
            if not self._of[user_id]:
                del self._of[user_id]
        self._in[place] += after - before
        if not self._in[place]:
            del self._in[place]

    def __getitem__(self, key: Key) -> int:
        places = self._of.get(key[0])
        return places.get(key[1], 0) if places is not None else 0

    def items(self) -> Iterator[tuple[Key, int]]:
        for user_id, places in self._of.items():
            for place, connections in places.items():
                yield (user_id, place), connections

    def rooms(self) -> set[int]:
        """The live sessions somebody is in."""
        return self._in.keys() - {ANYWHERE}

    def rooms_of(self, user_id: int) -> list[int]:
        """The live sessions this person is in."""
        return [place for place in self._of.get(user_id, ()) if place != ANYWHERE]


@dataclass(slots=True)
class _Process:
    """What one other process said: `read` at `version` from the database, `heard` later than that from the bus."""

    version: int = -1
    read: dict[Key, int] = field(default_factory=dict)
    heard: dict[Key, tuple[int, int]] = field(default_factory=dict)

    def count(self, key: Key) -> int:
        heard = self.heard.get(key)
        return heard[1] if heard is not None else self.read.get(key, 0)

    def counted(self) -> set[Key]:
        return self.read.keys() | self.heard.keys()


class Elsewhere:
    """The other web processes, by lease; `total` is their sum. Every change returns the keys whose sum changed."""

    def __init__(self) -> None:
        self.total = Headcount()
        self._processes: dict[int, _Process] = {}

    def leases(self) -> set[int]:
        return set(self._processes)

    def holders(self, user_id: int) -> dict[int, int]:
        """How many of this person's connections each of them has, where it has any."""
        counts = {lease_id: process.count((user_id, ANYWHERE)) for lease_id, process in self._processes.items()}
        return {lease_id: count for lease_id, count in counts.items() if count}

    def version(self, lease_id: int) -> int:
        """Of what was read of this process; -1 when nothing was."""
        process = self._processes.get(lease_id)
        return process.version if process is not None else -1

    def hear(self, lease_id: int, version: int, counts: Iterable[tuple[int, int, int]]) -> set[Key]:
        """`counts` are (person, live session or ANYWHERE, connections) as of `version`."""
        process = self._processes.setdefault(lease_id, _Process())
        changed = set[Key]()
        if version <= process.version:
            return changed  # the database has said as much already
        for user_id, place, connections in counts:
            key = (user_id, place)
            before = process.count(key)
            if process.heard.get(key, (-1, 0))[0] <= version:
                process.heard[key] = (version, connections)
                self._add(key, connections - before, changed)
        return changed

    def read(self, lease_id: int, version: int, counts: Mapping[Key, int]) -> set[Key]:
        """All that the database holds of this process, as of `version`."""
        process = self._processes.setdefault(lease_id, _Process())
        before = {key: process.count(key) for key in process.counted() | counts.keys()}
        process.version, process.read = version, dict(counts)
        process.heard = {key: heard for key, heard in process.heard.items() if heard[0] > version}
        changed = set[Key]()
        for key, connections in before.items():
            self._add(key, process.count(key) - connections, changed)
        return changed

    def forget(self, lease_ids: Iterable[int]) -> set[Key]:
        """These processes are over, and their connections with them."""
        changed = set[Key]()
        for lease_id in lease_ids:
            process = self._processes.pop(lease_id, None) or _Process()
            for key in process.counted():
                self._add(key, -process.count(key), changed)
        return changed

    def _add(self, key: Key, connections: int, changed: set[Key]) -> None:
        if connections:
            self.total.add(key, connections)
            changed.add(key)
