/** What opens the card of a latent: the cells of a map, and the pictures of atoms. */

import { clamp, fill, h } from "./dom.js";
import * as paint from "./paint.js";
import { say } from "./words.js";

/**
 * A map of all latents of a stop, whose cells can be hovered over, focused and clicked.
 * @param {Page} page
 * @param {string} stop
 * @param {{id?: string}} [options]
 * @returns {{element: HTMLElement, draw: (activations: ArrayLike<number>, edits?: Record<string, number>) => void}}
 *   `draw` takes values in [0, 1]
 */
export function latentMap(page, stop, { id } = {}) {
  const picture = paint.canvas();
  const here = h("span", { class: "ring here", hidden: true });
  const rings = h("span", {});
  const element = h("div", { class: "latent-map", tabIndex: 0, role: "application", id }, picture, rings, here);
  let count = 0;
  let at = -1; // the cell that has the keys

  const side = () => paint.mapSide(count);
  const show = (/** @type {number} */ latent, open = false) => {
    if (!page.card.show({ anchor: element, stop, latent, left: () => (here.hidden = true) }, open)) return;
    at = latent;
    frame(here, latent, side());
  };
  const cell = (/** @type {PointerEvent | MouseEvent} */ event) => {
    const area = picture.getBoundingClientRect();
    const part = (/** @type {number} */ where, /** @type {number} */ size) =>
      clamp(Math.floor((side() * where) / size), 0, side() - 1);
    const latent = side() * part(event.clientY - area.top, area.height) + part(event.clientX - area.left, area.width);
    return latent < count ? latent : null;
  };
  element.addEventListener("pointermove", (event) => {
    const latent = event.pointerType === "touch" ? null : cell(event);
    if (latent !== null) show(latent);
  });
  element.addEventListener("pointerleave", () => page.card.leave(element));
  element.addEventListener("click", (event) => {
    const latent = cell(event);
    if (latent !== null) show(latent, true);
  });
  element.addEventListener("focus", () => {
    if (element.matches(":focus-visible") && count) show(at < 0 ? Math.floor((count + side()) / 2) : at);
  });
  element.addEventListener("blur", () => page.card.leave(element));
  element.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -side(), ArrowDown: side() }[event.key];
    if (step) show(clamp(Math.max(at, 0) + step, 0, count - 1));
    else if (event.key === "Enter" || event.key === " ") show(Math.max(at, 0), true);
    else return;
    event.preventDefault();
  });

  return {
    element,
    draw(activations, edits = {}) {
      count = activations.length;
      paint.map(picture, activations);
      const mean = Array.from(activations).reduce((a, b) => a + b, 0) / count;
      element.ariaLabel = say("latent.map", { latents: count, title: stop, mean });
      fill(
        rings,
        Object.keys(edits).map((latent) => frame(h("span", { class: "ring edited" }), Number(latent), side())),
      );
    },
  };
}

/**
 * Puts a frame around the cell of a latent.
 * @param {HTMLElement} ring
 * @param {number} latent
 * @param {number} side
 */
function frame(ring, latent, side) {
  const part = 100 / side;
  ring.style.cssText = `left:${(latent % side) * part}%;top:${Math.floor(latent / side) * part}%;width:${part}%;height:${part}%`;
  ring.hidden = false;
  return ring;
}

/**
 * The picture of an atom; it opens the card of its latent.
 * @param {Page} page
 * @param {string} stop
 * @param {number} latent
 * @param {ArrayLike<number> | null} [values] what to draw; by default the atom
 * @returns {HTMLButtonElement}
 */
export function atom(page, stop, latent, values = page.atom(stop, latent)) {
  const picture = paint.canvas();
  if (values) paint.signed(picture, values, page.lab.index.shape);
  const element = h("button", { class: "atom", "aria-label": say("latent.open", { latent }) }, picture);
  const about = { anchor: element, stop, latent, left: () => {} };
  // Not "pointerenter", which a browser also sends when the page is scrolled below a still pointer.
  element.addEventListener("pointermove", ({ pointerType }) => pointerType !== "touch" && page.card.show(about, false));
  element.addEventListener("pointerleave", () => page.card.leave(element));
  element.addEventListener("focus", () => element.matches(":focus-visible") && page.card.show(about, false));
  element.addEventListener("blur", () => page.card.leave(element));
  element.addEventListener("click", () => page.card.show(about, true));
  return element;
}
