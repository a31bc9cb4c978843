/** The pages outside the door: what this is on one side, the way in on the other. */
import { html } from "../../vendor/vendor.js";
import { Brand } from "./header.js";

/** @param {{title: string, children: any}} props */
export const DoorPage = ({ title, children }) => html`
  <div class="door">
    <div class="door-board" aria-hidden="true">
      <svg class="door-rings" viewBox="0 0 400 400" preserveAspectRatio="xMidYMid slice">
        ${[40, 85, 130, 175, 220, 265].map((radius) => html`<circle cx="200" cy="330" r=${radius} key=${radius} />`)}
        <circle class="door-dot" cx="200" cy="330" r="9" />
      </svg>
      <p class="door-words">A class is more than the hour it takes.</p>
      <p class="door-more">Teach live, talk, share; find everything in the course afterwards.</p>
    </div>
    <div class="door-way">
      <${Brand} />
      <h1>${title}</h1>
      ${children}
    </div>
  </div>
`;
