/**
 * A refusal or failure of a wish, in the shape the server gives problems, so that views show one kind of thing.
 *
 * Codes of the server come as they are. The browser adds three: `offline` (nothing was sent), `timeout` (sent, no
 * answer in time) and `interrupted` (sent, then the connection broke): after the last two it may have happened.
 */
export class LiveProblem extends Error {
  /** @param {{code: string, detail?: string, message?: string, status?: number, retry_after?: number}} problem */
  constructor(problem) {
    super(problem.detail ?? problem.message ?? "Something went wrong. Please try again.");
    this.name = "LiveProblem";
    this.code = problem.code;
    this.status = problem.status ?? 0;
    this.retry_after = problem.retry_after;
    this.problem = problem;
  }
}

const WORDS = {
  offline: "You are not connected right now.",
  timeout: "The server did not answer in time.",
  interrupted: "The connection broke before the server answered.",
};

/** @param {keyof typeof WORDS} code */
export const lost = (code) => new LiveProblem({ code, detail: WORDS[code] });

/** Whether nobody can know yet if the wish was heard: it is sent again with the same id. @param {unknown} error */
export const isUnanswered = (error) => error instanceof LiveProblem && error.code in WORDS;

/** Refusals that say "not now": too fast, away for a moment, or a tab the server has not let into the room again yet. */
const PASSING = new Set(["rate_limited", "media_away", "not_joined"]);

/** Whether the server asks for a little patience rather than refusing. @param {unknown} error */
export const isPatience = (error) => error instanceof LiveProblem && (PASSING.has(error.code) || error.status === 503);
