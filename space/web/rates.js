/** The tab Rates: what missing a stated rate costs, and why a mean activation alone proves nothing. */

import { Plot, responsive, sample, stroke } from "./chart.js";
import { cells, clamp, fill, h } from "./dom.js";
import { choice, slide } from "./inputs.js";
import { bernoulliKl } from "./measures.js";
import { saveable } from "./save.js";
import { scaling } from "./scaling.js";
import { format, rich, say } from "./words.js";

const [LOW, HIGH] = [0.01, 0.99]; // targets
const MARGIN = 1e-6; // RATE_MARGIN of sae_model
const NEAR_ZERO = 0.2; // how far the enlarged chart reaches
const POINTS = 160; // of a curve

/** @typedef {(p: number, q: number) => number} OfRate of a target p and a rate q */

/** What a rate costs, and the slope of that, in the order of the styles of the curves.
 * @type {{key: string, of: OfRate, slope: OfRate}[]} */
export const COSTS = [
  { key: "kl", of: bernoulliKl, slope: (p, q) => (q - p) / (q * (1 - q)) },
  { key: "absolute", of: (p, q) => Math.abs(q - p), slope: (p, q) => Math.sign(q - p) },
  { key: "squared", of: (p, q) => (q - p) ** 2, slope: (p, q) => 2 * (q - p) },
  { key: "l1", of: (_p, q) => q, slope: () => 1 },
];

/** @param {Page} page @returns {View} */
export function build(page) {
  const [costs, scale] = [stating(page), scaling(page)];
  return {
    element: h("div", { class: "rates" }, costs.element, scale.element),
    draw() {
      costs.draw();
      scale.draw();
    },
    drawLater: scale.drawLater,
  };
}

/** The costs of missing a target, with a slider for the target and one for the rate. @param {Page} page */
function stating(page) {
  let drawn = ""; // the stop that the sliders follow
  let rate = 0.1;
  let isEnlarged = true;
  const target = slide("target", say("rates.target"), LOW, HIGH, (value) => page.set({ target: value }));
  const actual = slide("rate", say("rates.actual"), 0.001, 0.999, (value) => {
    rate = value;
    draw();
  }, 0.001);
  const measured = h("p", { class: "muted" });
  const range = choice("rates-range", say("rates.range"), { near: `0 – ${NEAR_ZERO}`, all: "0 – 1" }, (key) => {
    isEnlarged = key === "near";
    draw();
  });
  const chart = responsive(render, "cost-chart");
  const table = h("table", { class: "costs" });
  const note = h("p", { class: "note" });
  const figure = saveable(h("div", {}, chart.element, table), () => `cost-of-a-rate-${page.state.target}`);
  const prose = h("div", { class: "words" }, rich("rates.rate"), note);
  const why = h("details", { class: "why" }, h("summary", {}, say("rates.why")), prose);
  const sliders = h("div", { class: "slides" }, target.element, actual.element);
  const head = [h("h2", {}, say("rates.rate_title")), h("p", {}, rich("rates.rate_do"))];
  const element = h("section", {}, head, sliders, measured, range, figure, why);

  function draw() {
    const stop = page.lab.stop(page.state.stop);
    const { mean_activation: mean } = page.lab.evaluation(stop.key);
    if (drawn !== stop.key) {
      drawn = stop.key;
      rate = mean;
      const stated = stop.target;
      // The state must not change while the page draws.
      if (stated !== null && stated !== page.state.target) queueMicrotask(() => page.set({ target: stated }));
    }
    const p = page.state.target;
    target.show(p, format(p, "g"));
    actual.show(rate, format(rate, ".3f"));
    const title = h("bdi", {}, stop.key);
    const key = stop.target === null ? "rates.measured" : "rates.measured_stated";
    fill(measured, rich(key, { title, rate: mean, target: stop.target }));
    fill(table, rows(p, rate));
    fill(note, say("charts.cost_note", costNote(p)));
    chart.draw();
  }

  /** @param {number} width */
  function render(width) {
    const p = page.state.target;
    const high = isEnlarged ? NEAR_ZERO : 1;
    const ticks = [0, 0.25, 0.5, 0.75, 1].map((part) => part * high);
    const plot = new Plot({
      width,
      height: clamp(Math.round(0.62 * width), 300, 400),
      above: 2,
      x: { label: say("charts.rate"), low: 0, high, ticks },
      y: { label: say("charts.cost"), low: 0, high, ticks },
    });
    const curves = COSTS.map(({ of }, style) => plot.curve(costCurve((q) => of(p, q), p, high), style));
    const uprights = [
      p <= high && plot.upright(p, say("charts.target", { target: p }), "target", 0, rate >= p),
      rate <= high && plot.upright(rate, say("rates.at", { rate }), "mean", 1),
    ];
    const spoken = say("charts.cost_spoken", { target: p, note: say("charts.cost_note", costNote(p)) });
    // The chart is drawn again while one drags in it, so its container listens.
    chart.element.onpointerdown = chart.element.onpointermove = ({ buttons, clientX }) => {
      if (buttons !== 1) return;
      const value = plot.valueAt(clientX - chart.element.getBoundingClientRect().left);
      page.set({ target: clamp(Math.round(100 * value) / 100, LOW, HIGH) });
    };
    return plot.drawing(spoken, [curves, uprights]);
  }

  return { element, draw };
}

/**
 * Points of a curve over [0, high] up to a cost of `high`, to where it crosses that.
 * @param {(rate: number) => number} cost
 * @param {number} target where most costs have their least
 * @param {number} high
 * @returns {number[][]} (rate, cost)
 */
export function costCurve(cost, target, high) {
  // The divergence is steep at both ends, where there are more points.
  const even = Array.from({ length: POINTS }, (_, i) => (high * (1 - Math.cos((Math.PI * i) / (POINTS - 1)))) / 2);
  const rates = [...even, ...(target < high ? [target] : [])].sort((a, b) => a - b);
  return rates.flatMap((rate, i) => {
    const [here, before] = [cost(rate), i ? cost(rates[i - 1]) : 0];
    const crosses = i > 0 && here > high !== before > high;
    const at = rates[i - 1] + ((rate - rates[i - 1]) * (high - before)) / (here - before);
    return [...(crosses ? [[at, high]] : []), ...(here > high ? [] : [[rate, here]])];
  });
}

/** What the divergence is at both ends. @param {number} p */
function costNote(p) {
  const end = (/** @type {number} */ rate) => {
    const cost = bernoulliKl(p, rate);
    return say(cost > 1 ? "charts.cost_end_above" : "charts.cost_end", { cost, rate });
  };
  return { margin: MARGIN, low: end(0), high: end(1) };
}

/** What each curve is, and its cost and slope at a rate. @param {number} p @param {number} q */
function rows(p, q) {
  const sign = (/** @type {number} */ value) => ["−", "", "+"][Math.sign(value) + 1];
  const heads = [say("rates.at", { rate: q }), say("charts.cost"), say("rates.slope")];
  const body = COSTS.map(({ key, of, slope }, style) => {
    const steep = slope(p, q);
    const name = [sample(stroke(style)), ` ${say(`charts.${key}`)}`];
    return [name, of(p, q).toFixed(4), sign(steep) + Math.abs(steep).toFixed(2)];
  });
  return cells(heads, body);
}
