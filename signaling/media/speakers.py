"""Who speaks, and who did most lately: pure, from the level that browsers write beside each sound packet (RFC 6464).

Nothing is decoded. A cough is no speech and a breath no silence: somebody speaks after a stretch of mostly loud packets
and has finished after a longer one of quiet ones.
"""

from __future__ import annotations

LOUD = 45  # decibels below the loudest there is; quieter is background
BEGINS, ENOUGH = 10, 40  # loud packets more than quiet ones until somebody speaks (0.2 s), and at most counted (0.8 s)
REMEMBERED = 64  # people; who spoke before them is as if they never had


class Speakers:
    """`lately`: who has spoken, the last to begin first."""

    def __init__(self) -> None:
        self.lately: tuple[int, ...] = ()
        self.now: frozenset[int] = frozenset()
        self._loud: dict[int, int] = {}

    def hear(self, user: int, level: int) -> bool:
        """One packet's level, 0 (loudest) to 127; True when this person has begun to speak."""
        before = self._loud.get(user, 0)
        loud = min(ENOUGH, before + 1) if level <= LOUD else max(0, before - 1)
        if loud == before:
            return False
        self._loud[user] = loud
        if not loud:
            self.now -= {user}
            del self._loud[user]
        if loud < BEGINS or user in self.now:
            return False
        self.now |= {user}
        if self.lately[:1] == (user,):
            return False
        self.lately = (user, *(one for one in self.lately if one != user))[:REMEMBERED]
        return True

    def forget(self, user: int) -> None:
        """Gone from the room."""
        self._loud.pop(user, None)
        self.now -= {user}
        self.lately = tuple(one for one in self.lately if one != user)
