"""One piece of work on one uploaded file: read the order, enter the cage, do it, say how it went in JSON lines.

Order (the one argument, JSON): {command, parent, limits, path, output, ...what the command needs}; `path` is the one
file that can be read, `output` the folder that can be written. Lines on standard output:
{"stage", "percent"} while working; last {"result": {...}} or {"refused": code, "detail": sentence}. Ends with status 0
in both cases; anything else is a crash and may be tried again.
"""

from __future__ import annotations

import errno
import json
import sys
from collections.abc import Callable
from typing import Any

from server.content.worker import limits

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def main(order: dict[str, Any]) -> None:
    """Carry out one order."""
    limits.enter(order.pop("limits"), order.pop("parent"), order["path"], order.get("output"))
    from server.content.worker.refusal import Refused

    command = order.pop("command")
    try:
        say({"result": _commands()[command](order)})
    except Refused as refused:
        say({"refused": refused.code, "detail": str(refused)})
    except OSError as error:
        if error.errno not in FULL:
            raise
        say({"refused": "no_room", "detail": "There is no room for what is made of it; try again when there is."})
    except MemoryError:
        say({"refused": "too_complex", "detail": "It needs more memory than is allowed."})


def say(line: dict[str, Any]) -> None:
    """Tell the parent one thing."""
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def tell(stage: str, percent: float) -> None:
    """Tell how far a stage is, 0 to 100."""
    say({"stage": stage, "percent": round(percent, 1)})


def _commands() -> dict[str, Callable[[dict[str, Any]], dict[str, Any]]]:
    """Imported late: the media libraries load inside the cage."""

    def process(order: dict[str, Any]) -> dict[str, Any]:
        from server.content.worker.derive import process

        return process(order, tell)

    def sheet(order: dict[str, Any]) -> dict[str, Any]:
        from server.content.worker.sheet import sheet

        limits.go_on()
        return sheet(order["path"], order["duration"], order["output"])

    def picture(order: dict[str, Any]) -> dict[str, Any]:
        from server.content.worker.pictures import reencode

        return reencode(order["path"], order["output"])

    return {"process": process, "sheet": sheet, "picture": picture}


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
