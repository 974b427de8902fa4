/** Pictures with a title, and what is said of a look in words. */

import { fill, h } from "./dom.js";
import { bernoulliKl, meanActivation, metrics } from "./measures.js";
import * as paint from "./paint.js";
import { rich, say, term } from "./words.js";

/** A picture with a title and a line below it. @param {string} className */
export function figure(className) {
  const picture = paint.canvas("…");
  const title = h("b", {});
  const caption = h("span", {});
  return {
    element: h("figure", { class: className }, picture, h("figcaption", {}, title, " ", caption)),
    /**
     * @param {ArrayLike<number>} image
     * @param {Index} index
     * @param {string} alt
     * @param {string} head
     * @param {Node | string} words
     */
    draw(image, { shape, range }, alt, head, words) {
      paint.grey(picture, image, shape, range);
      picture.ariaLabel = alt;
      title.textContent = head;
      fill(caption, words);
    },
  };
}

/**
 * What the chosen model makes of the image, in a sentence; or which latents were set by hand.
 * @param {Page} page
 * @param {Look} look
 */
export function summaryOf(page, look) {
  const { span } = page.lab;
  const m = metrics(look, span);
  if (look.unedited) {
    const undo = Object.entries(page.state.edits[look.stop.key]).map(([latent, value]) => {
      const click = () => page.edit(look.stop.key, Number(latent), null);
      const words = `${say(value ? "see.undo_set" : "see.undo_off", { latent, value })} ✕`;
      return h("button", { class: "undo", "aria-label": say("see.undo_aria", { latent }), on: { click } }, words);
    });
    return rich("see.edits", { undo: h("span", {}, undo), mse: m.mse, plain: metrics(look.unedited, span).mse });
  }
  const latents = look.latents.length;
  return rich("see.summary", {
    title: look.stop.key,
    name: page.nameOfImage(),
    effective_l0: m.effectiveL0,
    latents,
    term: term("effective L0"),
    on: m.l0,
  });
}

/**
 * The loss that the model was trained with, and its two terms for the current image.
 * @param {Page} page
 * @param {Look} look
 */
export function lossOf(page, look) {
  const loss = page.lab.index.output === "sigmoid" ? "bce" : "mse";
  const penalty = penaltyOf(look);
  const error = reconstructionLoss(look, loss);
  const words = {
    title: look.stop.key,
    loss: loss === "bce" ? term("cross-entropy") : say("learn.mse"),
    error,
    term: term("mean activation", say("terms.mean activation.name").toLowerCase()),
  };
  if (penalty)
    return rich(`see.loss_${penalty.of}`, { ...words, ...penalty, sum: error + penalty.weight * penalty.value });
  const hasPenalty = look.stop.hyperparameter !== null && look.stop.k === null;
  return rich(hasPenalty ? "see.loss_batch" : "see.loss", words);
}

/** Cross-entropy or squared error against the clean image, per pixel. @param {Look} look @param {"bce" | "mse"} loss */
function reconstructionLoss({ reconstruction, clean }, loss) {
  const of = (/** @type {number} */ p, /** @type {number} */ x) =>
    loss === "bce" ? -(x * Math.log(Math.max(p, 1e-12)) + (1 - x) * Math.log(Math.max(1 - p, 1e-12))) : (p - x) ** 2;
  return reconstruction.reduce((sum, p, i) => sum + of(p, clean[i]), 0) / clean.length;
}

/** The penalty of a look's sparsity method; null where it cannot be told from one image. @param {Look} look */
function penaltyOf({ stop: { penalty }, latents }) {
  if (!penalty) return null;
  const mean = meanActivation(latents);
  return { ...penalty, mean, value: penalty.of === "divergence" ? bernoulliKl(penalty.target ?? 0, mean) : mean };
}
