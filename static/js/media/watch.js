/**
 * Watches one peer connection: a stumble is answered by an ICE restart, a fall by a new connection.
 *
 * Browsers report a lost path as `disconnected` after some seconds and often recover by themselves, so a restart waits a
 * moment; a restart that does not connect in time means that the other side no longer knows us.
 */

/** Why the server says that a connection is closed when it was this page that closed it: to have another, or none. */
export const OURS = "gone";

/** Seconds a path may be `disconnected` before the restart. */
const PATIENCE_SECONDS = 1.5;

/** Seconds until a set-up is tried anew that somebody disturbed: not at once, as whoever can do that once can again. */
const DISTURBED_SECONDS = 0.5;

/** Seconds a new or restarted connection has until it must be up; set-up takes a tenth of that even far away. */
const CONNECT_SECONDS = 8;

/** States of a path that carries packets. */
const PATH = new Set(["connected", "completed"]);

/**
 * @param {RTCPeerConnection} pc
 * @param {{connected: () => void, restart: () => void, rebuild: () => void,
 *   after: (seconds: number, act: () => void) => unknown}} acts Called only while the connection is open.
 */
export function watch(pc, { connected, restart, rebuild, after }) {
  let isRestarting = false;
  let attempt = 0; // a set-up or restart that has connected needs no deadline any more
  const isOpen = () => pc.connectionState !== "closed" && pc.signalingState !== "closed";
  const mustConnect = () => {
    const mine = ++attempt;
    after(CONNECT_SECONDS, () => {
      if (mine === attempt && isOpen()) rebuild();
    });
  };
  const stumbled = () => {
    if (isRestarting || !isOpen()) return;
    isRestarting = true;
    restart();
    mustConnect();
  };
  pc.addEventListener("connectionstatechange", () => {
    if (pc.connectionState === "connected") {
      isRestarting = false;
      attempt += 1;
      connected();
    } else if (pc.connectionState === "failed") {
      // The path is there and the handshake is not: only a new connection brings another.
      if (PATH.has(pc.iceConnectionState)) after(DISTURBED_SECONDS, () => pc.connectionState === "failed" && rebuild());
      else if (isRestarting) rebuild();
      else stumbled();
    } else if (pc.connectionState === "disconnected") {
      after(PATIENCE_SECONDS, () => pc.connectionState === "disconnected" && stumbled());
    }
  });
  mustConnect();
}
