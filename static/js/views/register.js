/** A new account: a student's by oneself, or whatever the invitation in the address says. */
import { html, useEffect, useState } from "../../vendor/vendor.js";
import { INVITE, signIn } from "../api.js";
import { DoorPage } from "../parts/door_page.js";
import { Field, FormFault, useForm } from "../parts/form.js";
import { Icon } from "../parts/icon.js";
import { navigate, route, setTitle } from "../router.js";
import { takeFragment } from "./sign_in.js";

/** The invitation's secret, kept for this tab in case its person has an account already and signs in instead. */
const invitation = () => {
  const secret = takeFragment() || sessionStorage.getItem(INVITE) || "";
  if (secret) sessionStorage.setItem(INVITE, secret);
  return secret;
};

export const RegisterView = () => {
  const [invite] = useState(invitation);
  useEffect(() => setTitle("Create an account"), []);
  const { busy, error, onSubmit } = useForm(async ({ name, email, password }) => {
    await signIn("/auth/register", { name, email, password });
    navigate("/app/courses", { replace: true });
  });
  return html`
    <${DoorPage} title="Create an account">
      ${invite && html`<p class="notice"><${Icon} name="check" /><span>You were invited. Choose your name and password and you are in.</span></p>`}
      <form class="stack" onSubmit=${onSubmit} tabindex="-1">
        <${FormFault} error=${error} />
        <${Field} label="Your name" name="name" autocomplete="name" maxlength="80" required error=${error} hint="As others will see it in class" />
        <${Field} label="E-mail" name="email" type="email" autocomplete="username" required error=${error} value=${route.value.query.get("email") ?? ""} />
        <${Field} label="Password" name="password" type="password" autocomplete="new-password" minlength="8" required error=${error} hint="At least 8 characters; a few words in a row are best" />
        <button class="button primary wide" aria-disabled=${busy}>${busy ? "Creating…" : "Create account"}</button>
      </form>
      <p class="small muted">Already have one? <a href="/app/sign-in">Sign in</a></p>
    <//>
  `;
};
