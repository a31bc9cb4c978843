/**
 * What a room tells beside its timeline: how open polls stand, who is writing; and what this person gave in private.
 *
 * Pure. None of it is in the log: it is forgotten with the tab, and joining again brings one's own part back.
 */

/**
 * @typedef {{tally: number[], answers: number}} Tally
 * @typedef {{tallies: Record<number, Tally>, answers: Record<number, number[]>, votes: number[],
 *   writing: Record<number, number>}} Asides `writing`: until when, by user, as milliseconds.
 */

/** Seconds somebody counts as writing after the last word of it; a lost "stopped" heals by itself. */
export const WRITES_SECONDS = 6;

/** @type {Asides} */
export const NOTHING = { tallies: {}, answers: {}, votes: [], writing: {} };

/** Entering brings what this person gave before, and the tallies they may see. @param {Asides} asides @param {Record<string, any>} you @returns {Asides} */
export const entered = (asides, you) => ({
  ...asides,
  answers: Object.fromEntries((you.poll_answers ?? []).map((/** @type {any} */ one) => [one.poll, one.choices])),
  tallies: Object.fromEntries((you.poll_tallies ?? []).map((/** @type {any} */ { poll, ...tally }) => [poll, tally])),
  votes: you.question_votes ?? [],
});

/** @param {Asides} asides @param {{poll: number, tally: number[], answers: number}} fact @returns {Asides} */
export const tallied = (asides, { poll, tally, answers }) => ({
  ...asides,
  tallies: { ...asides.tallies, [poll]: { tally, answers } },
});

/** @param {Asides} asides @param {number} poll @param {number[]} choices @returns {Asides} */
export const answered = (asides, poll, choices) => ({ ...asides, answers: { ...asides.answers, [poll]: choices } });

/** @param {Asides} asides @param {number} question @param {boolean} on @returns {Asides} */
export const voted = (asides, question, on) => {
  const others = asides.votes.filter((one) => one !== question);
  return { ...asides, votes: on ? [...others, question] : others };
};

/** @param {Asides} asides @param {number} user @param {boolean} on @param {number} now @returns {Asides} */
export const wrote = (asides, user, on, now) => {
  const { [user]: _gone, ...others } = asides.writing;
  return { ...asides, writing: on ? { ...others, [user]: now + WRITES_SECONDS * 1000 } : others };
};

/** Those whose writing has not been heard of for a while are left out. @param {Asides} asides @param {number} now @returns {Asides} */
export const settled = (asides, now) => ({
  ...asides,
  writing: Object.fromEntries(Object.entries(asides.writing).filter(([, until]) => until > now)),
});

/** @param {Asides} asides @param {number|undefined} me @returns {number[]} Who else is writing. */
export const writers = (asides, me) => Object.keys(asides.writing).map(Number).filter((user) => user !== me);
