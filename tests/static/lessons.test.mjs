// Files before they are sent, bytes on their way, and what was really watched.
import assert from "node:assert/strict";
import { test } from "node:test";
import { TransferRate } from "../../static/js/transfer_rate.js";
import { pictureRefusal, refusal, sniff, titleFrom } from "../../static/js/upload_rules.js";
import { Watching, merged, percentOf } from "../../static/js/watching.js";

const bytes = (text) => Uint8Array.from([...text].map((letter) => letter.charCodeAt(0)));
const MP4 = bytes("\0\0\0\x18ftypisom........");
const M4A = bytes("\0\0\0\x18ftypM4A ........");
const HEADS = { video: [MP4, bytes("\0\0\0\x08wide...."), bytes("RIFF....AVI LIST"), Uint8Array.of(0x30, 0x26, 0xb2, 0x75)], audio: [M4A, bytes("RIFF....WAVEfmt "), bytes("OggS"), bytes("ID3\x04"), Uint8Array.of(0xff, 0xfb, 0x90, 0)] };
const MB = 1_048_576;

test("the first bytes tell video from sound from everything else", () => {
  for (const [kind, heads] of Object.entries(HEADS)) for (const head of heads) assert.equal(sniff(head), kind);
  assert.deepEqual([sniff(bytes("\x89PNG\r\n")), sniff(bytes("%PDF-1.7")), sniff(bytes("MZ....")), sniff(bytes("<html>")), sniff(bytes("????"))], ["image", "other", "other", "other", null]);
});

test("a right file is taken up to the exact limit and not a byte more", () => {
  assert.equal(refusal({ name: "a.mp4", size: 500 * MB, head: MP4 }, "video"), null);
  assert.match(refusal({ name: "a.mp4", size: 500 * MB + 1, head: MP4 }, "video"), /at most 500/);
  assert.equal(refusal({ name: "a.mp3", size: 100 * MB, head: bytes("ID3") }, "audio"), null);
  assert.match(refusal({ name: "a.mp3", size: 100 * MB + 1, head: bytes("ID3") }, "audio"), /at most 100/);
});

test("a wrong file is refused with the reason and the way on", () => {
  assert.match(refusal({ name: "a.mp3", size: 9, head: bytes("ID3") }, "video"), /Choose “Upload audio”/);
  assert.match(refusal({ name: "a.mp4", size: 9, head: MP4 }, "audio"), /Choose “Upload video”/);
  assert.match(refusal({ name: "notes.pdf", size: 9, head: bytes("%PDF") }, "video"), /Choose an MP4, MOV, AVI or WMV file/);
  assert.match(refusal({ name: "film.mp4", size: 9, head: bytes("%PDF") }, "video"), /something else is inside/);
  assert.match(refusal({ name: "empty.mp4", size: 0, head: bytes("") }, "video"), /empty/);
});

test("what the browser cannot judge is left to the server", () => {
  assert.equal(refusal({ name: "odd.mp3", size: 9, head: bytes("????") }, "audio"), null);
  assert.equal(refusal({ name: "no-ending", size: 9, head: MP4 }, "video"), null);
});

test("a picture is of a known type, not empty and at most 5 MB", () => {
  for (const kind of ["jpeg", "png", "gif", "webp"]) assert.equal(pictureRefusal({ type: `image/${kind}`, size: 5 * MB }), null);
  assert.match(pictureRefusal({ type: "image/svg+xml", size: 9 }), /JPEG, PNG, GIF or WebP/);
  assert.match(pictureRefusal({ type: "image/png", size: 0 }), /empty/);
  assert.match(pictureRefusal({ type: "image/png", size: 5 * MB + 1 }), /larger than 5 MB/);
});

test("a title begins as the file's name", () => {
  assert.deepEqual(["02_intro-to-waves.mp4", "été.final.mov", ".mp4"].map(titleFrom), ["02 intro to waves", "Été.final", ""]);
});

test("speed and time left follow the last seconds, and say nothing too early", () => {
  const rate = new TransferRate();
  rate.add(0, 0);
  assert.deepEqual([rate.perSecond, rate.left(100)], [null, null]);
  rate.add(1000, 1000);
  assert.deepEqual([rate.perSecond, rate.left(3000)], [1000, 2]);
  for (let at = 2000; at <= 9000; at += 1000) rate.add(1000, at);
  assert.equal(rate.perSecond, 0);
  assert.equal(rate.left(3000), null);
});

test("only what was played counts, jumps do not", () => {
  const watching = new Watching();
  for (const at of [0, 0.25, 0.5, 0.75]) watching.played(at, 1);
  for (const at of [60, 60.25, 60.5]) watching.played(at, 1);
  assert.deepEqual(watching.take(), [[0, 0.8], [60, 60.5]]);
  watching.played(60.75, 1);
  assert.deepEqual(watching.take(), [[60.5, 60.8]]);
});

test("ranges that could not be told come with the next report", () => {
  const watching = new Watching();
  watching.played(0, 1);
  watching.played(1, 1);
  const lost = watching.take();
  watching.giveBack(lost);
  watching.played(2, 1);
  assert.deepEqual(watching.take(), [[0, 2]]);
});

test("overlapping ranges count once", () => {
  assert.deepEqual(merged([[10, 20], [0, 5], [4, 12]]), [[0, 20]]);
  assert.equal(percentOf([[0, 5], [5, 10], [8, 20]], 40), 50);
});
