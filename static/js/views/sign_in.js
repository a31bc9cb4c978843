/** Signing in: with a password, with a one-click link, or by going on as somebody who already is signed in to this browser. */
import { html, useEffect, useState } from "../../vendor/vendor.js";
import { asApiError, farewell, signIn, signIns } from "../api.js";
import { roleText } from "../format.js";
import { DoorPage } from "../parts/door_page.js";
import { Field, FormFault, useForm } from "../parts/form.js";
import { Icon } from "../parts/icon.js";
import { Person } from "../parts/person.js";
import { navigate, route, setTitle } from "../router.js";
import { safeReturn } from "../routes.js";

const onwards = () => safeReturn(route.value.query.get("next"));

/** The secret of a one-click link leaves the address bar and the history before anything else happens. @returns {string} */
export const takeFragment = () => {
  const secret = location.hash.slice(1);
  if (secret) history.replaceState(history.state, "", location.pathname + location.search);
  return secret;
};

/** @param {string} id */
const goOnAs = (id) => {
  signIns.become(id);
  location.assign(onwards());
};

const Here = () => {
  const people = signIns.all();
  if (people.length === 0) return null;
  return html`
    <section class="stack tight" aria-labelledby="here">
      <h2 id="here" class="overline">Signed in on this browser</h2>
      <ul class="stack tight">
        ${people.map((each) => html`
          <li key=${each.id}>
            <button type="button" class="choice" onClick=${() => goOnAs(each.id)}>
              <${Person} person=${{ name: each.name }} detail=${`${roleText(each.role)} · ${each.email}`} /><${Icon} name="forward" />
            </button>
          </li>`)}
      </ul>
      <p class="or"><span>or sign in as somebody else</span></p>
    </section>
  `;
};

export const SignInView = () => {
  const [linkState, setLinkState] = useState(/** @type {{busy: boolean, error: import("../api_error.js").ApiError | null}} */ ({ busy: location.hash.length > 1, error: null }));
  useEffect(() => {
    setTitle("Sign in");
    const secret = takeFragment();
    if (!secret) return;
    signIn("/auth/link", { token: secret }).then(
      () => navigate(onwards(), { replace: true }),
      (error) => setLinkState({ busy: false, error: asApiError(error) }),
    );
  }, []);
  const { busy, error, onSubmit } = useForm(async ({ email, password }) => {
    await signIn("/auth/login", { email, password });
    navigate(onwards(), { replace: true });
  });
  if (linkState.busy) return html`<${DoorPage} title="Signing you in"><p class="lead" role="status">One moment.</p><//>`;
  return html`
    <${DoorPage} title="Sign in">
      ${farewell.value && html`<p class="notice" role="status"><${Icon} name="clock" /><span>${farewell.value}</span></p>`}
      ${linkState.error && html`<p class="notice bad" role="alert"><${Icon} name="alert" /><span>${linkState.error.status === 0 ? linkState.error.detail : "This link does not work any more. Sign in with your password, or take a new link from where you got it."}</span></p>`}
      <${Here} />
      <form class="stack" onSubmit=${onSubmit} tabindex="-1">
        <${FormFault} error=${error} />
        <${Field} label="E-mail" name="email" type="email" autocomplete="username" required error=${error} />
        <${Field} label="Password" name="password" type="password" autocomplete="current-password" required error=${error} />
        <button class="button primary wide" aria-disabled=${busy}>${busy ? "Signing in…" : "Sign in"}</button>
      </form>
      <p class="small muted">New here? <a href="/app/register">Create a student account</a></p>
    <//>
  `;
};
