/** What the card of a latent shows that does not change with the image: its atom, its classes, its images. */

import { h } from "./dom.js";
import * as paint from "./paint.js";
import { say, term } from "./words.js";

const TOP_IMAGES = 5;

/**
 * The body of the card, and whether nothing of it is under way.
 * @param {Page} page
 * @param {string} stop
 * @param {number} latent
 */
export function cardBody(page, stop, latent) {
  const values = page.atom(stop, latent);
  const name = page.isLinear(stop) ? term("atom", say("latent.atom")) : say("latent.alone");
  const atom = h("div", {}, values && atomFigure(page, latent, values), h("p", { class: "muted" }, name));
  return {
    parts: [h("div", { class: "card-body" }, atom, profile(page, stop, latent)), topImages(page, stop, latent)],
    isWhole: Boolean(page.lab.statistics(stop) && page.lab.pictures.images && values),
  };
}

/** Mean activation for each class, as bars. @param {Page} page @param {string} stop @param {number} latent */
function profile(page, stop, latent) {
  const statistics = page.lab.statistics(stop);
  if (!statistics) return h("p", { class: "muted" }, say("page.under_way"));
  const means = statistics.means.map((of) => of[latent]);
  const largest = Math.max(...means, 1e-9);
  const bars = means.map((mean, i) => {
    const bar = h("i", { style: `width: ${(100 * mean) / largest}%` });
    const name = h("bdi", {}, page.lab.index.classes[i]);
    return h("div", { class: "class-bar" }, name, bar, h("span", {}, mean.toFixed(3)));
  });
  return h("div", {}, h("p", { class: "muted" }, say("latent.profile", { sample: page.lab.index.sample })), bars);
}

/** The test images on which a latent is largest. @param {Page} page @param {string} stop @param {number} latent */
function topImages(page, stop, latent) {
  const { index, pictures } = page.lab;
  const statistics = page.lab.statistics(stop);
  if (!statistics || !pictures.images) return null;
  if (!statistics.peak[latent]) return h("p", { class: "muted dead" }, say("latent.never", { sample: index.sample }));
  const rows = Array.from({ length: TOP_IMAGES }, (_, i) => statistics.top[latent * statistics.topCount + i]);
  const images = rows.map((i) => {
    const picture = paint.canvas(say("latent.large", { name: index.classes[pictures.label(i) ?? 0] }));
    paint.grey(picture, /** @type {Float64Array} */ (pictures.image(i)), index.shape, index.range);
    return picture;
  });
  return h("div", {}, h("div", { class: "top-images" }, images), h("p", { class: "muted" }, say("latent.top")));
}

/**
 * An atom with what its colours mean.
 * @param {Page} page
 * @param {number} latent
 * @param {ArrayLike<number>} values
 */
function atomFigure(page, latent, values) {
  const inColour = page.lab.index.shape[0] === 3 && !page.lab.index.vectors;
  const largest = paint.largestOf(values);
  const [low, high] = [Math.min(...Array.from(values)), Math.max(...Array.from(values))];
  const picture = paint.canvas(say(inColour ? "latent.atom_alt_colour" : "latent.atom_alt", { latent, low, high }));
  paint.signed(picture, values, page.lab.index.shape, largest);
  const words = [`−${largest.toPrecision(2)}`, "0", `+${largest.toPrecision(2)}`];
  return h("div", {}, picture, paint.colourBar(inColour ? paint.GREY : paint.SIGNED, ...words));
}
