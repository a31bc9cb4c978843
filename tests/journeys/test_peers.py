"""Two browsers send each other picture and words directly; the room only carries what they need to find each other."""

from __future__ import annotations

from typing import Any

from tests.journeys.browser import browser, until
from tests.journeys.classroom import Classroom
from tests.program import Program

# What a page built on the contract does: the room's own connection, a peer connection, and `peer_signal` between.
# One asks, the other answers, both tell their candidates as they find them.
PEER = """async ({ room, them }) => {
  const { live } = await import("/static/js/socket.js");
  const pc = (window.peer = new RTCPeerConnection({ iceServers: [] }));
  const tell = (data) => live.wish("peer_signal", { live_session_id: room, to_user_id: them, data });
  const seen = (window.seen = { frames: 0, words: [], from: new Set() });
  const [picture] = (await navigator.mediaDevices.getUserMedia({ video: true })).getVideoTracks();
  const describe = async () => {
    await pc.setLocalDescription();
    await tell({ description: pc.localDescription.toJSON() });
  };
  pc.onicecandidate = ({ candidate }) => candidate && tell({ candidate: candidate.toJSON() });
  pc.ondatachannel = ({ channel }) => (channel.onmessage = ({ data }) => seen.words.push(data));
  pc.ontrack = ({ track }) => {
    const srcObject = new MediaStream([track]);
    const element = Object.assign(document.createElement("video"), { srcObject, muted: true });
    element.play();
  };
  const early = [];
  const take = async ({ description, candidate }) => {
    if (candidate && !pc.remoteDescription) return early.push(candidate);
    if (candidate) return pc.addIceCandidate(candidate);
    await pc.setRemoteDescription(description);
    for (const one of early.splice(0)) await pc.addIceCandidate(one);
    if (description.type === "answer") return;
    pc.addTrack(picture);
    await describe();
  };
  let turn = Promise.resolve();
  live.on("peer_signal", ({ live_session_id, from_user_id, data }) => {
    if (live_session_id !== room) return;
    seen.from.add(from_user_id);
    turn = turn.then(() => take(data));
  });
  window.ask = async () => {
    const channel = pc.createDataChannel("words");
    channel.onopen = () => channel.send("directly");
    pc.addTrack(picture);
    await describe();
  };
}"""
FOUND = """async () => {
  const stats = await peer.getStats();
  const all = [...stats.values()];
  const pair = stats.get(all.find((one) => one.type === "transport")?.selectedCandidatePairId);
  return {
    ours: stats.get(pair?.localCandidateId)?.port, theirs: stats.get(pair?.remoteCandidateId)?.port,
    frames: all.find((one) => one.type === "inbound-rtp")?.framesDecoded ?? 0, words: seen.words, from: [...seen.from],
  };
}"""


async def test_two_browsers_find_each_other_through_the_room_and_send_directly(program: Program) -> None:
    async with browser() as teachers, browser() as students:
        teaching = await Classroom(program, teachers).sign_in("ana")
        learning = await Classroom(program, students).sign_in("bo")
        room = await teaching.go_live()
        await teaching.in_room("ana")
        await learning.join("bo")
        people = {"ana": teaching, "bo": learning}
        ids = {name: (await (await place.api(name)).get("/auth/me")).json["id"] for name, place in people.items()}
        for name, place in people.items():
            them = ids["bo" if name == "ana" else "ana"]
            await place.tabs[name].page.evaluate(PEER, {"room": room, "them": them})
        await learning.bo.page.evaluate("ask()")

        async def direct() -> tuple[dict[str, Any], dict[str, Any]] | None:
            ana, bo = [await place.tabs[name].page.evaluate(FOUND) for name, place in people.items()]
            return (ana, bo) if ana["frames"] > 10 and bo["frames"] > 10 and ana["words"] else None

        ana, bo = await until(direct, "pictures move both ways")
        assert (ana["ours"], ana["theirs"]) == (bo["theirs"], bo["ours"]), "each sends to the other's own port"
        assert ana["words"] == ["directly"]
        assert (ana["from"], bo["from"]) == ([ids["bo"]], [ids["ana"]])
        for place in people.values():
            await place.close()
