"""The ports a start takes: an explicit one is tried for five seconds, a default one may give way to a free one.

After a crash the operating system, or a dying process of ours, may hold a port for a moment; waiting for it is better
than failing, and better than a class whose address changes.
"""

from __future__ import annotations

import errno
import socket
import time

RETRY_SECONDS = 5.0  # then the start ends with one line that names the port
PAUSE_SECONDS = 0.1
ROWS_TRIED = 100  # for several free ports in a row
HIGHEST_PORT = 65_535
BACKLOG = 4096  # connections the system holds for us while we are busy; later ones are retried by their browsers


class PortTaken(SystemExit):
    """The port could not be had; the text is one line with the remedy."""


def listen(host: str, port: int, *, name: str = "PORT", retry_seconds: float = RETRY_SECONDS) -> list[socket.socket]:
    """Listening TCP sockets for every address of `host`; port 0 picks a free one. Blocks while it retries.

    Raises PortTaken naming the setting.
    """
    deadline = time.monotonic() + retry_seconds
    while True:
        try:
            return _listen_once(host, port)
        except OSError as error:
            if error.errno == errno.EADDRINUSE and time.monotonic() < deadline:
                time.sleep(PAUSE_SECONDS)
                continue
            raise PortTaken(_sentence(name, host, port, error)) from error


def await_udp(host: str, port: int, *, name: str = "MEDIA_PORT", retry_seconds: float = RETRY_SECONDS) -> None:
    """Wait until a UDP port can be bound. Blocks. Raises PortTaken naming the setting."""
    deadline = time.monotonic() + retry_seconds
    while (error := _udp_refusal(host, port)) is not None:
        if error.errno != errno.EADDRINUSE or time.monotonic() >= deadline:
            raise PortTaken(_sentence(name, host, port, error)) from error
        time.sleep(PAUSE_SECONDS)


def free_udp(host: str, wanted: int, count: int = 1) -> int:
    """`wanted` when it and its `count` - 1 successors are free, else the first of so many free UDP ports in a row.

    Raises PortTaken.
    """
    if wanted and _are_free(host, wanted, count):
        return wanted
    for _ in range(ROWS_TRIED):
        with socket.socket(_family(host), socket.SOCK_DGRAM) as probe:
            probe.bind((host, 0))
            first = int(probe.getsockname()[1])
        if _are_free(host, first, count):
            return first
    raise PortTaken(f"There are no {count} free UDP ports in a row: set MEDIA_PORT.")


def _are_free(host: str, first: int, count: int) -> bool:
    ports = range(first, first + count)
    return ports[-1] <= HIGHEST_PORT and all(_udp_refusal(host, port) is None for port in ports)


class SharedListener(socket.socket):
    """A listening socket that several processes accept from; how many connections may wait is its maker's choice."""

    def listen(self, backlog: int = 0, /) -> None:
        """Nothing: it listens already, and the event loop's number would hold for all of us."""


def port_of(sockets: list[socket.socket]) -> int:
    return int(sockets[0].getsockname()[1])


def _listen_once(host: str, port: int) -> list[socket.socket]:
    made: list[socket.socket] = []
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, kind, protocol, _, address in dict.fromkeys(found):
            opened = socket.socket(family, kind, protocol)
            made.append(opened)
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            # All addresses share the port that the first was given.
            opened.bind((address[0], port or (port_of(made) if len(made) > 1 else 0), *address[2:]))
            opened.listen(BACKLOG)
            opened.setblocking(False)
    except OSError:
        for opened in made:
            opened.close()
        raise
    return made


def _udp_refusal(host: str, port: int) -> OSError | None:
    try:
        with socket.socket(_family(host), socket.SOCK_DGRAM) as probe:
            probe.bind((host, port))
    except OSError as error:
        return error
    return None


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _sentence(name: str, host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"{name} {port} is used by another program: stop it, or set {name} to another number."
    if error.errno == errno.EACCES:
        return f"{name} {port} needs more rights than this account has: set {name} to 1024 or higher."
    return f"{name} {port} cannot be opened on {host}: {error.strerror or error}."
