/** The room's store against the recorded timelines that the server's room is held to as well. */
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { evolve, evolveAll, initial, snapshotOf, TYPES } from "../../static/js/store/room.js";
import { withEarlier } from "../../static/js/store/lines.js";

const FOLDER = new URL("../fixtures/timelines/", import.meta.url);
const recorded = readdirSync(FOLDER).map((name) => ({
  name: name.replace(".json", ""),
  ...JSON.parse(readFileSync(new URL(name, FOLDER), "utf8")),
}));

/** Freezes all of it, so that a step which changes its input throws instead of passing by luck. */
const frozen = (value) => {
  if (value && typeof value === "object") Object.values(Object.freeze(value)).forEach(frozen);
  return value;
};

for (const { name, about, seq, snapshot, events, expected } of recorded) {
  test(`${name}: ${about}`, () => {
    const room = evolveAll(frozen(initial(snapshot, seq)), frozen(events));
    assert.deepEqual(snapshotOf(room), expected);
    assert.equal(room.seq, events.at(-1).seq);
  });

  test(`${name}: a page of events given twice, or overlapping, changes nothing more`, () => {
    const room = evolveAll(initial(snapshot, seq), events);
    assert.deepEqual(evolveAll(room, events), room);
    const half = evolveAll(initial(snapshot, seq), events.slice(0, 2));
    assert.deepEqual(evolveAll(half, events), room);
  });
}

test("every type of the contract is known and each is in a recorded timeline", () => {
  const shown = new Set(recorded.flatMap(({ events }) => events.map((event) => event.type)));
  assert.deepEqual(TYPES.filter((type) => !shown.has(type)), []);
});

test("lines that leave the window stay readable in this tab", () => {
  const { snapshot, seq, events } = recorded.find(({ name }) => name === "chat_window_rolls");
  const room = evolveAll(initial(snapshot, seq), events);
  assert.deepEqual(room.history.map((line) => line.seq), [5, 6]);
  assert.equal(room.chat.lines.length, 100);
});

test("an edit reaches a line that has left the window", () => {
  const { snapshot, seq, events } = recorded.find(({ name }) => name === "chat_window_rolls");
  const room = evolveAll(initial(snapshot, seq), events);
  const edit = { seq: 107, at: "2026-11-23T17:00:00Z", type: "chat_edited", actor_id: 2, payload: { seq: 5, text: "Better" } };
  assert.equal(evolve(room, edit).history[0].text, "Better");
});

test("earlier lines are put before the known ones, once, with their later changes", () => {
  const posted = (seq, text) => ({ seq, at: "", type: "chat_posted", actor_id: 1, payload: { text } });
  const known = withEarlier([], [posted(3, "three")]);
  const lines = withEarlier(known, [
    posted(1, "one"),
    { seq: 2, at: "", type: "chat_deleted", actor_id: 1, payload: { seq: 1 } },
    posted(3, "three"),
  ]);
  assert.deepEqual(lines.map(({ seq, text, deleted }) => [seq, text, deleted]), [[1, null, true], [3, "three", false]]);
});
