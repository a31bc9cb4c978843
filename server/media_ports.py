"""The UDP ports of the media workers: MEDIA_PORT is the first one's, and worker n has MEDIA_PORT + n.

An explicit port is waited for and never moves; a demo's usual ones give way, all together, to free ones.
"""

from __future__ import annotations

from collections.abc import Iterator

from server.listening import HIGHEST_PORT, await_udp, free_udp
from server.settings import Settings


def ports_of(settings: Settings) -> Iterator[int]:
    """One each, in the workers' order. Raises SystemExit with one line when there are not so many above MEDIA_PORT."""
    last = settings.media_port + settings.media_workers - 1
    if last > HIGHEST_PORT:
        raise SystemExit(f"MEDIA_PORT {settings.media_port} leaves no port for {settings.media_workers} media workers.")
    yield from range(settings.media_port, last + 1)


def awaited(settings: Settings, host: str) -> Settings:
    """The settings once all ports can be had. 0 means any that are free, chosen once, so that a restarted worker comes
    back to its own. Blocks. Raises PortTaken.
    """
    if not settings.media_port:
        return settings.model_copy(update={"media_port": free_udp(host, 0, settings.media_workers)})
    for port in ports_of(settings):
        await_udp(host, port)
    return settings


def for_demo(settings: Settings, host: str, moved: list[str]) -> Settings:
    """The same for a demo, which tells in `moved` that it uses others than usual."""
    if "media_port" in settings.model_fields_set:
        return awaited(settings, host)
    free = free_udp(host, settings.media_port, settings.media_workers)
    if free != settings.media_port:
        moved.append(f"UDP port {settings.media_port} is taken; sound and picture use {free}.")
    return settings.model_copy(update={"media_port": free})
