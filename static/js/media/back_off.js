/**
 * How long to wait before trying a media connection again: short at first, so that pictures are back with the class.
 *
 * The waits double from half a second to two; a success starts them over. One wait at a time; a newer replaces it.
 */

const FIRST_SECONDS = 0.5;
const LONGEST_SECONDS = 2;

export class BackOff {
  /** @param {(seconds: number, act: () => void) => unknown} after */
  constructor(after) {
    this.after = after;
    this.seconds = FIRST_SECONDS;
    this.turn = 0;
  }

  /** @param {() => void} act */
  again(act) {
    const turn = ++this.turn;
    this.after(this.seconds, () => turn === this.turn && act());
    this.seconds = Math.min(LONGEST_SECONDS, this.seconds * 2);
  }

  succeeded() {
    this.turn += 1;
    this.seconds = FIRST_SECONDS;
  }

  cancel() {
    this.turn += 1;
  }
}
