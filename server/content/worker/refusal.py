"""The one way a worker says that the file, not the machine, is at fault."""

from __future__ import annotations


class Refused(Exception):
    """`code` is a stable word that becomes the content's error_code; trying again gives the same."""

    def __init__(self, code: str, detail: str) -> None:
        self.code = code
        super().__init__(detail)
