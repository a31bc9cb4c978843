/** What a room tells beside its timeline, as plain values. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { NOTHING, WRITES_SECONDS, answered, entered, settled, tallied, voted, writers, wrote } from "../../static/js/store/asides.js";

test("entering again brings one's own answers, votes and the tallies one may see", () => {
  const before = answered(tallied(NOTHING, { poll: 3, tally: [1, 0], answers: 1 }), 3, [0]);
  const you = { poll_answers: [{ poll: 9, choices: [0, 2] }], poll_tallies: [{ poll: 9, tally: [1, 0, 1], answers: 1 }], question_votes: [4] };
  const now = entered(before, you);
  assert.deepEqual(now.answers, { 9: [0, 2] });
  assert.deepEqual(now.tallies, { 9: { tally: [1, 0, 1], answers: 1 } });
  assert.deepEqual(now.votes, [4]);
  assert.deepEqual(entered(now, {}).votes, []);
});

test("a vote is given once and taken back", () => {
  const given = voted(voted(NOTHING, 4, true), 4, true);
  assert.deepEqual(given.votes, [4]);
  assert.deepEqual(voted(given, 4, false).votes, []);
});

test("who stopped writing, or was not heard of for a while, is not writing", () => {
  const both = wrote(wrote(NOTHING, 2, true, 1000), 3, true, 4000);
  assert.deepEqual(writers(both, 3), [2]);
  assert.deepEqual(writers(wrote(both, 2, false, 5000), undefined), [3]);
  assert.deepEqual(writers(settled(both, 1000 + WRITES_SECONDS * 1000), undefined), [3]);
});
