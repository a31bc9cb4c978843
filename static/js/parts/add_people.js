/** Adding people to a course by e-mail, one or many; says what became of each address. */
import { html, useRef, useState } from "../../vendor/vendor.js";
import { ApiError } from "../api.js";
import { addPeople } from "../data/courses.js";
import { tell } from "../data/toasts.js";
import { addressesIn, nearlyAddressesIn } from "../email_list.js";
import { FormFault, useForm } from "./form.js";
import { Icon } from "./icon.js";

const MOST = 500; // the server takes this many in one call

/** @type {Record<string, {icon: string, says: string}>} */
const OUTCOMES = {
  enrolled: { icon: "check", says: "is enrolled" },
  already_enrolled: { icon: "check", says: "was enrolled already" },
  invited: { icon: "door", says: "has no account yet: send them this link" },
  already_invited: { icon: "door", says: "was invited already: send them this link" },
  own_course: { icon: "alert", says: "teaches this course" },
  invalid: { icon: "alert", says: "is not an e-mail address" },
};

/** @param {{url: string, name: string}} props a link that is copied, never shown */
export const InviteLink = ({ url, name }) => {
  const copy = async () => {
    const full = new URL(url, location.origin).href;
    const done = await navigator.clipboard?.writeText(full).then(() => true, () => false);
    tell(done ? { title: "The invitation link is copied", body: `It works once, for ${name}.` } : { title: "The browser did not let the link be copied", icon: "alert", tone: "bad" });
  };
  return html`<button type="button" class="button compact" onClick=${copy}>Copy link<span class="visually-hidden"> to invite ${name}</span></button>`;
};

/** @param {{results: any[], close: () => void}} props */
const Results = ({ results, close }) => html`
  <div class="notice results" role="status">
    <ul class="stack tight grow">
      ${results.map(({ email, outcome, enrollment }) => {
        const { icon, says } = OUTCOMES[outcome] ?? OUTCOMES.enrolled;
        const name = enrollment?.user?.name;
        return html`
          <li class="row tight" key=${email}>
            <${Icon} name=${icon} /><span class="grow">${name ? html`<strong>${name}</strong> (${email})` : html`<strong>${email}</strong>`} ${says}</span>
            ${enrollment?.invite_url && html`<${InviteLink} url=${enrollment.invite_url} name=${email} />`}
          </li>`;
      })}
    </ul>
    <button type="button" class="button icon compact quiet" aria-label="Close" onClick=${close}><${Icon} name="close" /></button>
  </div>
`;

/** @param {{course: any}} props */
export const AddPeople = ({ course }) => {
  const [results, setResults] = useState(/** @type {any[]} */ ([]));
  const box = useRef(/** @type {HTMLTextAreaElement | null} */ (null));
  const { busy, error, onSubmit } = useForm(async ({ emails }, form) => {
    const addresses = addressesIn(emails);
    if (addresses.length === 0) throw new ApiError(400, { detail: "There is no e-mail address in this. Write one, as in bo@example.org." });
    if (addresses.length > MOST) throw new ApiError(400, { detail: `These are ${addresses.length} addresses; at most ${MOST} go at once.` });
    const wrong = nearlyAddressesIn(emails);
    setResults([...(await addPeople(course.id, addresses)), ...wrong.map((email) => ({ email, outcome: "invalid" }))]);
    form.reset();
    if (box.current) box.current.value = wrong.join(", "); // to be put right
    box.current?.focus();
  });
  return html`
    <form class="card stack tight" onSubmit=${onSubmit} tabindex="-1">
      <${FormFault} error=${error} />
      <div class="add-people">
        <div class="field grow">
          <label for="add-emails">Add people by e-mail</label>
          <textarea class="input" id="add-emails" name="emails" rows="1" required ref=${box} placeholder="bo@example.org, cleo@example.org"
            aria-describedby="add-hint" spellcheck="false" autocomplete="off"></textarea>
        </div>
        <button class="button primary" aria-disabled=${busy}>${busy ? "Adding…" : "Add"}</button>
      </div>
      <p class="muted small" id="add-hint">One address or a whole list. Whoever has no account gets a link to make one.</p>
      ${results.length > 0 && html`<${Results} results=${results} close=${() => setResults([])} />`}
    </form>
  `;
};
