/** Who belongs to a course and who of them is here; the instructor adds, promotes and lets go. */
import { html, useState } from "../../vendor/vendor.js";
import { asApiError } from "../api.js";
import { changeTier, revoke } from "../data/courses.js";
import { rosterPath } from "../data/facts.js";
import { useResource } from "../data/resource.js";
import { tell, tellFailure } from "../data/toasts.js";
import { countText, dayText } from "../format.js";
import { AddPeople, InviteLink } from "./add_people.js";
import { confirmed } from "./confirm.js";
import { Icon } from "./icon.js";
import { Menu } from "./menu.js";
import { More } from "./more.js";
import { Person } from "./person.js";
import { Empty, Shown } from "./states.js";

const FILTER_FROM = 12; // shorter lists are read at a glance

/** @param {{entry: any, course: any}} props */
const Entry = ({ entry, course }) => {
  const { user, tier, status } = entry;
  const name = user.name ?? user.email;
  const attempt = (/** @type {Promise<unknown>} */ work, /** @type {string} */ said) =>
    work.then(() => tell({ title: said }), (error) => tellFailure(asApiError(error)));
  const other = tier === "premium" ? "standard" : "premium";
  const letGo = async () => {
    if (await confirmed({ title: `Let ${name} go?`, body: "They leave any class at once, lose lessons and live sessions of this course, and can only come back when you add them.", yes: "Let go", no: "Keep them" })) {
      await attempt(revoke(course.id, user.id), `${name} no longer belongs to the course`);
    }
  };
  const where = status === "invited" ? "Invited, has not come yet" : status === "revoked" ? "Let go"
    : entry.in_live_session_id ? "In the live session now" : entry.online ? "Online" : `Since ${dayText(entry.enrolled_at)}`;
  return html`
    <li class=${`item ${status === "revoked" ? "faded" : ""}`}>
      <div class="item-text"><${Person} person=${{ ...user, name, id: user.id ?? 0 }} online=${entry.online} detail=${user.name ? `${user.email} · ${where}` : where} /></div>
      <div class="item-do">
        ${tier === "premium" && html`<span class="badge accent">Premium</span>`}
        ${status === "invited" && entry.invite_url && html`<${InviteLink} url=${entry.invite_url} name=${name} />`}
        ${status === "active" && html`
          <${Menu} label=${html`<${Icon} name="more" />`} title=${`More about ${name}`} className="button icon quiet">
            <button type="button" class="menu-item" onClick=${() => attempt(changeTier(course.id, user.id, other), `${name} is ${other} now`)}><${Icon} name="settings" />Make ${other}</button>
            <button type="button" class="menu-item danger" onClick=${letGo}><${Icon} name="trash" />Let go</button>
          <//>`}
      </div>
    </li>
  `;
};

/** @param {any[]} list @param {string} words @returns {any[]} those here first, then by name */
const arranged = (list, words) => {
  const wanted = words.trim().toLocaleLowerCase();
  const name = (/** @type {any} */ { user }) => user.name ?? user.email;
  return list
    .filter(({ user }) => !wanted || `${user.name ?? ""} ${user.email}`.toLocaleLowerCase().includes(wanted))
    .sort((a, b) => Number(a.status === "revoked") - Number(b.status === "revoked") || Number(b.online) - Number(a.online) || name(a).localeCompare(name(b)));
};

/** @param {{course: any}} props */
export const CoursePeople = ({ course }) => {
  const roster = useResource(rosterPath(course.id));
  const [words, setWords] = useState("");
  return html`
    <section class="stack" aria-labelledby="people">
      <h2 id="people">People</h2>
      <${AddPeople} course=${course} />
      <${Shown} of=${roster} what="The people" rows=${5}>${(/** @type {any[]} */ list) => {
        if (list.length === 0) return html`<${Empty} icon="people" title="Nobody is in this course yet"><p class="muted">Add people by their e-mail addresses, one or many at once.</p><//>`;
        const here = list.filter(({ online }) => online).length;
        return html`
          <div class="row apart">
            <p class="muted small" role="status">${countText(list.length, "person", "people")}${here > 0 ? `, ${here} here now` : ""}</p>
            ${list.length >= FILTER_FROM && html`<input class="input filter" type="search" aria-label="Find a person" placeholder="Find a person" onInput=${(/** @type {any} */ event) => setWords(event.target.value)} />`}
          </div>
          <ul class="list">${arranged(list, words).map((entry) => html`<${Entry} entry=${entry} course=${course} key=${entry.user.id ?? entry.user.email} />`)}</ul>
          <${More} of=${roster} />`;
      }}<//>
    </section>
  `;
};
