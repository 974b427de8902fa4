/** What becomes of the mean activation and the effective L0 when all latents are scaled by s, and all atoms by 1/s. */

import { legend, Plot, responsive, stroke } from "./chart.js";
import { clamp, fill, h } from "./dom.js";
import { idle } from "./idle.js";
import { slide } from "./inputs.js";
import { activation, effectiveL0, meanActivation } from "./measures.js";
import * as paint from "./paint.js";
import { saveable } from "./save.js";
import { format, rich, say } from "./words.js";

/** @typedef {{count: number, rates: number[], carried: number[]}} Curves means of `count` images, at all `SCALES` */

const IMAGES = 100;
const FIRST = 10; // images after which the chart is drawn for the first time
const LOWEST = 0.001;
const SCALES = Array.from({ length: 31 }, (_, i) => LOWEST ** (1 - i / 30));

/** @param {Page} page @returns {View} */
export function scaling(page) {
  let scale = 1;
  /** @type {Map<string, Curves>} */
  const known = new Map();
  let underWay = "";
  const slider = slide("scale", say("rates.s"), -3, 0, (power) => {
    scale = 10 ** power;
    draw();
  });
  const [map, image] = [paint.canvas("…"), paint.canvas("…")];
  const [mapWords, imageWords] = [h("figcaption", {}), h("figcaption", {})];
  const pictures = h("div", { class: "scaled" }, h("figure", {}, map, mapWords), h("figure", {}, image, imageWords));
  const title = h("h3", {});
  const keys = h("div", {});
  const chart = responsive(render, "scale-chart");
  const figure = saveable(h("div", {}, title, chart.element, keys), () => `${page.state.stop}-scaled`);
  const prose = h("div", { class: "words" }, rich("rates.scale"));
  const why = h("details", { class: "why" }, h("summary", {}, say("rates.why")), prose);
  const head = [h("h2", {}, say("rates.scale_title")), h("p", {}, rich("rates.scale_do"))];
  const element = h("section", {}, head, slider.element, pictures, figure, why);

  // The server may give another user's model the name of one that was here.
  const name = () => `${page.state.stop} ${page.lab.index.models[page.lab.stop(page.state.stop).model].url}`;

  /** The means of now, at the scale of the slider. */
  const at = () => {
    const curves = known.get(name());
    const nearest = Math.round(30 * (1 - Math.log(scale) / Math.log(LOWEST)));
    return curves && { ...curves, rate: curves.rates[nearest], l0: curves.carried[nearest] };
  };

  function draw() {
    slider.show(Math.log10(scale), `s = ${format(scale, ".2g")}`);
    const look = page.look();
    page.mark(pictures, [page.state.stop]);
    if (look) {
      const scaled = look.latents.map((z) => scale * z);
      const numbers = { mean: meanActivation(scaled), effective_l0: effectiveL0(scaled), scale };
      const { shape, range } = page.lab.index;
      paint.map(map, scaled.map(activation));
      map.ariaLabel = say("rates.map_alt", numbers);
      fill(mapWords, h("span", {}, rich("rates.scaled", numbers)));
      paint.grey(image, look.reconstruction, shape, range);
      image.ariaLabel = say("see.reconstruction_alt", { name: page.nameOfImage() });
      fill(imageWords, rich("rates.unchanged", { inverse: 1 / scale }));
    }
    drawChart();
  }

  function drawChart() {
    const now = at();
    fill(title, rich("rates.of", { title: h("bdi", {}, page.state.stop), sample: now?.count ?? IMAGES }));
    const words = now ? wordsOf(now) : ["…", "…"];
    fill(keys, legend(words.map((one, style) => ({ mark: stroke(style), words: one }))));
    chart.draw();
  }

  /** @param {number} width */
  function render(width) {
    const now = at();
    const plot = new Plot({
      width,
      height: clamp(Math.round(0.5 * width), 240, 320),
      above: 1,
      x: { label: say("rates.x"), low: LOWEST, high: 1, ticks: [0.001, 0.01, 0.1, 1], log: true },
      y: { label: say("rates.y"), low: 0, high: 1.1, ticks: [0, 0.25, 0.5, 0.75, 1] },
    });
    const relative = (/** @type {number[]} */ values) =>
      SCALES.map((s, i) => [s, values[i] / Math.max(values[30], 1e-12)]);
    const curves = now && [now.carried, now.rates].map((values, i) => plot.curve(relative(values), 1 - i));
    const [mean_activation, effective_l0] = now ? wordsOf(now) : ["…", "…"];
    const of = { title: page.state.stop, sample: now?.count ?? IMAGES };
    const spoken = say("rates.spoken", { ...of, mean_activation, effective_l0 });
    return plot.drawing(spoken, [curves, plot.upright(scale, `s = ${format(scale, ".2g")}`, "target")]);
  }

  return {
    element,
    draw,
    drawLater() {
      const [of, stop] = [name(), page.lab.stop(page.state.stop)];
      if (known.get(of)?.count === count(page) || underWay === of) return;
      const model = page.lab.model(stop.key);
      if (!model || !page.lab.pictures.images) return; // the page draws again when they are here
      underWay = of;
      idle("scaling", function* () {
        /** @type {Curves} */
        const sums = { count: 0, rates: SCALES.map(() => 0), carried: SCALES.map(() => 0) };
        for (let i = 0; i < count(page); i++) {
          const picture = /** @type {Float64Array} */ (page.lab.pictures.image(i));
          const latents = model.encode(picture, stop).filter((z) => z !== 0);
          yield;
          add(sums, latents, model.latentDim);
          if (sums.count === FIRST || sums.count === count(page)) {
            const over = (/** @type {number[]} */ values) => values.map((sum) => sum / sums.count);
            known.set(of, { count: sums.count, rates: over(sums.rates), carried: over(sums.carried) });
            if (name() === of) drawChart();
          }
          yield;
        }
        underWay = "";
      });
    },
  };
}

/** How many images the means are over. @param {Page} page */
const count = (page) => Math.min(IMAGES, page.lab.index.images.count);

/**
 * Adds one image.
 * @param {Curves} sums
 * @param {Float64Array} latents that are not 0
 * @param {number} all how many latents there are
 */
function add(sums, latents, all) {
  sums.count++;
  SCALES.forEach((s, i) => {
    const scaled = latents.map((z) => s * z);
    sums.rates[i] += latents.length ? (meanActivation(scaled) * latents.length) / all : 0;
    sums.carried[i] += effectiveL0(scaled);
  });
}

/** What both curves are, with their values at both ends. @param {Curves} curves */
const wordsOf = ({ rates, carried }) => [
  say("rates.mean_activation", { one: rates[30], least: rates[0], scale: LOWEST }),
  say("rates.effective_l0", { one: carried[30], least: carried[0], scale: LOWEST }),
];
