/**
 * A request that did not succeed, in words a person can act on.
 *
 * The server explains itself with a problem object; what never reached it, or came back from something else on the way, is
 * explained here. `errors` points at fields of the body, for forms.
 */

/** @typedef {{pointer: string, detail: string}} FieldError */

export const UNREACHABLE = "The server cannot be reached. Check your connection and try again.";
const UNEXPLAINED = "Something went wrong on the server. Try again in a moment.";

export class ApiError extends Error {
  /**
   * @param {number} status 0 when no answer came
   * @param {Record<string, any>} [problem] the body of the answer, when it is a problem object
   */
  constructor(status, problem = {}) {
    super(problem.detail ?? problem.message ?? (status === 0 ? UNREACHABLE : UNEXPLAINED));
    this.name = "ApiError";
    this.status = status;
    /** @type {string} */ this.code = problem.code ?? (status === 0 ? "unreachable" : "unexplained");
    this.detail = this.message;
    /** @type {FieldError[]} */ this.errors = Array.isArray(problem.errors) ? problem.errors : [];
    /** @type {Record<string, any>} */ this.problem = problem;
  }

  /** Whether the same request may succeed later without anybody changing anything. */
  get isPassing() {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }

  /** @param {string} field a name in the request's body @returns {string | undefined} what is wrong with it */
  about(field) {
    return this.errors.find(({ pointer }) => pointer.replace(/^[#/]+(body\/)?/, "").split("/")[0] === field)?.detail;
  }
}

/** @param {unknown} error anything thrown @returns {ApiError} */
export const asApiError = (error) => (error instanceof ApiError ? error : new ApiError(0));
