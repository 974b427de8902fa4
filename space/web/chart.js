/** Charts as SVG, drawn for the width that they have: axes, curves, marks and legends. */

import { clamp, h, svg } from "./dom.js";
import { widthOf, wrapped } from "./labels.js";
import { format } from "./words.js";

/**
 * One axis: what it measures, its range, the values that get a number (a logarithmic axis finds its own), and how.
 * @typedef {{label: string, low: number, high: number, ticks?: number[], log?: boolean, write?: Write}} Axis
 * @typedef {(value: number) => string} Write
 */

export const STYLES = 8; // of charts.css: each has its own lightness, dashes and shape
const LINE = 15; // px from line to line of words

/** A mark for each style, about 14 px wide around (0, 0). */
const SHAPES = [
  "M7 0A7 7 0 1 1-7 0A7 7 0 1 1 7 0Z",
  "M-6-6H6V6H-6Z",
  "M0-8 8 0 0 8-8 0Z",
  "M0-8 8 6H-8Z",
  "M0 8-8-6H8Z",
  "M-7-3h4v-4h6v4h4v6h-4v4h-6v-4h-4Z",
  "M-7 0-3.5-7h7L7 0 3.5 7h-7Z",
  "M0-3.5 4.5-8 8-4.5 3.5 0 8 4.5 4.5 8 0 3.5-4.5 8-8 4.5-3.5 0-8-4.5-4.5-8Z",
];
const STAR = "M0-10 2.4-3.2 9.5-3.1 3.8 1.2 5.9 8.1 0 4-5.9 8.1-3.8 1.2-9.5-3.1-2.4-3.2Z";

/**
 * A chart that is drawn again when its container has another width. What has the focus keeps it, if it has a `data-key`.
 * @param {(width: number) => SVGElement} render
 * @param {string} [name] a class of the container
 * @returns {{element: HTMLElement, draw: () => void}}
 */
export function responsive(render, name = "") {
  const element = h("div", { class: `plot-box ${name}` });
  let width = 0;
  const draw = () => {
    if (!width) return; // not laid out yet; the observer calls when it is
    const focused = element.contains(document.activeElement) ? document.activeElement?.getAttribute("data-key") : null;
    element.replaceChildren(render(width));
    if (!focused) return;
    const again = element.querySelector(`[data-key="${CSS.escape(focused)}"]`);
    if (again instanceof SVGElement) again.focus({ preventScroll: true });
  };
  new ResizeObserver(([{ contentRect }]) => {
    if (Math.floor(contentRect.width) === width) return;
    width = Math.floor(contentRect.width);
    draw();
  }).observe(element);
  return { element, draw };
}

/**
 * Words at a place.
 * @param {string} words
 * @param {string} name a class of charts.css
 * @param {number} x
 * @param {number} y of the baseline
 * @param {"start" | "middle" | "end"} [anchor]
 */
export const text = (words, name, x, y, anchor = "start") =>
  svg("text", { class: name, x, y, "text-anchor": anchor }, words);

/**
 * @param {string} name a class of charts.css
 * @param {number} x1
 * @param {number} y1
 * @param {number} x2
 * @param {number} y2
 */
export const line = (name, x1, y1, x2, y2) => svg("line", { class: name, x1, y1, x2, y2 });

/** A line through points. @param {number[][]} places (x, y), px @param {number} style */
export const curve = (places, style) =>
  svg("polyline", {
    class: `curve style${style % STYLES}`,
    points: places.map((place) => place.map((at) => at.toFixed(1)).join()).join(" "),
  });

/** A frame with two axes, into which curves and marks are drawn; all lengths are px. */
export class Plot {
  /** @param {{width: number, height: number, x: Axis, y: Axis, above?: number}} given `above`: lines of words */
  constructor({ width, height, x, y, above = 0 }) {
    this.width = width;
    this.height = height;
    this.xAxis = x;
    this.yAxis = y;
    this.yWords = wrapped(y.label, width - 8);
    this.top = LINE * (this.yWords.length + above) + 9;
    this.xWords = wrapped(x.label, width - 40);
    this.bottom = height - LINE * (1 + this.xWords.length) - 8;
    this.yTicks = y.ticks ?? logTicks(y, this.bottom - this.top, 18);
    this.left = Math.ceil(10 + Math.max(...this.yTicks.map((tick) => widthOf(written(y, tick)))));
    const last = written(x, x.ticks?.at(-1) ?? x.high);
    this.right = width - Math.ceil(Math.max(12, widthOf(last) / 2 + 3));
    this.xTicks = x.ticks ?? logTicks(x, this.right - this.left, 34);
  }

  /** Where a value lies, kept inside the frame. @param {number} value */
  x(value) {
    return this.left + part(this.xAxis, value) * (this.right - this.left);
  }

  /** @param {number} value */
  y(value) {
    return this.bottom - part(this.yAxis, value) * (this.bottom - this.top);
  }

  /** The value at a place of a linear axis. @param {number} place */
  valueAt(place) {
    const { low, high } = this.xAxis;
    return low + clamp((place - this.left) / (this.right - this.left), 0, 1) * (high - low);
  }

  /** A line through points. @param {number[][]} points (x, y) @param {number} style */
  curve(points, style) {
    return curve(points.map(([x, y]) => [this.x(x), this.y(y)]), style);
  }

  /**
   * A vertical line, and what it is above the frame, where no curve is; several have their words on different lines.
   * @param {number} value
   * @param {string} words
   * @param {string} name a class of charts.css
   * @param {number} [level] 0 is the line next to the frame
   * @param {boolean} [isLeft] whether the words stand on the left side, where there is room
   */
  upright(value, words, name, level = 0, isLeft = false) {
    const [x, y, width] = [this.x(value), this.top - 8 - LINE * level, widthOf(words, 12, 650) + 4];
    const left = isLeft && x - width > 2 ? x - width : clamp(x - 4, 2, Math.max(this.width - width, 2));
    return [line(name, x, y + 4, x, this.bottom), text(words, `${name}-label`, left, y)];
  }

  /**
   * The whole chart.
   * @param {string} spoken what it shows, in words
   * @param {Child} inside
   * @param {Record<string, any>} [attributes]
   */
  drawing(spoken, inside, attributes = {}) {
    const { left, right, top, bottom } = this;
    const grid = [
      ...this.yTicks.map((tick) => [
        line("grid", left, this.y(tick), right, this.y(tick)),
        text(written(this.yAxis, tick), "tick", left - 6, this.y(tick) + 4, "end"),
      ]),
      ...this.xTicks.map((tick) => [
        line("grid", this.x(tick), top, this.x(tick), bottom),
        text(written(this.xAxis, tick), "tick", this.x(tick), bottom + 16, "middle"),
      ]),
      ...this.yWords.map((words, i) => text(words, "axis", 2, 12 + LINE * i)),
      ...this.xWords.map((words, i) => text(words, "axis", (left + right) / 2, bottom + 33 + LINE * i, "middle")),
    ];
    return figure(this.width, this.height, spoken, [grid, inside], attributes);
  }
}

/**
 * An SVG that a screen reader reads as one image, unless `attributes` has another role.
 * @param {number} width px
 * @param {number} height px
 * @param {string} spoken
 * @param {Child} inside
 * @param {Record<string, any>} [attributes]
 */
export function figure(width, height, spoken, inside, attributes = {}) {
  const size = { width, height, viewBox: `0 0 ${width} ${height}` };
  return svg("svg", { class: "plot", ...size, role: "img", "aria-label": spoken, ...attributes }, inside);
}

/**
 * A legend below a chart.
 * @param {{mark: SVGElement, words: string}[]} entries marks around (0, 0)
 */
export function legend(entries) {
  return h("div", { class: "legend" }, entries.map(({ mark, words }) => h("span", {}, sample(mark), words)));
}

/** A mark by itself, as small as a letter. @param {SVGElement} mark around (0, 0) */
export const sample = (mark) =>
  svg("svg", { class: "sample", width: 28, height: 16, viewBox: "-16 -9 32 18", "aria-hidden": "true" }, mark);

/** The mark of a style around (0, 0), or a star. @param {number | null} style @param {number} [scale] */
export const mark = (style, scale = 1) =>
  svg("path", { d: style === null ? STAR : SHAPES[style % STYLES], transform: `scale(${scale})` });

/** A piece of a curve, for a legend. @param {number} style */
export const stroke = (style) => line(`curve style${style % STYLES}`, -15, 0, 15, 0);

/** @param {Axis} axis @param {number} value @returns {number} from low, 0, to high, 1 */
function part({ low, high, log }, value) {
  const [a, b, v] = [low, high, value].map((number) => (log ? Math.log(Math.max(number, 1e-12)) : number));
  return clamp((v - a) / (b - a || 1), 0, 1);
}

/** @param {Axis} axis @param {number} value */
const written = (axis, value) => (axis.write ?? ((number) => format(number, "g")))(value);

/** Values of a logarithmic axis. @param {Axis} axis @param {number} length px @param {number} room px */
function logTicks({ low, high }, length, room) {
  const decade = length / Math.log10(high / low);
  const steps = [[1, 2, 5], [1, 3]].find((some) => decade * Math.log10(some[1]) >= room) ?? [1];
  const powers = Array.from({ length: 12 }, (_, i) => 10 ** (i - 6));
  return powers.flatMap((power) => steps.map((step) => step * power)).filter((tick) => tick >= low && tick <= high);
}

/**
 * A logarithmic axis that holds values above 0, with room on both sides.
 * @param {string} label
 * @param {number[]} values
 * @param {Write} [write]
 * @returns {Axis}
 */
export function logAxis(label, values, write) {
  return { label, low: 0.75 * Math.max(Math.min(...values), 1e-5), high: 1.4 * Math.max(...values), log: true, write };
}

/** A bar: of the first model filled, of the second one an outline. @param {number} model @param {...number} box px */
export function bar(model, ...box) {
  const [x, y, width, height] = box.map((length, i) => (i < 2 ? length : Math.max(length, 0)));
  return svg("rect", { class: model ? "outline" : "bar", x, y, width, height });
}
