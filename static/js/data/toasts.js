/** Short messages that come and go: what just happened, and one thing to do about it. Read out, never stealing the focus. */
import { signal } from "../../vendor/vendor.js";

/** @typedef {{key: number, title: string, body?: string, icon?: string, tone?: string, action?: {label: string, href?: string, run?: () => void}, stays?: boolean}} Toast */

const MOST = 4; // the oldest goes when a fifth comes
const SECONDS = 7;
let next = 1;

/** @type {{value: Toast[]}} */
export const toasts = signal(/** @type {Toast[]} */ ([]));

/** @param {number} key */
export const dismiss = (key) => {
  toasts.value = toasts.value.filter((each) => each.key !== key);
};

/** Messages that lead to this address: whoever is there needs them no more. @param {string} href */
export const dismissTo = (href) => {
  toasts.value = toasts.value.filter((each) => each.action?.href !== href);
};

/** @param {Omit<Toast, "key">} toast */
export const tell = (toast) => {
  const key = next++;
  toasts.value = [...toasts.value.slice(1 - MOST), { ...toast, key }];
  if (!toast.stays) setTimeout(() => dismiss(key), SECONDS * 1000);
};

/** @param {import("../api_error.js").ApiError} error a request that failed, said where the person is */
export const tellFailure = (error) => tell({ title: error.detail, icon: error.status === 0 ? "offline" : "alert", tone: "bad" });
