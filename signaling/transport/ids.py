"""Ids that nobody can guess, for sessions and connections."""

from __future__ import annotations

import base64
import os


def unguessable() -> str:
    """120 random bits as 20 characters, as `secrets.token_urlsafe(15)` makes them, by fewer steps."""
    return base64.urlsafe_b64encode(os.urandom(15)).decode()
