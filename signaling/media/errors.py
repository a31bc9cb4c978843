"""What can go wrong between the web side and a media worker, as values both ends understand.

An error crosses the carrier as (code, detail) and is raised again on the other side with the same class, so a caller
never sees which process refused.
"""


class MediaError(Exception):
    """Something the media worker refused; `code` is stable, `detail` is a sentence a person can act on."""

    code = "media_error"

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail or (self.__doc__ or "").strip())

    @property
    def detail(self) -> str:
        """The sentence to show."""
        return str(self)


class SdpInvalid(MediaError):
    """The session description cannot be used."""

    code = "sdp_invalid"


class MediaAway(MediaError):
    """The media server is not answering just now; try again in a moment."""

    code = "media_away"


class MediaFull(MediaError):
    """The media server has no room for another connection."""

    code = "media_full"


class PeerUnknown(MediaError):
    """There is no such media connection any more; ask for a new one."""

    code = "peer_unknown"


class RequestInvalid(MediaError):
    """The request to the media worker is malformed."""

    code = "request_invalid"


ERRORS: dict[str, type[MediaError]] = {
    error.code: error for error in (SdpInvalid, MediaAway, MediaFull, PeerUnknown, RequestInvalid)
}


def error_of(code: str, detail: str) -> MediaError:
    """The error that crossed the carrier as (code, detail); unknown codes become a plain MediaError."""
    return ERRORS.get(code, MediaError)(detail)
