"""The media process: `python -m signaling.media.worker`. One event loop with nothing else in it.

    --control unix:/path | tcp:host:port   where web processes connect; tcp needs LECTERN_MEDIA_SECRET set
    --udp-host ADDRESS  --udp-port PORT     where browsers send to (repeat --udp-host for several addresses, one port)
    --public-address ADDRESS                what browsers are told instead (repeatable; for NAT and containers)
    --beat                                  say on standard output, twice a second, that the event loop turns
    --most-load SHARE                       of one processor; a worker that needs more takes nobody new
    --allow-test-loss                       tests only: lets a web process have packets lost on purpose

It prints one JSON line when ready: `{"ready": true, "incarnation", "control", "udp_port", "candidates"}`. It ends when
its standard input, if that is a pipe, reaches its end (its supervisor is gone), with its parent on Linux, and on
SIGTERM or SIGINT with 0. Exit 3: the UDP port is taken and stayed so for --port-retry-seconds.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import ipaddress
import json
import logging
import os
import secrets
import signal
import socket
import sys
import time
from collections.abc import Sequence

from aioice.ice import get_host_addresses

from signaling.child import die_with_parent, is_supervised, when_parent_ends
from signaling.media.carrier import Endpoint
from signaling.media.counters import Counters
from signaling.media.dtls import Certificate
from signaling.media.ice import SOCKET_BUFFER_BYTES, Mux
from signaling.media.link import Host
from signaling.media.load import MOST_LOAD, Load
from signaling.media.service import Service

EXIT_PORT_TAKEN = 3
ANY = {"0.0.0.0", "::"}
BEAT_SECONDS = 0.5
GOODBYE_SECONDS = 0.2  # for close_notify and the last words to web processes


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="signaling.media.worker", description="Lectern's media forwarding process.")
    parser.add_argument("--control", required=True)
    parser.add_argument("--udp-host", action="append", default=None)
    parser.add_argument("--udp-port", type=int, default=8081)
    parser.add_argument("--public-address", action="append", default=[])
    parser.add_argument("--port-retry-seconds", type=float, default=5.0)
    parser.add_argument("--beat", action="store_true")
    parser.add_argument("--most-load", type=float, default=MOST_LOAD)
    parser.add_argument("--allow-test-loss", action="store_true")
    return parser.parse_args(argv)


def bind_sockets(hosts: Sequence[str], port: int, retry_seconds: float) -> list[socket.socket]:
    """One UDP socket per address, all on one port (0: any free one). Raises OSError when it stays taken.

    "Any address" of a kind that this machine does not have is left out, unless it comes first.
    """
    deadline = time.monotonic() + retry_seconds
    while True:
        bound: list[socket.socket] = []
        try:
            for host in hosts:
                family = socket.AF_INET6 if ":" in host else socket.AF_INET
                if bound and host in ANY and not _has(host):
                    continue
                sock = socket.socket(family, socket.SOCK_DGRAM)
                bound.append(sock)
                if family == socket.AF_INET6:
                    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                sock.setblocking(False)
                for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
                    sock.setsockopt(socket.SOL_SOCKET, option, SOCKET_BUFFER_BYTES)
                sock.bind((host, port or (bound[0].getsockname()[1] if len(bound) > 1 else 0)))
            return bound
        except OSError:
            for sock in bound:
                sock.close()
            if time.monotonic() >= deadline:
                raise
            time.sleep(0.1)


def _has(any_address: str) -> bool:
    """Does this machine speak that kind of address at all?"""
    try:
        with socket.socket(socket.AF_INET6 if ":" in any_address else socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind((any_address, 0))
    except OSError:
        return False
    return True


def advertised(hosts: Sequence[str], public: Sequence[str]) -> list[str]:
    """The addresses browsers are told, best first: the public ones if given, else those bound; for "any address" the
    machine's own, and loopback last. Names are resolved once, here, to addresses of the kinds that are bound. Raises
    OSError for one that cannot be.
    """
    kinds = {":" in host for host in hosts}
    addresses: list[str] = []
    for name in public or hosts:
        if name in ANY:
            is_six = name == "::"
            found = get_host_addresses(use_ipv4=not is_six, use_ipv6=is_six)
            addresses += [*found, "::1" if is_six else "127.0.0.1"]
        else:
            found = [str(info[4][0]) for info in socket.getaddrinfo(name, None, type=socket.SOCK_DGRAM)]
            addresses += [address for address in found if address == name or (":" in address) in kinds]
    unique = dict.fromkeys(str(ipaddress.ip_address(address.split("%")[0])) for address in addresses)
    return list(unique)


async def run(options: argparse.Namespace, sockets: list[socket.socket], candidates: list[str]) -> None:
    """Serve until told to end."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    if is_supervised():
        when_parent_ends(ended.set)

    port = sockets[0].getsockname()[1]
    mux = Mux(sockets, Counters())
    load = Load(options.most_load)
    host = Host(mux, Certificate(), tuple((address, port) for address in candidates), load)
    incarnation = secrets.token_hex(8)
    secret = os.environ.get("LECTERN_MEDIA_SECRET") or None
    service = Service(host, incarnation, secret=secret, allow_test_loss=options.allow_test_loss)
    endpoint = Endpoint.parse(options.control)
    server = await listen(endpoint, service)
    control = options.control
    if endpoint.path is None:
        control = f"tcp:{endpoint.host}:{server.sockets[0].getsockname()[1]}"
    gc.collect()
    gc.freeze()  # what is loaded now lives as long as the process; later collections need not look at it
    ready = {"ready": True, "incarnation": incarnation, "control": control, "udp_port": port, "candidates": candidates}
    print(json.dumps(ready), flush=True)
    watch = asyncio.create_task(_watch(load, service, is_heard=options.beat), name="media load")
    try:
        await ended.wait()
        service.close("draining")
        await asyncio.sleep(GOODBYE_SECONDS)
    finally:
        watch.cancel()
        server.close()
        mux.close()


async def _watch(load: Load, service: Service, *, is_heard: bool) -> None:
    """Measure what this process needs and notice who is silent; if `is_heard` tell the supervisor that it lives."""
    if is_heard:
        os.set_blocking(1, False)  # a supervisor that does not read must not stop the packets
    while True:
        await asyncio.sleep(BEAT_SECONDS)
        service.pulse.feel()
        service.look(time.monotonic())
        load.measure(time.process_time(), time.monotonic())
        if is_heard:
            with contextlib.suppress(BlockingIOError):
                os.write(1, b".")


async def listen(endpoint: Endpoint, service: Service) -> asyncio.Server:
    """Open the control socket; a Unix socket only for our own user, and over one a dead worker left behind."""
    if endpoint.path is not None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(endpoint.path)
    previous = os.umask(0o177)
    try:
        return await endpoint.listen(service.carrier)
    finally:
        os.umask(previous)


def main(argv: Sequence[str] | None = None) -> int:
    """The command; returns the exit code."""
    options = arguments(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    if is_supervised():
        die_with_parent()
    hosts = options.udp_host or ["127.0.0.1"]
    try:
        endpoint = Endpoint.parse(options.control)
        candidates = advertised(hosts, options.public_address)
    except (ValueError, OSError) as error:
        print(f"media worker: {error}", file=sys.stderr)
        return 1
    if endpoint.path is None and not os.environ.get("LECTERN_MEDIA_SECRET"):
        print("media worker: a tcp control address needs LECTERN_MEDIA_SECRET in the environment.", file=sys.stderr)
        return 1
    try:
        sockets = bind_sockets(hosts, options.udp_port, options.port_retry_seconds)
    except OSError as error:
        print(f"media worker: UDP port {options.udp_port} cannot be used: {error.strerror or error}", file=sys.stderr)
        return EXIT_PORT_TAKEN
    asyncio.run(run(options, sockets, candidates))
    return 0


if __name__ == "__main__":
    sys.exit(main())
