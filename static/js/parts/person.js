/** A person as pages show them: a round mark with their initials or picture, and their name beside it. */
import { html } from "../../vendor/vendor.js";
import { initials, roleText } from "../format.js";

/** @param {{person: {name: string, avatar_url?: string | null, id?: number}, online?: boolean}} props */
export const Avatar = ({ person, online = false }) => html`
  <span class=${`avatar tint-${(person.id ?? 0) % 6}`} aria-hidden="true">
    ${person.avatar_url ? html`<img src=${person.avatar_url} alt="" />` : initials(person.name)}
    ${online && html`<span class="presence-dot"></span>`}
  </span>
`;

/** @param {{person: any, detail?: any, online?: boolean}} props */
export const Person = ({ person, detail, online }) => html`
  <span class="person">
    <${Avatar} person=${person} online=${online} />
    <span class="person-text">
      <span class="person-name clip" title=${person.name}>${person.name}</span>
      ${detail && html`<span class="person-detail clip">${detail}</span>`}
    </span>
  </span>
`;

export { roleText };
