/**
 * The sound of the room: every audio line plays, whoever is on it; one switch for all.
 *
 * A browser may refuse to play before somebody touched the page. That is a state with a button, not an error.
 */

/** @typedef {{isOn: boolean, isBlocked: boolean}} SoundView */

export class Speakers {
  /** @param {{newPlayer?: () => HTMLAudioElement, onChange: (view: SoundView) => void}} ports */
  constructor({ newPlayer = () => new Audio(), onChange }) {
    this.newPlayer = newPlayer;
    this.onChange = onChange;
    /** @type {Map<MediaStreamTrack, HTMLAudioElement>} */
    this.players = new Map();
    /** @type {SoundView} */
    this.view = { isOn: true, isBlocked: false };
  }

  /** Play exactly these. @param {MediaStreamTrack[]} tracks */
  play(tracks) {
    for (const [track, player] of this.players)
      if (!tracks.includes(track)) {
        player.srcObject = null;
        this.players.delete(track);
      }
    for (const track of tracks) if (!this.players.has(track)) this.#add(track);
  }

  /** @param {boolean} isOn */
  turn(isOn) {
    for (const player of this.players.values()) player.muted = !isOn;
    this.#show({ isOn });
    if (isOn) this.unblock();
  }

  /** Called from a click: what was refused may play now. */
  unblock() {
    for (const player of this.players.values()) this.#start(player);
  }

  close() {
    this.play([]);
  }

  /** @param {MediaStreamTrack} track */
  #add(track) {
    const player = this.newPlayer();
    player.autoplay = true;
    player.muted = !this.view.isOn;
    player.srcObject = new MediaStream([track]);
    this.players.set(track, player);
    this.#start(player);
  }

  /** @param {HTMLAudioElement} player */
  async #start(player) {
    try {
      await player.play();
      if (this.view.isBlocked) this.#show({ isBlocked: false });
    } catch (error) {
      const isRefused = /** @type {Error} */ (error).name === "NotAllowedError";
      if (isRefused && this.view.isOn) this.#show({ isBlocked: true }); // anything else: the line was taken away meanwhile
    }
  }

  /** @param {Partial<SoundView>} change */
  #show(change) {
    this.view = { ...this.view, ...change };
    this.onChange(this.view);
  }
}
