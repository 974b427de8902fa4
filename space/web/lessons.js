/** What each lesson asks for, when it is done, and the numbers that say why. Their words are `lessons.KEY_...`. */

import { cells, h } from "./dom.js";
import { metrics } from "./measures.js";
import { format, say, term } from "./words.js";

/**
 * @typedef {{key: string, needsBundle?: boolean, from: (page: Page) => Partial<State>, right: number,
 *   isDone: (page: Page) => boolean, isOfNow?: boolean, values?: (page: Page) => Record<string, any>,
 *   table?: (page: Page) => HTMLElement, tab?: string, place?: string}} Lesson
 *   `needsBundle`: false where any models will do; `from` where it starts, so that no lesson opens on its own answer;
 *   `right` the number of the right prediction; `isOfNow` whether its words name what is `ofNow`; `values` what else they
 *   name; `place` what a button leads to
 */

export const FEW = 30;
const PAIR = ["l1-0.1-noise-0.6", "topk-50"]; // nearly the same mean activation

const stopOf = (/** @type {Page} */ page) => page.lab.stop(page.state.stop);
const from = (/** @type {Page} */ page, /** @type {string} */ stop, sigma = page.state.sigma) => {
  const family = page.lab.familyOf(stop);
  return { family, stop, beside: page.lab.index.opening.beside, sigma, tab: "see" };
};

/** What the words of every lesson may name. @param {Page} page */
export function onTest(page) {
  const test = page.lab.measuredStops().map(({ key, evaluation }) => [key, evaluation]);
  return { sigma: page.lab.index.sigma, test: Object.fromEntries(test) };
}

/** What they may name of the chosen model and the image of now. @param {Page} page */
export function ofNow(page) {
  const { stop, sigma: noise } = page.state;
  const look = page.look();
  const sizes = { latents: look?.latents.length, pixels: look?.clean.length };
  return { title: stop, noise, own: page.lab.evaluation(stop), now: look && metrics(look, page.lab.span), ...sizes };
}

/** @type {Lesson[]} */
export const LESSONS = [
  {
    key: "copying",
    from: (page) => from(page, "l1-1", 0),
    right: 2,
    isDone: (page) => stopOf(page).model === "dense" && page.state.sigma >= page.lab.index.sigma,
    isOfNow: true,
  },
  {
    key: "penalty",
    from: (page) => from(page, "dense"),
    right: 1,
    isDone: (page) => page.state.family === "l1" && (ofNow(page).now?.effectiveL0 ?? FEW) < FEW,
    isOfNow: true,
    tab: "classes",
  },
  {
    key: "noise",
    from: (page) => from(page, "dense", page.lab.index.sigma),
    right: 1,
    isDone: (page) =>
      page.state.family === "l1" && page.state.sigma > 0 && page.state.stop === page.lab.leastNoise("l1").key,
    values(page) {
      const compared = page.lab.compared("l1");
      return { first: compared[0], best: page.lab.leastNoise("l1"), last: compared.at(-1) };
    },
  },
  {
    key: "ten",
    from: (page) => from(page, "l1-10", page.lab.index.sigma),
    right: 0,
    isDone: (page) => ["topk-10", "l1-10"].every((key) => page.shown().includes(key)) && page.state.sigma > 0,
  },
  {
    key: "length",
    from: (page) => from(page, "l1-1", 0),
    right: 0,
    isDone: (page) => stopOf(page).model === "l1-1" && ["1", "8"].every((name) => seen.has(name)),
    table: byClass,
  },
  {
    key: "mean",
    from: (page) => from(page, PAIR[1], 0),
    right: 1,
    isDone: (page) => PAIR.every((key) => page.shown().includes(key)),
    tab: "rates",
  },
  {
    key: "dead",
    from: (page) => from(page, "l1-1"),
    right: 2,
    isDone(page) {
      const { key, hyperparameter, value } = stopOf(page);
      const dead = Number(page.lab.evaluation(key).dead_fraction.toFixed(3)); // as the table shows it
      return hyperparameter === "beta" && Number(value) > 1 && dead >= 0.02; // below, they are on, though weakly
    },
    isOfNow: true,
    tab: "atoms",
  },
  {
    key: "rate",
    from: (page) => from(page, "l1-1", 0),
    right: 1,
    isDone: (page) => stopOf(page).target === 0.05 && page.state.sigma >= page.lab.index.sigma,
    isOfNow: true,
    tab: "rates",
  },
  {
    key: "k",
    from: (page) => from(page, "topk-10", 0),
    right: 2,
    isDone: (page) => page.state.stop === "topk-50" && ["clean", "noisy"].every((name) => seen.has(name)),
    table: byK,
  },
  {
    key: "letter",
    needsBundle: false,
    from: () => ({ draw: "", sigma: 0, tab: "see" }),
    place: "#draw",
    right: 1,
    isDone: (page) => page.state.draw !== "",
    isOfNow: true,
    tab: "atoms",
  },
];

/** What was on the bench since a lesson was opened: classes, and "clean" or "noisy". @type {Set<string>} */
export const seen = new Set();

/** Mean activation, or the number of latents, for each class and penalty. @param {Page} page */
function byClass(page) {
  const { classes } = page.lab.index;
  const rows = ["l1-1", "kl-image-0.05", "kl-neuron-0.05", "topk-25"].map((key) => {
    const { mean_activation_by_class: means, l0_by_class: l0 } = page.lab.evaluation(key);
    const isExact = page.lab.stop(key).k !== null;
    /** @type {number[]} */
    const values = isExact ? l0 : means;
    const written = values.map((value) => (isExact ? value.toFixed(0) : value.toFixed(4).replace(/^0/, "")));
    const ratio = Math.max(...values) / Math.min(...values);
    return [isExact ? say("lessons.length_exact", { key }) : key, ...written, ratio.toFixed(2)];
  });
  const heads = [say("lessons.length_head"), ...classes, say("lessons.length_ratio")];
  return h("div", { class: "scroll" }, h("table", {}, cells(heads, rows)));
}

/** What exactly 10, 25 and 50 latents cost. @param {Page} page */
function byK(page) {
  const { sigma } = page.lab.index;
  const rows = ["topk-10", "topk-25", "topk-50"].map((key) => {
    const { fvu, mse, denoise_mse: noisy } = page.lab.evaluation(key);
    return [key, format(fvu, ".1%"), mse.toFixed(4), noisy.toFixed(4)];
  });
  const heads = ["", term("FVU"), say("lessons.k_clean"), say("lessons.k_noisy", { sigma })];
  return h("table", {}, cells(heads, rows));
}
