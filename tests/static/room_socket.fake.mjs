/**
 * A socket as the official client shows it to us, moved by hand: the port at which the live connection is tested.
 *
 * Also a clock that stands still until told, so that no test waits.
 */
export class FakeSocket {
  constructor(auth) {
    this.auth = auth;
    this.connected = false;
    this.active = true;
    this.handlers = new Map();
    this.any = [];
    /** Every wish that reached the "server": {event, payload, ack}. */
    this.sent = [];
    this.connects = 0;
    this.delays = [];
    this.longest = [];
    /** What listens to the manager's `reconnect_attempt`. */
    this.attempted = () => {};
    this.io = {
      reconnectionDelay: (ms) => this.delays.push(ms),
      reconnectionDelayMax: (ms) => this.longest.push(ms),
      once: (_, act) => (this.attempted = act),
    };
    /** Answers wishes by itself when set. */
    this.answers = null;
  }

  on(event, handler) {
    this.handlers.set(event, handler);
  }

  onAny(handler) {
    this.any.push(handler);
  }

  connect() {
    this.connects += 1;
    return this;
  }

  disconnect() {
    if (this.connected) this.drop("io client disconnect");
    return this;
  }

  timeout() {
    return {
      emit: (event, payload, callback) => {
        const wish = { event, payload, done: false };
        wish.ack = (body) => settle(wish, callback, null, body);
        wish.timeOut = () => settle(wish, callback, new Error("operation has timed out"));
        this.sent.push(wish);
        const answer = this.answers?.(event, payload);
        if (answer) wish.ack(answer);
      },
    };
  }

  /** The server takes the connection. */
  accept() {
    this.connected = true;
    this.active = true;
    this.handlers.get("connect")();
  }

  refuse(code, extra = {}) {
    this.active = false;
    this.handlers.get("connect_error")(Object.assign(new Error(code), { data: { code, ...extra } }));
  }

  drop(reason = "transport close") {
    this.connected = false;
    for (const wish of this.sent.filter((one) => !one.done)) wish.timeOut();
    this.handlers.get("disconnect")(reason);
  }

  hear(event, payload) {
    for (const handler of this.any) handler(event, payload);
  }

  /** The wishes not yet answered. */
  open() {
    return this.sent.filter((wish) => !wish.done);
  }
}

function settle(wish, callback, ...args) {
  if (wish.done) return;
  wish.done = true;
  callback(...args);
}

export class StillClock {
  constructor() {
    this.waiting = [];
  }

  after(seconds, act) {
    this.waiting.push({ seconds, act });
  }

  /** Everything that was waiting happens now. */
  pass() {
    for (const { act } of this.waiting.splice(0)) act();
  }
}

/** Lets promises that can go on go on. */
export const settled = async () => {
  for (let turn = 0; turn < 20; turn += 1) await null;
};
