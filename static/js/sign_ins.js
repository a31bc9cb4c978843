/**
 * Who is signed in to this browser, and who of them this tab is.
 *
 * Several people may use one browser's tabs side by side. The tab's own storage says who it is and survives a reload; the
 * browser's storage lists everyone, newest first, and its first is who a new tab becomes. Only a number and what the page
 * header shows are kept here: the secret stays in a cookie that scripts cannot read.
 */

/** @typedef {{id: string, name: string, email: string, role: string}} SignIn */

const TAB = "lectern.sign_in";
const BROWSER = "lectern.sign_ins";
const MOST = 8; // the server keeps this many a browser; the next sign-in expires the oldest

export class SignIns {
  /** @param {Storage} tab @param {Storage} browser */
  constructor(tab, browser) {
    this.tab = tab;
    this.browser = browser;
  }

  /** @returns {SignIn[]} newest first */
  all() {
    try {
      const list = JSON.parse(this.browser.getItem(BROWSER) ?? "[]");
      return Array.isArray(list) ? list.filter((each) => typeof each?.id === "string") : [];
    } catch {
      return [];
    }
  }

  /** @returns {string | null} the sign-in this tab uses */
  current() {
    return this.tab.getItem(TAB) ?? this.all()[0]?.id ?? null;
  }

  /** @param {SignIn} person who this tab is from now on */
  enter(person) {
    this.tab.setItem(TAB, person.id);
    this.#keep([person, ...this.all().filter((each) => each.id !== person.id)]);
  }

  /** The same person again, with what is known of them now; their place in the list stays. @param {SignIn} person */
  renew(person) {
    this.tab.setItem(TAB, person.id);
    const list = this.all();
    this.#keep(list.some((each) => each.id === person.id) ? list.map((each) => (each.id === person.id ? person : each)) : [person, ...list]);
  }

  /** @param {string} id switches this tab to somebody who is signed in here */
  become(id) {
    this.tab.setItem(TAB, id);
  }

  /** @param {string} id a sign-in that ended, here or on the server */
  forget(id) {
    if (this.tab.getItem(TAB) === id) this.tab.removeItem(TAB);
    this.#keep(this.all().filter((each) => each.id !== id));
  }

  /** @param {SignIn[]} list */
  #keep(list) {
    this.browser.setItem(BROWSER, JSON.stringify(list.slice(0, MOST)));
  }
}
