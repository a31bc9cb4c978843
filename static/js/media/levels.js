/**
 * Who is speaking: loudness from the two connections' own statistics, so that no server is asked and nothing decoded twice.
 */

/** Milliseconds between looks; a ring around a picture needs no more. */
const EVERY_MS = 400;

/** Loudness from 0 to 1 from which somebody counts as speaking. */
export const SPEAKING = 0.02;

/**
 * @param {RTCPeerConnection|null} publish @param {RTCPeerConnection|null} subscribe
 * @param {Map<string, number>} holders User by mid of the audio lines that are somebody's. @param {number|null} me
 * @returns {Promise<Set<number>>} Who is speaking now.
 */
export async function speaking(publish, subscribe, holders, me) {
  /** @type {Set<number>} */
  const loud = new Set();
  const [ours, theirs] = await Promise.all([publish?.getStats(), holders.size ? subscribe?.getStats() : undefined]);
  ours?.forEach((one) => {
    if (one.type === "media-source" && one.kind === "audio" && one.audioLevel > SPEAKING && me !== null) loud.add(me);
  });
  theirs?.forEach((one) => {
    const user = one.type === "inbound-rtp" && one.kind === "audio" ? holders.get(one.mid) : undefined;
    if (user !== undefined && one.audioLevel > SPEAKING) loud.add(user);
  });
  return loud;
}

/** Look again and again until stopped; a look that fails (a connection just closed) is skipped.
 * @param {() => Promise<Set<number>>} look @param {(loud: Set<number>) => void} tell @returns {() => void} */
export function follow(look, tell) {
  let before = "";
  const timer = setInterval(async () => {
    const loud = await look().catch(() => null);
    const now = loud && [...loud].sort().join();
    if (loud && now !== before) tell(loud);
    before = now ?? before;
  }, EVERY_MS);
  return () => clearInterval(timer);
}
