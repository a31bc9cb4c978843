// Who a tab is, and the token that proves it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ApiError } from "../../static/js/api_error.js";
import { SignIns } from "../../static/js/sign_ins.js";
import { Tokens } from "../../static/js/tokens.js";

/** @returns {any} what browsers call Storage */
const storage = () => {
  const kept = new Map();
  return { getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => kept.set(key, String(value)), removeItem: (key) => kept.delete(key) };
};
const person = (id) => ({ id, name: `Person ${id}`, email: `p${id}@example.org`, role: "student" });

test("two people in two tabs stay who they are, and a new tab is the one who came last", () => {
  const browser = storage();
  const [one, two, three] = [1, 2, 3].map(() => new SignIns(storage(), browser));
  one.enter(person("1"));
  two.enter(person("2"));
  assert.deepEqual([one.current(), two.current(), three.current()], ["1", "2", "2"]);
  one.renew(person("1"));
  assert.equal(three.current(), "2");
});

test("whoever signs out is forgotten here and in the list, others are not", () => {
  const browser = storage();
  const [one, two] = [1, 2].map(() => new SignIns(storage(), browser));
  one.enter(person("1"));
  two.enter(person("2"));
  two.forget("2");
  assert.deepEqual([one.current(), two.all().map(({ id }) => id)], ["1", ["1"]]);
});

test("the list keeps eight and survives nonsense in the storage", () => {
  const browser = storage();
  const tab = new SignIns(storage(), browser);
  for (let id = 1; id <= 12; id += 1) tab.enter(person(String(id)));
  assert.deepEqual([tab.all().length, tab.all()[0].id], [8, "12"]);
  browser.setItem("lectern.sign_ins", "{not json");
  assert.deepEqual(tab.all(), []);
});

test("however many ask for a token, the server is asked once, and again only shortly before the end", async () => {
  let asked = 0;
  let clock = 0;
  const tokens = new Tokens(async () => ({ access_token: `t${(asked += 1)}`, expires_in: 600 }), () => clock);
  assert.deepEqual(await Promise.all([tokens.get(), tokens.get(), tokens.get()]), ["t1", "t1", "t1"]);
  clock = 569_000;
  assert.equal(await tokens.get(), "t1");
  clock = 571_000;
  assert.equal(await tokens.get(), "t2");
  assert.equal(await tokens.get({ fresh: true }), "t3");
});

test("a token that lives shortly is still used for most of its life", async () => {
  let asked = 0;
  let clock = 0;
  const tokens = new Tokens(async () => ({ access_token: `t${(asked += 1)}`, expires_in: 8 }), () => clock);
  await tokens.get();
  clock = 5000;
  assert.equal(await tokens.get(), "t1");
  clock = 6500;
  assert.equal(await tokens.get(), "t2");
});

test("a refused renewal reaches everybody who waits, and the next one asks again", async () => {
  let asked = 0;
  const tokens = new Tokens(async () => {
    asked += 1;
    throw new ApiError(401, { code: "unauthenticated", detail: "Sign in." });
  });
  const both = await Promise.allSettled([tokens.get(), tokens.get()]);
  assert.deepEqual(both.map(({ status }) => status), ["rejected", "rejected"]);
  await assert.rejects(tokens.get(), { status: 401 });
  assert.equal(asked, 2);
});

test("a problem says what is wrong with which field, and whether trying again may help", () => {
  const problem = new ApiError(400, { code: "invalid", detail: "Some values need another look.", errors: [{ pointer: "/title", detail: "needs a few letters" }, { pointer: "#/body/emails/0", detail: "is no address" }] });
  assert.deepEqual([problem.about("title"), problem.about("emails"), problem.about("name")], ["needs a few letters", "is no address", undefined]);
  assert.deepEqual([0, 401, 404, 429, 503].map((status) => new ApiError(status).isPassing), [true, false, false, true, true]);
  assert.match(new ApiError(0).detail, /cannot be reached/);
});
