/** What each lesson asks for, when it is done, and the numbers that say why. Their words are `lessons.KEY_...`. */

import { cells, h } from "./dom.js";
import { metrics } from "./measures.js";
import { format, say, term } from "./words.js";

/** @typedef {import("./page.js").Page} Page */
/** @typedef {import("./lab.js").Stop} Stop */
/**
 * @typedef {{key: string, needs: string[], from: (page: Page) => Partial<import("./state.js").State>, right: number,
 *   isDone: (page: Page) => boolean, isOfNow?: boolean, values?: (page: Page) => Record<string, any>,
 *   table?: (page: Page) => HTMLElement, tab?: string, place?: string}} Lesson
 *   `needs` stops of the page; `from` where it starts, so that no lesson opens on its own answer; `right` the number of
 *   the right prediction; `isOfNow` whether its numbers are of the current image; `place` what a button leads to
 */

export const FEW = 30;
export const PAIR = ["l1-0.1-noise-0.6", "topk-50"]; // nearly the same mean activation

const stopOf = (/** @type {Page} */ page) => page.lab.stop(page.state.stop);
const now = (/** @type {Page} */ page) => {
  const look = page.look();
  return look && metrics(look, page.lab.span);
};
const noisy = (/** @type {Page} */ page, /** @type {string} */ key) =>
  page.lab.evaluation(key).denoise_mse[page.lab.index.sigma];
const at = (/** @type {Page} */ page, /** @type {string} */ key) => ({
  family: page.lab.familyOf(key),
  stop: key,
  beside: page.lab.index.opening.beside,
});

/** @type {Lesson[]} */
export const LESSONS = [
  {
    key: "copying",
    needs: ["dense", "l1-1"],
    from: (page) => ({ ...at(page, "l1-1"), sigma: 0, tab: "see" }),
    right: 2,
    isDone: (page) => stopOf(page).model === "dense" && page.state.sigma >= page.lab.index.sigma,
    isOfNow: true,
    values: (page) => ({
      sigma: page.lab.index.sigma,
      noisy_test: page.lab.evaluation("dense").noisy_mse[page.lab.index.sigma],
      dense_test: noisy(page, "dense"),
      on: now(page)?.l0,
      latents: page.look()?.latents.length,
      pixels: page.look()?.clean.length,
      mse: now(page)?.mse,
      noise_mse: now(page)?.noiseMse,
    }),
  },
  {
    key: "penalty",
    needs: ["dense", "l1-1"],
    from: (page) => ({ ...at(page, "dense"), tab: "see" }),
    right: 1,
    isDone: (page) => page.state.family === "l1" && (now(page)?.effectiveL0 ?? FEW) < FEW,
    isOfNow: true,
    values: (page) => ({
      effective_l0: now(page)?.effectiveL0,
      psnr: now(page)?.psnr,
      six: Math.tanh(3),
      twelve: Math.tanh(6),
    }),
    tab: "classes",
  },
  {
    key: "noise",
    needs: ["dense", "l1-1"],
    from: (page) => ({ ...at(page, "dense"), sigma: page.lab.index.sigma, tab: "see" }),
    right: 1,
    isDone: (page) =>
      page.state.family === "l1" && page.state.sigma > 0 && page.state.stop === page.lab.leastNoise("l1").key,
    values(page) {
      const compared = page.lab.compared("l1");
      const [first, best, last] = [compared[0], page.lab.leastNoise("l1"), compared[compared.length - 1]].map(
        (stop) => stop.key,
      );
      return {
        sigma: page.lab.index.sigma,
        first,
        best,
        last,
        first_error: noisy(page, first),
        best_error: noisy(page, best),
        last_error: noisy(page, last),
      };
    },
  },
  {
    key: "ten",
    needs: ["topk-10", "l1-10"],
    from: (page) => ({ ...at(page, "l1-10"), sigma: page.lab.index.sigma, tab: "see" }),
    right: 0,
    isDone: (page) => ["topk-10", "l1-10"].every((key) => page.shown().includes(key)) && page.state.sigma > 0,
    values: (page) => ({
      sigma: page.lab.index.sigma,
      k_clean: page.lab.evaluation("topk-10").mse,
      k_error: noisy(page, "topk-10"),
      l1_clean: page.lab.evaluation("l1-10").mse,
      l1_error: noisy(page, "l1-10"),
    }),
  },
  {
    key: "length",
    needs: ["l1-1", "kl-image-0.05", "kl-neuron-0.05", "topk-25"],
    from: (page) => ({ ...at(page, "l1-1"), sigma: 0, tab: "see" }),
    right: 0,
    isDone: (page) => stopOf(page).model === "l1-1" && ["1", "8"].every((name) => seen.has(name)),
    values(page) {
      const { classes } = page.lab.index;
      const { l0_by_class: l0 } = page.lab.evaluation("l1-1");
      return { on_1: l0[classes.indexOf("1")], on_8: l0[classes.indexOf("8")] };
    },
    table: byClass,
  },
  {
    key: "mean",
    needs: PAIR,
    from: (page) => ({ ...at(page, PAIR[1]), sigma: 0, tab: "see" }),
    right: 1,
    isDone: (page) => PAIR.every((key) => page.shown().includes(key)),
    values: (page) =>
      Object.fromEntries(
        PAIR.flatMap((key, i) => [
          [`name_${i}`, key],
          [`mean_${i}`, page.lab.evaluation(key).mean_activation],
          [`l0_${i}`, page.lab.evaluation(key).effective_l0],
        ]),
      ),
    tab: "rates",
  },
  {
    key: "dead",
    needs: ["l1-0.1-noise-0.6", "l1-1"],
    from: (page) => ({ ...at(page, "l1-1"), tab: "see" }),
    right: 2,
    isDone(page) {
      const { key, hyperparameter, value } = stopOf(page);
      const dead = Number(page.lab.evaluation(key).dead_fraction.toFixed(3)); // as the table shows it
      return hyperparameter === "beta" && Number(value) > 1 && dead >= 0.02; // below, they are on, though weakly
    },
    isOfNow: true,
    values: (page) => ({
      title: page.state.stop,
      dead: page.lab.evaluation(page.state.stop).dead_fraction,
      latents: page.look()?.latents.length,
    }),
    tab: "atoms",
  },
  {
    key: "rate",
    needs: ["kl-image-0.05", "kl-neuron-0.05"],
    from: (page) => ({ ...at(page, "l1-1"), sigma: 0, tab: "see" }),
    right: 1,
    isDone: (page) => stopOf(page).target === 0.05 && page.state.sigma >= page.lab.index.sigma,
    isOfNow: true,
    values: (page) => ({
      title: page.state.stop,
      clean: page.lab.evaluation(page.state.stop).mean_activation,
      now: now(page)?.meanActivation,
      sigma: page.state.sigma,
      dead_latent: page.lab.evaluation("kl-neuron-0.05").dead_fraction,
      dead_image: page.lab.evaluation("kl-image-0.05").dead_fraction,
      fvu_latent: page.lab.evaluation("kl-neuron-0.05").fvu,
      fvu_image: page.lab.evaluation("kl-image-0.05").fvu,
    }),
    tab: "rates",
  },
  {
    key: "k",
    needs: ["topk-10", "topk-25", "topk-50"],
    from: (page) => ({ ...at(page, "topk-10"), sigma: 0, tab: "see" }),
    right: 2,
    isDone: (page) => page.state.stop === "topk-50" && ["clean", "noisy"].every((name) => seen.has(name)),
    values: (page) => ({ lost_10: page.lab.evaluation("topk-10").fvu, lost_25: page.lab.evaluation("topk-25").fvu }),
    table: byK,
  },
  {
    key: "letter",
    needs: [],
    from: () => ({ draw: "", sigma: 0, tab: "see" }),
    place: "#draw",
    right: 1,
    isDone: (page) => page.state.draw !== "",
    isOfNow: true,
    values: (page) => ({ title: page.state.stop, mse: now(page)?.mse, test: page.lab.evaluation(page.state.stop).mse }),
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
    const { fvu, mse } = page.lab.evaluation(key);
    return [key, format(fvu, ".1%"), mse.toFixed(4), noisy(page, key).toFixed(4)];
  });
  const heads = ["", term("FVU"), say("lessons.k_clean"), say("lessons.k_noisy", { sigma })];
  return h("table", {}, cells(heads, rows));
}
