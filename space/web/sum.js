/** An image as a sum: bias + value x atom + value x atom + ..., with the largest atoms as pictures. */

import { atom } from "./latentmap.js";
import { fill, h } from "./dom.js";
import * as paint from "./paint.js";
import { say, term } from "./words.js";

/** @typedef {import("./page.js").Page} Page */

const LARGEST = 6;

/** The positions of the largest latents, the largest first. @param {Float64Array} latents */
export function order(latents) {
  const on = [...latents.keys()].filter((latent) => latents[latent] !== 0);
  return on.sort((a, b) => Math.abs(latents[b]) - Math.abs(latents[a]) || a - b);
}

export class Sum {
  /** @param {Page} page @param {string} stop */
  constructor(page, stop) {
    this.page = page;
    this.stop = stop;
    /** @type {Map<number, HTMLElement>} */
    this.tiles = new Map();
    this.element = h("div", { class: "sum" });
    this.bias = paint.canvas();
  }

  /** @param {import("./lab.js").Look} look */
  draw(look) {
    const { page, stop } = this;
    if (!page.isLinear(stop)) return fill(this.element, h("p", { class: "muted" }, say("sum.none")));
    const ordered = order(look.latents);
    const values = page.bias(look);
    if (values) paint.signed(this.bias, values, page.lab.index.shape);
    const addend = (/** @type {number} */ latent) => {
      const tile = this.tiles.get(latent) ?? this.tile(latent);
      const value = look.latents[latent];
      /** @type {HTMLElement} */ (tile.firstChild).textContent =
        `${value < 0 ? "−" : "+"} ${Math.abs(value).toFixed(Math.abs(value) > 9.95 ? 0 : 1)} ×`;
      return tile;
    };
    const more = ordered.length - Math.min(LARGEST, ordered.length);
    const sigmoid = page.lab.index.output === "sigmoid";
    fill(
      this.element,
      h("span", { class: "sign" }, "= ", sigmoid && term("sigmoid", "σ"), sigmoid && "("),
      h("figure", { class: "tile" }, h("figcaption", {}, say("sum.bias")), this.bias),
      ordered.slice(0, LARGEST).map(addend),
      h(
        "span",
        { class: "sign" },
        more > 0 && h("span", { class: "more" }, say("sum.more", { count: more })),
        sigmoid && " )",
      ),
    );
    if (this.tiles.size > 200) this.tiles.clear();
  }

  /** @param {number} latent */
  tile(latent) {
    const values = this.page.atom(this.stop, latent);
    const tile = h("figure", { class: "tile" }, h("figcaption", {}), atom(this.page, this.stop, latent, values));
    if (values) this.tiles.set(latent, tile);
    return tile;
  }
}
