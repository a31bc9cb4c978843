// Which page an address means, and where a notification leads.
import assert from "node:assert/strict";
import { test } from "node:test";
import { addressesIn, nearlyAddressesIn } from "../../static/js/email_list.js";
import { match, notificationPath, safeReturn } from "../../static/js/routes.js";

test("every address means one page, with its numbers", () => {
  const pages = Object.fromEntries(
    ["/", "/app", "/app/sign-in", "/app/courses", "/app/courses/new", "/app/courses/7", "/app/courses/7/people", "/app/manage/7/video", "/app/content/9",
      "/app/sessions", "/app/sessions/3", "/app/sessions/3/attendance", "/app/sessions/3/", "/app/notifications"].map((path) => [path, match(path).page]),
  );
  assert.deepEqual(Object.values(pages), ["courses", "courses", "sign_in", "courses", "course_new", "course", "course", "manage", "player", "sessions", "room", "attendance", "room", "notifications"]);
  assert.deepEqual(match("/app/manage/7/video").params, { course_id: "7", way: "video" });
  assert.equal(match("/app/sign-in").isOpen, true);
});

test("what is no address of ours is missing, never somebody else's page", () => {
  for (const path of ["/app/courses/x7", "/app/courses/-1", "/app/sessions/3/../4", "/static/js/app.js", "/app/content/1234567890123456"]) assert.equal(match(path).page, "missing", path);
});

test("after signing in one returns to a page of ours only", () => {
  assert.equal(safeReturn("/app/sessions/3"), "/app/sessions/3");
  for (const path of [null, "", "https://elsewhere.example/app", "//elsewhere.example", "/app/../evil", "/app/sign-in", "javascript:alert(1)"]) assert.equal(safeReturn(path), "/app/courses", String(path));
});

test("a notification leads to what it is about", () => {
  assert.equal(notificationPath({ type: "content_added", data: { url: "/app/content/4", content_id: 4, course_id: 1 } }), "/app/content/4");
  assert.equal(notificationPath({ type: "live_session_started", data: { live_session_id: 3, course_id: 1 } }), "/app/sessions/3");
  assert.equal(notificationPath({ type: "enrollment_added", data: { url: "https://elsewhere.example/", course_id: 1 } }), "/app/courses/1");
  assert.equal(notificationPath({ type: "comment_reply" }), "/app/notifications");
});

test("addresses are found in whatever was pasted, each once", () => {
  assert.deepEqual(addressesIn("Bo <Bo@Example.org>, cleo@example.org; cleo@example.org\n\"Dana\" dana.o+x@mail.example.co.uk nobody @ x"), ["bo@example.org", "cleo@example.org", "dana.o+x@mail.example.co.uk"]);
  assert.deepEqual(addressesIn("bo at example dot org"), []);
  assert.deepEqual(nearlyAddressesIn("bo@example, cleo.example.org; dana@example.org\nEmil Novák,emil@example.org\nfay @ example.org"), ["bo@example", "cleo.example.org", "fay @ example.org"]);
  assert.deepEqual(nearlyAddressesIn("Name,Email\nSmith Jr.,Bo <bo@example.org>"), []);
});
