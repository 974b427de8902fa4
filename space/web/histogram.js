/** The lecture's two histograms: of all activations, and of the mean of each latent; of one model or of two. */

import { bar, figure, line, responsive, text } from "./chart.js";
import { clamp, h, svg } from "./dom.js";
import { widthOf } from "./labels.js";
import { percent } from "./measures.js";
import { format, say } from "./words.js";

const HEIGHT = 196; // of a chart of one model
const SIZE = 11; // px, of numbers
const LOWEST = 1e-3; // where the first logarithmic bin ends

/** @typedef {{name: string, counts: Histogram | null}} Counted a model; null while its counts are under way */

/**
 * One of them, drawn for the width that it has.
 * @param {"all" | "means"} what
 * @returns {{element: HTMLElement, draw: (models: Counted[], isEqual: boolean) => void}} `models`: one or two; the bars
 *   of the second are outlines. `isEqual`: ten equal bins of [0, 1]; else a bar for exactly 0, and logarithmic ones
 */
export function histogram(what) {
  /** @type {[Counted[], boolean]} */
  let now = [[], false];
  const chart = responsive((width) => drawing(what, ...now, width), "histogram");
  return {
    element: chart.element,
    draw(models, isEqual) {
      now = [models, isEqual];
      chart.draw();
    },
  };
}

/** Counts as shares of their sum. @param {number[]} counts */
function shares(counts) {
  const sum = counts.reduce((a, b) => a + b, 0);
  return counts.map((count) => count / Math.max(sum, 1));
}

/** The share of what is exactly 0. @param {Counted} model */
const zeroShare = ({ counts }) => (counts ? counts.zero / Math.max(counts.linear.reduce((a, b) => a + b, 0), 1) : 0);

/** @param {string} what @param {Counted[]} models @param {boolean} isEqual @param {number} width */
function drawing(what, models, isEqual, width) {
  const names = heads(models, width);
  const height = HEIGHT + 14 * Math.max(models.length - 1, 0) + 16 * names.lines; // two means stand one above the other
  const [left, right, top, base] = [isEqual ? 56 : 116, width - 10, height - HEIGHT + 46, height - 36];
  const bins = isEqual ? 10 : 12;
  const of = models.map(({ counts }) => (counts ? shares(isEqual ? counts.linear : counts.log) : []));
  const highest = isEqual ? 1 : Math.max(0, ...of.flat()) || 1;
  const step = isEqual ? 0.5 : ([0.01, 0.02, 0.05, 0.1, 0.2, 0.25].find((size) => highest <= 4 * size) ?? 0.5);
  const steps = Math.ceil(highest / step - 1e-9);
  const room = base - top - (isEqual ? 12 : 0); // for the number above a bar of 100%
  const y = (/** @type {number} */ share) => base - (share / (steps * step)) * room;
  const along = (/** @type {number} */ value) =>
    isEqual ? value : Math.max(0, 1 - Math.log(Math.max(value, 1e-12)) / Math.log(LOWEST));
  const x = (/** @type {number} */ value) => left + along(value) * (right - left);
  const [size, gap] = [(right - left) / bins, isEqual ? 0.1 : 0.07];
  const broad = (1 - 2 * gap) * size;
  const isNarrow = right - left < 150; // the number beside the first one would run into it
  const axis = isEqual ? [0, 0.2, 0.4, 0.6, 0.8, 1] : isNarrow ? [0.1, 1] : [0.01, 0.1, 1];
  const below = say(`charts.${what}_x`);
  const ticks = axis.map((value) => text(String(value).replace(/^0\./, "."), "tick", x(value), base + 14, "middle"));
  const inside = [
    text(say(`charts.${what}`), "title", 8, 14),
    names.marks,
    turned(say(`charts.${what}_y`), 15, (top + base) / 2),
    Array.from({ length: steps + 1 }, (_, i) => [
      line("grid", left, y(i * step), right, y(i * step)),
      text(format(i * step, ".0%"), "tick", left - 5, y(i * step) + 4, "end"),
    ]),
    !isEqual && [zeroBar(models, top, base), turned(say("charts.rest"), left - 34, (top + base) / 2)],
    !isEqual && text("≤.001", "tick", left, base + 14),
    of.map((own, m) => own.map((share, i) => bar(m, left + (i + gap) * size, y(share), broad, base - y(share)))),
    meanLines(models, width, top, base, x),
    isEqual && of[0] && numbers(of[0], (i) => [left + (i + 0.5) * size, y(Math.max(...of.map((own) => own[i] ?? 0)))]),
    ticks,
    text(below, "axis", Math.min((left + right) / 2, width - widthOf(below, SIZE) / 2 - 2), height - 6, "middle"),
  ];
  const edge = (/** @type {number} */ i) =>
    isEqual ? format(i / bins, ".1f") : i ? format(LOWEST ** (1 - i / bins), ".2g") : "0";
  return figure(width, height, spoken(what, models, of, edge, isEqual), inside, { class: "plot histogram-plot" });
}

/** @param {string} words @param {number} x @param {number} y */
const turned = (words, x, y) =>
  svg("text", { class: "axis", transform: `translate(${x} ${y}) rotate(-90)`, "text-anchor": "middle" }, words);

/** What bars and outlines are: beside each other, or below. @param {Counted[]} models @param {number} width */
function heads(models, width) {
  if (models.length < 2) return { lines: 0, marks: [] };
  const [first, second] = models.map(({ name }) => widthOf(name, SIZE) + 30);
  const isStacked = 8 + first + second > width;
  const marks = models.map(({ name }, i) => {
    const place = isStacked ? `8 ${30 + 14 * i}` : `${8 + i * first} 30`;
    return svg("g", { transform: `translate(${place})` }, bar(i, 0.5, -8.5, 9, 9), text(name, "key", 14, 0));
  });
  return { lines: isStacked ? 2 : 1, marks };
}

/** How many are exactly 0. @param {Counted[]} models @param {number} top @param {number} base */
function zeroBar(models, top, base) {
  const part = models.map((model, i) => {
    const height = zeroShare(model) * (base - top);
    const words = model.counts ? percent(zeroShare(model), true) : "…";
    const mark = svg("rect", { class: i ? "outline" : "zero", x: 26, y: base - height, width: 36, height });
    return [mark, text(words, i ? "number second" : "number", 44, top - 7 - 14 * (models.length - 1 - i), "middle")];
  });
  const track = svg("rect", { class: "track", x: 26, y: top, width: 36, height: base - top });
  return [track, part, text(say("charts.zero"), "tick", 44, base + 14, "middle")];
}

/**
 * The lines at the means, with their numbers above the frame.
 * @param {Counted[]} models
 * @param {number} width
 * @param {number} top
 * @param {number} base
 * @param {(value: number) => number} x
 */
function meanLines(models, width, top, base, x) {
  return models.map(({ counts }, i) => {
    if (!counts) return null;
    const words = say("charts.mean", { mean: counts.mean });
    const [place, y, second] = [x(counts.mean), top - 8 - 14 * (models.length - 1 - i), i ? " second" : ""];
    const left = clamp(place - 4, 2, width - widthOf(words, SIZE, 650) - 4);
    return [line(`mean${second}`, place, y + 4, place, base), text(words, `mean-label${second}`, left, y)];
  });
}

/**
 * Writes the share of each bin above its bars, one step higher than its neighbour where they would overlap.
 * @param {number[]} of
 * @param {(bin: number) => number[]} place (x, y)
 */
function numbers(of, place) {
  let [right, above] = [0, 0];
  return of.map((share, i) => {
    const words = percent(share);
    const half = widthOf(words, SIZE) / 2;
    const [x, top] = place(i);
    const y = x - half < right + 2 && Math.abs(top - 4 - above) < SIZE ? above - SIZE : top - 4;
    [right, above] = [x + half, y];
    return text(words, "share", x, y, "middle");
  });
}

/**
 * @param {string} what
 * @param {Counted[]} models
 * @param {number[][]} of the shares of each model
 * @param {(i: number) => string} edge of a bin
 * @param {boolean} isEqual
 */
function spoken(what, models, of, edge, isEqual) {
  const one = (/** @type {Counted} */ model, /** @type {number} */ m) => {
    const title = models.length > 1 ? `${say(`charts.${what}`)}, ${model.name}` : say(`charts.${what}`);
    if (!model.counts) return `${title}: …`;
    const bin = (/** @type {number} */ share, /** @type {number} */ i) =>
      share ? [say("charts.bin", { low: edge(i), high: edge(i + 1), share: percent(share) })] : [];
    const spread = of[m].flatMap(bin).join("; ") || say("charts.none");
    const values = { y: say(`charts.${what}_y`), x: say(`charts.${what}_x`), zeros: percent(zeroShare(model), true) };
    const { mean } = model.counts;
    return say(isEqual ? "charts.spoken_equal" : "charts.spoken", { ...values, title, spread, mean });
  };
  return models.map(one).join(" ");
}
