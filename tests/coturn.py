"""A TURN server on loopback that lets its users reach loopback; tests are skipped where coturn is not installed."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from server import turn_check
from tests.services import free_port


@contextmanager
def coturn(folder: Path, secret: str, peer: str = "127.0.0.1") -> Iterator[int]:
    """Its port, UDP and TCP; `peer` is the one address it leads to."""
    if shutil.which("turnserver") is None:
        pytest.skip("coturn is not installed")
    port = free_port()
    command = [
        "turnserver", "-n", "--listening-ip=127.0.0.1", "--relay-ip=127.0.0.1", f"--listening-port={port}",
        "--use-auth-secret", f"--static-auth-secret={secret}", "--realm=test", "--allow-loopback-peers", "--no-cli",
        "--no-tls", "--no-dtls", "--log-file=stdout", f"--userdb={folder / 'turndb'}", f"--pidfile={folder / 'pid'}",
        # As docs/turn.md has it: to us and nowhere else.
        "--fingerprint", "--no-multicast-peers", "--no-tcp-relay", "--user-quota=12",
        "--denied-peer-ip=0.0.0.0-255.255.255.255", "--denied-peer-ip=::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        f"--allowed-peer-ip={peer}",
    ]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder)
    try:
        deadline = time.monotonic() + 20
        while turn_check.complaint(f"turn:127.0.0.1:{port}?transport=tcp"):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait(10)
