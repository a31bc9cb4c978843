"""A network of its own for a measurement: nothing in it can be reached from outside, nor reach out.

Servers that refuse loopback as a path for media (libnice, and so Janus, does) get an ordinary interface there, whose
packets take the way of loopback all the same, since its address is the machine's own.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Sequence
from typing import NoReturn

HOST = "198.18.0.1"  # of the range for measurements (RFC 2544)
INTERFACE = (
    f"ip link set lo up && ip link add lectern0 type veth peer name lectern1 && ip addr add {HOST}/32 dev lectern0"
)
UP = "ip link set lectern0 up && ip link set lectern1 up"


def is_enclosed() -> bool:
    """Whether this process already is in such a network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.bind((HOST, 0))
        except OSError:
            return False
    return True


class NoNetworkOfItsOwn(Exception):
    """The system does not allow one, or lacks the programs; says why."""


def enclose(module: str, arguments: Sequence[str]) -> NoReturn:
    """Become `python -m module` inside. Raises NoNetworkOfItsOwn."""
    if not (shutil.which("unshare") and shutil.which("ip")):
        raise NoNetworkOfItsOwn("unshare or ip is not installed")
    names = ["--net"] if os.geteuid() == 0 else ["--user", "--map-root-user", "--net"]
    prepare = ["unshare", *names, "sh", "-c"]
    tried = subprocess.run([*prepare, f"{INTERFACE} && {UP}"], capture_output=True, text=True)
    if tried.returncode:
        raise NoNetworkOfItsOwn(tried.stderr.strip() or "the system does not allow it")
    run = f'{INTERFACE} && {UP} && exec "$@"'
    os.execvp("unshare", [*prepare, run, "sh", sys.executable, "-m", module, *arguments])
