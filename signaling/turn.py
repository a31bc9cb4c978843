"""Passing credentials for a TURN server, for people whose network lets no UDP through to us.

The server and ours share a secret and nothing else: a user name says until when and for whom, the password is its HMAC
(draft-uberti-behave-turn-rest-00, section 2.2; coturn's `use-auth-secret`). What leaks is worth an hour of relaying.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence
from typing import Any

LIFE_SECONDS = 3600  # a page asks anew with every join; a relay in use goes on as long as the server's nonce lets it


def ice_servers(urls: Sequence[str], secret: str, user_id: int, now: float) -> list[dict[str, Any]]:
    """What `RTCPeerConnection` takes as `iceServers`, good until `now` (unix time) and LIFE_SECONDS; empty without a
    TURN server.
    """
    if not urls or not secret:
        return []
    username = f"{int(now) + LIFE_SECONDS}:{user_id}"
    digest = hmac.new(secret.encode(), username.encode(), hashlib.sha1).digest()
    return [{"urls": list(urls), "username": username, "credential": base64.b64encode(digest).decode()}]
