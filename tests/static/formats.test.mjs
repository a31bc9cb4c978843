// Numbers and moments as people read them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { agoText, clockText, countText, durationText, initials, playText, roleText, sizeText, whenText } from "../../static/js/format.js";

const locale = "en-GB";
const now = new Date(2026, 10, 23, 16, 0); // local, as the reader's clock is
const local = (...parts) => new Date(...parts).toISOString();

test("a moment near today is named by its day and the local hour", () => {
  assert.equal(whenText(local(2026, 10, 23, 18, 5), { now, locale }), "Today at 18:05");
  assert.equal(whenText(local(2026, 10, 24, 9, 0), { now, locale }), `Tomorrow at ${clockText(local(2026, 10, 24, 9, 0), { locale })}`);
  assert.equal(whenText(local(2026, 10, 22, 9, 30), { now, locale }).slice(0, 9), "Yesterday");
});

test("a moment further away has its date, and its year only when it is another", () => {
  assert.match(whenText(local(2026, 11, 4, 14, 30), { now, locale }), /^Fri,? 4 Dec at 14:30$/);
  assert.match(whenText(local(2027, 0, 4, 14, 30), { now, locale }), /2027/);
});

test("what is no moment is nothing, never a code", () => {
  for (const each of [null, undefined, "", "soon"]) assert.equal(whenText(each) + clockText(each) + agoText(each), "");
});

test("how long ago is said roughly", () => {
  const at = (seconds) => new Date(now.getTime() - seconds * 1000).toISOString();
  assert.equal(agoText(at(5), { now, locale }), "just now");
  assert.equal(agoText(at(180), { now, locale }), "3 minutes ago");
  assert.equal(agoText(at(2 * 3600), { now, locale }), "2 hours ago");
  assert.equal(agoText(at(-7200), { now, locale }), "in 2 hours");
  assert.equal(agoText(at(86_400), { now, locale }), "yesterday");
});

test("a place in a recording and a length are written as players write them", () => {
  assert.deepEqual([0, 65, 3729, null].map(playText), ["0:00", "1:05", "1:02:09", "0:00"]);
  assert.deepEqual([8, 59.6, 754, 3600, 3900].map((each) => durationText(each).replace(/\u00a0/g, " ")), ["8 s", "1 min", "13 min", "1 h", "1 h 5 min"]);
});

test("sizes use the unit of the upload limits", () => {
  const written = [0, 1, 1023, 1024, 1_048_576, 524_288_000].map((each) => sizeText(each, { locale }).replace(/\u00a0/g, " "));
  assert.deepEqual(written, ["0 bytes", "1 byte", "1,023 bytes", "1 kB", "1 MB", "500 MB"]);
});

test("counts, initials and roles are words", () => {
  assert.deepEqual([countText(1, "lesson"), countText(2, "lesson"), countText(1200, "person", "people", { locale })], ["1 lesson", "2 lessons", "1,200 people"]);
  assert.deepEqual(["Ana Ferreira", "bo", "  Jean  Luc  Picard ", "", null, "𝒜da Lovelace"].map(initials), ["AF", "B", "JP", "?", "?", "𝒜L"]);
  assert.deepEqual(["expert", "student", "admin", undefined].map(roleText), ["Instructor", "Student", "Administrator", "Student"]);
});
