/**
 * The tab's one live connection, for every page: notifications, courses and the room share it.
 *
 * `connectLive()` after signing in, `disconnectLive()` after signing out. `live.on(event, listener)` hears facts,
 * `live.wish(event, payload)` asks for things, `live.status` is a signal to show, `live.notificationsAfter(id)` tells it what
 * the page already has, so that only newer notifications follow.
 */
import { io, signal } from "../vendor/vendor.js";
import { api, session } from "./api.js";
import { BACK_OFF, Connection } from "./live/connection.js";

/** @type {{value: import("./live/connection.js").Status}} */
const status = signal(/** @type {import("./live/connection.js").Status} */ ("offline"));

const connection = new Connection({
  // WebSocket first: one round trip less at every return; polling remains for networks that refuse it.
  open: (auth) =>
    io("/live", { auth, autoConnect: false, transports: ["websocket", "polling"], tryAllTransports: true, ...BACK_OFF }),
  token: ({ fresh }) => api.token({ fresh }),
  signedOut: () => {
    session.value = null;
  },
  onStatus: (now) => {
    status.value = now;
  },
});

addEventListener("online", () => connection.nudge());
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible") connection.nudge();
});
// A page kept by the browser for "back" must not hold a connection nobody looks at; shown again, it returns.
addEventListener("pageshow", (event) => event.persisted && connection.nudge());

export const connectLive = () => connection.start();
export const disconnectLive = () => connection.stop();

export const live = {
  status,
  on: connection.on.bind(connection),
  wish: connection.wish.bind(connection),
  outbox: connection.outbox,
  get isUp() {
    return connection.isUp;
  },
  /** @param {number|null} id The newest notification the page has. */
  notificationsAfter(id) {
    connection.notificationsAfter = id === null ? connection.notificationsAfter : Math.max(id, connection.notificationsAfter ?? 0);
  },
};
