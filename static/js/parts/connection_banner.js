/**
 * Says that the page is cut off, and when it is back; says nothing about the blink of an eye.
 *
 * It lies over the page's lower edge instead of pushing the page down: a connection that comes and goes must not move
 * what somebody is reading.
 */
import { html, useEffect, useState } from "../../vendor/vendor.js";
import { live } from "../socket.js";
import { Icon } from "./icon.js";

const PATIENCE_MS = 1500; // most reconnects are over by then

export const ConnectionBanner = () => {
  const status = live.status.value;
  const [shown, setShown] = useState("online");
  const [hasNetwork, setNetwork] = useState(navigator.onLine);
  useEffect(() => {
    const look = () => setNetwork(navigator.onLine);
    addEventListener("online", look);
    addEventListener("offline", look);
    return () => {
      removeEventListener("online", look);
      removeEventListener("offline", look);
    };
  }, []);
  useEffect(() => {
    const timer = setTimeout(() => setShown(status), status === "online" ? 0 : PATIENCE_MS);
    return () => clearTimeout(timer);
  }, [status]);
  const says = !hasNetwork ? "You are offline. What you see is from before; new things appear when you are back."
    : shown === "online" ? "" : "Reconnecting to the server. The page will catch up by itself.";
  return html`<div class="connection" role="status">${says && html`<p><${Icon} name="offline" />${says}</p>`}</div>`;
};
