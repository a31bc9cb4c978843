"""Whether a TURN server answers from here: one STUN question, over the transport browsers would use.

That it answers says nothing of the secret, nor of browsers in other networks.
"""

from __future__ import annotations

import os
import socket
import ssl
import struct

from server.settings import TURN_URL

PATIENCE_SECONDS = 2.0
BINDING, ANSWERED, COOKIE = 0x0001, 0x0101, 0x2112A442  # RFC 8489, sections 5 and 6
HEADER = struct.Struct("!HHI12s")


def complaint(url: str) -> str:
    """What is wrong with the TURN server of this valid address; empty when it answers."""
    match = TURN_URL.fullmatch(url)
    assert match is not None
    scheme, host, port, transport = match.groups()
    is_secure = scheme == "turns"
    address = (host.strip("[]"), int(port or (5349 if is_secure else 3478)))
    is_stream = is_secure or transport == "tcp"
    number = os.urandom(12)
    try:
        family, kind, _, _, where = socket.getaddrinfo(
            *address, type=socket.SOCK_STREAM if is_stream else socket.SOCK_DGRAM
        )[0]
        with socket.socket(family, kind) as plain:
            plain.settimeout(PATIENCE_SECONDS)
            plain.connect(where)
            if is_secure:
                with ssl.create_default_context().wrap_socket(plain, server_hostname=address[0]) as secure:
                    answer = _ask(secure, number)
            else:
                answer = _ask(plain, number)
    except OSError as error:  # TimeoutError, gaierror and SSLError are such
        return str(error) or "no answer"
    if len(answer) < HEADER.size:
        return "no STUN answer"
    kind_of, _, cookie, same = HEADER.unpack_from(answer)
    return "" if (kind_of, cookie, same) == (ANSWERED, COOKIE, number) else "no STUN answer"


def _ask(line: socket.socket, number: bytes) -> bytes:
    line.sendall(HEADER.pack(BINDING, 0, COOKIE, number))
    return line.recv(1500)
