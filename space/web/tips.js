/** The explanations of terms: shown while one is hovered over, focused or touched. */

import { clamp, h } from "./dom.js";

/** @param {HTMLElement} root whose `.term` elements have their explanation in `data-tip` */
export function explainTerms(root) {
  const tip = h("div", { id: "tip", role: "tooltip", hidden: true });
  document.body.append(tip);
  const term = (/** @type {Event} */ event) =>
    /** @type {HTMLElement | null} */ (/** @type {Element} */ (event.target).closest?.(".term"));
  const show = (/** @type {Event} */ event) => {
    const word = term(event);
    if (!word) return;
    tip.textContent = word.dataset.tip ?? "";
    tip.hidden = false;
    const at = word.getBoundingClientRect();
    tip.style.left = `${clamp(at.left, 6, Math.max(6, innerWidth - tip.offsetWidth - 6))}px`;
    const below = at.bottom + 6;
    tip.style.top = `${below + tip.offsetHeight < innerHeight ? below : at.top - tip.offsetHeight - 6}px`;
  };
  const hide = (/** @type {Event} */ event) => term(event) && (tip.hidden = true);
  for (const name of ["pointerover", "focusin", "click"]) root.addEventListener(name, show);
  for (const name of ["pointerout", "focusout"]) root.addEventListener(name, hide);
  root.addEventListener("keydown", (event) => event.key === "Escape" && (tip.hidden = true));
}
