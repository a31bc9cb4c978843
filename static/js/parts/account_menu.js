/** Who this tab is, always in sight; behind it: others signed in to this browser, the colour scheme, signing out. */
import { html, useState } from "../../vendor/vendor.js";
import { session, signIns, signOut } from "../api.js";
import { roleText } from "../format.js";
import { Icon } from "./icon.js";
import { Menu } from "./menu.js";
import { Avatar, Person } from "./person.js";

const SCHEMES = /** @type {const} */ ([["system", "System"], ["light", "Light"], ["dark", "Dark"]]);

/** @param {string} id stays on this address, as somebody else; everything of the former person leaves memory with the page */
const become = (id) => {
  signIns.become(id);
  location.reload();
};

const Scheme = () => {
  const [scheme, setScheme] = useState(document.documentElement.dataset.theme ?? "system");
  const choose = (/** @type {string} */ wanted) => {
    setScheme(wanted);
    if (wanted === "system") {
      delete document.documentElement.dataset.theme;
      localStorage.removeItem("lectern.theme");
    } else {
      document.documentElement.dataset.theme = wanted;
      localStorage.setItem("lectern.theme", wanted);
    }
  };
  return html`
    <fieldset class="scheme">
      <legend class="menu-title">Appearance</legend>
      <div class="segments">
        ${SCHEMES.map(([value, word]) => html`
          <label class="segment" key=${value}>
            <input type="radio" name="scheme" value=${value} checked=${scheme === value} onChange=${() => choose(value)} />
            <span><${Icon} name=${{ system: "system", light: "sun", dark: "moon" }[value]} />${word}</span>
          </label>`)}
      </div>
    </fieldset>
  `;
};

export const AccountMenu = () => {
  const me = session.value;
  if (!me) return null;
  const current = signIns.current();
  const others = signIns.all().filter((each) => each.id !== current);
  const label = html`
    <${Avatar} person=${me} />
    <span class="account-text"><span class="account-name clip">${me.name}</span><span class="account-role">${roleText(me.role)}</span></span>
    <span class="visually-hidden">, account</span>
  `;
  return html`
    <${Menu} label=${label} className="account">
      <div class="menu-head"><${Person} person=${me} detail=${me.email} /></div>
      ${others.length > 0 && html`
        <p class="menu-title">Also signed in on this browser</p>
        ${others.map((each) => html`
          <button type="button" class="menu-item" key=${each.id} onClick=${() => become(each.id)}>
            <${Person} person=${{ name: each.name }} detail=${roleText(each.role)} />
          </button>`)}
        <hr />`}
      <a class="menu-item" href="/app/sign-in"><${Icon} name="plus" />Sign in as somebody else</a>
      <hr />
      <div onClick=${(/** @type {Event} */ event) => event.stopPropagation()}><${Scheme} /></div>
      <hr />
      <button type="button" class="menu-item" onClick=${signOut}><${Icon} name="door" />Sign out</button>
    <//>
  `;
};
