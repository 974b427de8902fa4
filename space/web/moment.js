/** One moment of a training: its atoms, what it makes of an image, its numbers, its loss and its histograms. */

import { fromBase64, unpacked } from "./bytes.js";
import { Plot, responsive } from "./chart.js";
import { cells, fill, h } from "./dom.js";
import { histogram } from "./histogram.js";
import * as paint from "./paint.js";
import { halves } from "./safetensors.js";
import { format, rich, say, term } from "./words.js";

/**
 * As `_moment` in space/learn.py makes it.
 * @typedef {{step: number, steps: number, loss: string, history: [number, number][], latents: number, count: number,
 *   atoms: string, reconstruction: string, mean_activation: number, effective_l0: number,
 *   activations: Histogram, means: Histogram}} Moment
 */

const LEVELS = 15; // of an atom's values on either side of 0

/** @param {Page} page @returns {{element: HTMLElement, draw: (now: Moment | null) => void}} */
export function moment(page) {
  const { shape, range } = page.lab.index;
  const [wall, image, given] = [paint.canvas("…"), paint.canvas("…"), paint.canvas("…")];
  const title = h("h3", {});
  const table = h("table", {});
  /** @type {Moment | null} */
  let shown = null;
  const curve = responsive((width) => lossCurve(/** @type {Moment} */ (shown), width), "loss");
  const [all, means] = [histogram("all"), histogram("means")];
  const caption = (/** @type {string} */ key) => h("figcaption", {}, say(key));
  const pair = h(
    "div",
    { class: "pair" },
    h("figure", {}, image, caption("learn.now")),
    h("figure", {}, given, caption("atoms.given")),
  );
  const element = h(
    "div",
    { id: "train", hidden: true },
    h("div", {}, title, wall),
    h("div", {}, pair, table),
    h("div", {}, curve.element, all.element, means.element),
  );
  return {
    element,
    draw(now) {
      element.hidden = !now;
      if (!now || now === shown) return;
      shown = now;
      const name = page.nameOfImage();
      fill(title, rich("learn.atoms", { count: now.count, latents: now.latents }));
      wall.ariaLabel = say("learn.atoms_alt", { count: now.count });
      drawWall(wall, now, shape);
      paint.grey(image, halves(now.reconstruction), shape, range);
      image.ariaLabel = say("learn.now_alt", { name });
      const look = page.look();
      if (look) paint.grey(given, look.noisy, shape, range);
      given.ariaLabel = say("learn.given_alt", { name });
      const last = now.history.at(-1);
      const rows = [
        [say("learn.row_step"), say("learn.step_of", now)],
        [say("learn.loss", { loss: say(`learn.${now.loss}`) }), last ? format(last[1], ".4f") : "–"],
        [term("mean activation"), format(now.mean_activation, ".3f")],
        [term("effective L0"), say("learn.carried", now)],
      ];
      fill(table, cells([], rows));
      curve.draw();
      all.draw([{ name: "", counts: now.activations }], false);
      means.draw([{ name: "", counts: now.means }], false);
    },
  };
}

/** @param {Moment} now @param {number} width */
function lossCurve({ history, steps, loss }, width) {
  const losses = history.map(([, value]) => value);
  const first = losses[0] ?? 0.5;
  const label = say("learn.axis_loss", { loss: say(`learn.${loss}`) });
  const stride = 100 * (1 + Math.floor(steps / 600));
  const ticks = Array.from({ length: 1 + Math.floor(steps / stride) }, (_, i) => i * stride);
  const plot = new Plot({
    width,
    height: 200,
    x: { label: say("learn.axis_step"), low: 0, high: steps, ticks },
    y: {
      label,
      low: Math.min(first / 25, ...losses.map((value) => value / 1.1)),
      high: 1.1 * Math.max(first, ...losses),
      log: true,
    },
  });
  const spoken = say("learn.curve_from", { count: losses.length, first, last: losses.at(-1) ?? first });
  return plot.drawing(spoken, plot.curve(history, 0));
}

/**
 * Draws atoms side by side, each in the full range of colours.
 * @param {HTMLCanvasElement} canvas
 * @param {Moment} now
 * @param {number[]} shape
 */
async function drawWall(canvas, { atoms, count }, shape) {
  const values = new Int8Array((await unpacked(fromBase64(atoms), "deflate")).buffer);
  const pixels = values.length / count;
  const columns = paint.mapSide(count);
  const tile = paint.canvas();
  for (let i = 0; i < count; i++) {
    paint.signed(tile, values.subarray(i * pixels, (i + 1) * pixels), shape, LEVELS);
    const [width, height] = [tile.width + 1, tile.height + 1];
    if (i === 0) {
      const sheet = [shape[0] === 3 ? 3 : 1, Math.ceil(count / columns) * height, columns * width];
      paint.signed(canvas, new Int8Array(sheet[0] * sheet[1] * sheet[2]), sheet); // zeros between the atoms
    }
    canvas.getContext("2d")?.drawImage(tile, (i % columns) * width, Math.floor(i / columns) * height);
  }
}
