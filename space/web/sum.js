/** An image as a sum: bias + value x atom + value x atom + ..., with the largest atoms as pictures. */

import { atom } from "./latentmap.js";
import { fill, h } from "./dom.js";
import * as paint from "./paint.js";
import { say, term } from "./words.js";

const LARGEST = 6;

/** The positions of the largest latents, the largest first. @param {Float64Array} latents */
export function order(latents) {
  const on = [...latents.keys()].filter((latent) => latents[latent] !== 0);
  return on.sort((a, b) => Math.abs(latents[b]) - Math.abs(latents[a]) || a - b);
}

/** The sum of a look at a stop's model. @param {Page} page @param {string} stop */
export function sum(page, stop) {
  /** @type {Map<number, HTMLElement>} */
  const tiles = new Map();
  const element = h("div", { class: "sum" });
  const bias = paint.canvas();

  /** @param {number} latent @param {number} value */
  function addend(latent, value) {
    let tile = tiles.get(latent);
    if (!tile) {
      const values = page.atom(stop, latent);
      tile = h("figure", { class: "tile" }, h("figcaption", {}), atom(page, stop, latent, values));
      if (values) tiles.set(latent, tile);
    }
    /** @type {HTMLElement} */ (tile.firstChild).textContent =
      `${value < 0 ? "−" : "+"} ${Math.abs(value).toFixed(Math.abs(value) > 9.95 ? 0 : 1)} ×`;
    return tile;
  }

  return {
    element,
    /** @param {Look} look */
    draw(look) {
      if (!page.isLinear(stop)) return fill(element, h("p", { class: "muted" }, say("sum.none")));
      const ordered = order(look.latents);
      const values = page.bias(look);
      if (values) paint.signed(bias, values, page.lab.index.shape);
      const more = ordered.length - Math.min(LARGEST, ordered.length);
      const sigmoid = page.lab.index.output === "sigmoid";
      const rest = more > 0 && h("span", { class: "more" }, say("sum.more", { count: more }));
      fill(
        element,
        h("span", { class: "sign" }, "= ", sigmoid && term("sigmoid", "σ"), sigmoid && "("),
        h("figure", { class: "tile" }, h("figcaption", {}, say("sum.bias")), bias),
        ordered.slice(0, LARGEST).map((latent) => addend(latent, look.latents[latent])),
        h("span", { class: "sign" }, rest, sigmoid && " )"),
      );
      if (tiles.size > 200) tiles.clear();
    },
  };
}
