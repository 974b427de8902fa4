/** A button that copies a text, and says so for a moment. */

import { h } from "./dom.js";
import { say } from "./words.js";

const MOMENT = 1500; // ms

/**
 * @param {string} label key of what stands on it
 * @param {string} copied key of what stands there then
 * @param {() => string} text
 * @param {() => void} refused called where the browser does not let the page copy
 * @param {string} [id]
 * @returns {HTMLElement} the button, and the words for a screen reader
 */
export function copyButton(label, copied, text, refused, id) {
  const button = h("button", { id }, say(label));
  const spoken = h("span", { class: "sr", role: "status" });
  let timer = 0;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text());
      button.textContent = spoken.textContent = say(copied);
    } catch {
      refused();
    }
    clearTimeout(timer);
    timer = setTimeout(() => {
      button.textContent = say(label);
      spoken.textContent = "";
    }, MOMENT);
  });
  return h("span", {}, button, spoken);
}
