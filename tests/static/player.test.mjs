// What keys mean to a player, and which small picture belongs to a moment.
import assert from "node:assert/strict";
import { test } from "node:test";
import { HELP, SPEEDS, speedFrom, wishOf } from "../../static/js/player_keys.js";
import { tileAt } from "../../static/js/seek_preview.js";

test("every key of the help does something, also in capitals", () => {
  const names = { Space: " ", "←": "ArrowLeft", "→": "ArrowRight", "↑": "ArrowUp", "↓": "ArrowDown" };
  for (const [keys] of HELP) {
    for (const key of keys.filter((each) => each !== "…")) {
      const name = names[key] ?? key;
      assert.ok(wishOf(name, false), name);
      assert.deepEqual(wishOf(name.length === 1 ? name.toLowerCase() : name, false), wishOf(name, false));
    }
  }
});

test("digits go to tenths, arrows five seconds, j and l ten", () => {
  assert.deepEqual(["0", "7"].map((key) => wishOf(key, true)), [{ what: "to", part: 0 }, { what: "to", part: 0.7 }]);
  assert.deepEqual([wishOf("ArrowLeft", false), wishOf("l", false)], [{ what: "skip", by: -5 }, { what: "skip", by: 10 }]);
});

test("a focused control keeps space and arrows, and an unknown key is nobody's", () => {
  assert.deepEqual([" ", "ArrowLeft", "ArrowUp", "x", "Enter", "F5"].map((key) => wishOf(key, true)), [null, null, null, null, null, null]);
  assert.deepEqual(wishOf("k", true), { what: "toggle" });
});

test("speed goes step by step and stops at both ends", () => {
  assert.deepEqual([speedFrom(1, 1), speedFrom(1, -1), speedFrom(2, 1), speedFrom(0.5, -1), speedFrom(3, -1)], [1.25, 0.75, 2, 0.5, 1.75]);
  assert.ok(SPEEDS.includes(1));
});

test("the small picture of a moment, clamped to the sheet; none without a sheet", () => {
  const sheet = { url: "x", columns: 5, rows: 2, tile_width: 160, tile_height: 90, seconds_per_tile: 6 };
  assert.deepEqual(tileAt(sheet, 0), { x: 0, y: 0, width: 160, height: 90 });
  assert.deepEqual(tileAt(sheet, 35.9), { x: 0, y: 90, width: 160, height: 90 });
  assert.deepEqual(tileAt(sheet, 9999), { x: 640, y: 90, width: 160, height: 90 });
  assert.deepEqual(tileAt(sheet, -1), tileAt(sheet, 0));
  assert.deepEqual([tileAt(null, 3), tileAt(undefined, 3), tileAt({ ...sheet, seconds_per_tile: 0 }, 3)], [null, null, null]);
});
