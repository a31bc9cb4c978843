/** What a course is called and about; the same fields for a new one and for one being changed. */
import { html } from "../../vendor/vendor.js";
import { Field, FormFault, useForm } from "./form.js";

/** @param {{course?: any, submit: (values: Record<string, string>) => Promise<unknown>, word: string, busyWord: string, cancel?: string}} props */
export const CourseForm = ({ course, submit, word, busyWord, cancel }) => {
  const { busy, error, onSubmit } = useForm(submit);
  return html`
    <form class="stack" onSubmit=${onSubmit} tabindex="-1">
      <${FormFault} error=${error} />
      <${Field} label="Title" name="title" required maxlength="200" value=${course?.title} error=${error} autocomplete="off" />
      <${Field} label="What it is about" name="description" lines=${4} maxlength="10000" value=${course?.description} error=${error} />
      <${Field} label="Category" name="category" maxlength="80" value=${course?.category} error=${error} hint="One or two words people would search for" autocomplete="off" />
      ${!course && html`
        <${Field} label="Who may find it" name="status" required error=${error} value="draft"
          options=${[["draft", "Nobody yet: only people I add"], ["published", "Everybody: listed in the catalog"]]} />`}
      <div class="row">
        <button class="button primary" aria-disabled=${busy}>${busy ? busyWord : word}</button>
        ${cancel && html`<a class="button quiet" href=${cancel}>Cancel</a>`}
      </div>
    </form>
  `;
};
