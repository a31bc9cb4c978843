/** Between moments and what a date box shows: the local day and hour, without a zone. Pure but for the machine's zone. */

/** @param {Date} date @returns {string} "2026-12-04T14:30", as the box takes it */
export const boxValue = (date) => {
  const pad = (/** @type {number} */ n) => String(n).padStart(2, "0");
  return `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}T${pad(date.getHours())}:${pad(date.getMinutes())}`;
};

/** @param {Date} now @returns {Date} the full hour after next, so that there is time to be told */
export const suggestion = (now) => {
  const date = new Date(now);
  date.setHours(date.getHours() + 2, 0, 0, 0);
  return date;
};
