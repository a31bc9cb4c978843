"""Who may be heard and seen: hands, the floor, policy, muting, removal, and the tracks that follow from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from server.errors import Forbidden, NotAllowed
from signaling.rooms.commands import (
    GiveFloor,
    LoseTracks,
    LowerHand,
    Mute,
    PublishTracks,
    RaiseHand,
    Remove,
    SetPolicy,
    TakeFloor,
    UnpublishTracks,
)
from signaling.rooms.deciding import New, NotInRoom, decides, person, require_host, require_live
from signaling.rooms.state import SOURCES, Room


class HandsAreClosed(Forbidden):
    code, sentence = "hands_closed", "The instructor takes no raised hands right now."


class PeersNotAllowed(Forbidden):
    code, sentence = "peers_not_allowed", "Only the instructor may be connected to directly right now."


@decides(RaiseHand)
def raise_hand(room: Room, wish: RaiseHand) -> Sequence[New]:
    require_live(room)
    if wish.user_id == room.host_id:
        raise NotAllowed("The instructor has the floor anyway.")
    if wish.user_id in room.hands or wish.user_id in room.floor:
        return ()
    if room.policy["hands"] != "all":
        raise HandsAreClosed()
    return (person("hand_raised", wish.user_id),)


@decides(LowerHand)
def lower_hand(room: Room, wish: LowerHand) -> Sequence[New]:
    require_live(room)
    if wish.of_user_id != wish.user_id:
        require_host(room, wish.user_id)
    if wish.of_user_id not in room.hands:
        return ()
    return (person("hand_lowered", wish.of_user_id),)


@decides(GiveFloor)
def give_floor(room: Room, wish: GiveFloor) -> Sequence[New]:
    require_live(room)
    require_host(room, wish.user_id)
    if not room.is_in(wish.to_user_id):
        raise NotInRoom()
    if wish.to_user_id in room.floor or wish.to_user_id == room.host_id:
        return ()
    return (person("floor_given", wish.to_user_id),)


@decides(TakeFloor)
def take_floor(room: Room, wish: TakeFloor) -> Sequence[New]:
    """The instructor takes it; whoever has it may give it back. Tracks the policy does not allow end with it."""
    require_live(room)
    if wish.from_user_id != wish.user_id:
        require_host(room, wish.user_id)
    if wish.from_user_id not in room.floor:
        return ()
    after = replace(room, floor=tuple(user for user in room.floor if user != wish.from_user_id))
    return (person("floor_taken", wish.from_user_id), *_no_longer_open(after))


@decides(SetPolicy)
def set_policy(room: Room, wish: SetPolicy) -> Sequence[New]:
    """The event carries the whole policy. Tracks it does not allow any more end with it; raised hands stay."""
    require_live(room)
    require_host(room, wish.user_id)
    policy = {**room.policy, **wish.changes}
    if policy == room.policy:
        return ()
    return (New("policy_changed", policy), *_no_longer_open(replace(room, policy=policy)))


@decides(Mute)
def mute(room: Room, wish: Mute) -> Sequence[New]:
    """Held until undone, also over coming and going. The tracks stay; their packets go nowhere meanwhile."""
    require_live(room)
    require_host(room, wish.user_id)
    if wish.of_user_id == room.host_id:
        raise NotAllowed("The instructor cannot be muted.")
    if wish.of_user_id not in room.participants:
        raise NotInRoom()
    sources = tuple(source for source in SOURCES if source in wish.sources)
    if all((source in room.muted_sources(wish.of_user_id)) == wish.is_on for source in sources):
        return ()
    told = {"user_id": wish.of_user_id, "sources": list(sources), "muted": wish.is_on}
    return (New("participant_muted", told),)


@decides(Remove)
def remove(room: Room, wish: Remove) -> Sequence[New]:
    """Somebody who is out at this moment can be removed too: they do not come back."""
    require_live(room)
    require_host(room, wish.user_id)
    if wish.removed_user_id == room.host_id:
        raise NotAllowed("The instructor cannot be removed.")
    if wish.removed_user_id in room.removed:
        return ()
    found = room.participants.get(wish.removed_user_id)
    if found is None:
        raise NotInRoom()
    removed = person("participant_removed", found.user_id)
    if not found.in_room:
        return (removed,)
    return (removed, New("participant_left", {"user_id": found.user_id, "role": found.role}))


@decides(PublishTracks)
def publish_tracks(room: Room, wish: PublishTracks) -> Sequence[New]:
    require_live(room)
    for source in wish.sources:
        if source in room.muted_sources(wish.user_id):
            raise NotAllowed("The instructor has muted you.")
        if not room.may_publish(wish.user_id, source):
            raise NotAllowed("You may send sound and picture once you are given the floor.")
    stopped = tuple(s for u, s in room.tracks if u == wish.user_id and s not in wish.sources)
    started = [
        _track("track_published", wish.user_id, source)
        for source in wish.sources
        if (wish.user_id, source) not in room.tracks
    ]
    return (*_unpublished(room, wish.user_id, stopped), *started)


@decides(UnpublishTracks)
def unpublish_tracks(room: Room, wish: UnpublishTracks) -> Sequence[New]:
    return _unpublished(room, wish.user_id, wish.sources)


@decides(LoseTracks)
def lose_tracks(room: Room, wish: LoseTracks) -> Sequence[New]:
    return tuple(_track("track_unpublished", user_id, source) for user_id, source in room.tracks)


def require_may_signal(room: Room, user_id: int, to_user_id: int) -> None:
    """Whether these two may connect browser to browser. Raises NotInRoom, PeersNotAllowed."""
    require_live(room)
    if not room.is_in(to_user_id):
        raise NotInRoom()
    if room.policy["peers"] != "all" and room.host_id not in (user_id, to_user_id):
        raise PeersNotAllowed()


def _unpublished(room: Room, user_id: int, sources: tuple[str, ...] | None) -> tuple[New, ...]:
    return tuple(
        _track("track_unpublished", user, source)
        for user, source in room.tracks
        if user == user_id and (sources is None or source in sources)
    )


def _no_longer_open(room: Room) -> tuple[New, ...]:
    """The end of every track that the floor and the policy do not allow; a muted one is only silent."""
    return tuple(
        _track("track_unpublished", user_id, source)
        for user_id, source in room.tracks
        if not room.is_open_to(user_id, source)
    )


def _track(type: str, user_id: int, source: str) -> New:
    return New(type, {"user_id": user_id, "source": source})
