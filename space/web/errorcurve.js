/** A small curve below the slider of a method: the error at each stop, of the current image and over the test images. */

import { figure, legend, line, responsive, stroke, text } from "./chart.js";
import { fill, h, svg } from "./dom.js";
import { idle } from "./idle.js";
import { boxesAlong, overlap, placeWords, widthOf } from "./labels.js";
import { mse } from "./measures.js";
import { choosable } from "./points.js";
import { format, say } from "./words.js";

/** @typedef {import("./page.js").Page} Page */
/** @typedef {import("./lab.js").Stop} Stop */
/** @typedef {{stop: Stop, error: number, style: number}} Point */
/** @typedef {import("./labels.js").Box} Box */

const [OWN, TEST] = [0, 1]; // styles of the curves
const SIDE = 9; // px from an end of the slider to where the middle of its knob can be
const [TOP, BOTTOM, HEIGHT] = [21, 105, 125]; // px

/**
 * Where the words of horizontal lines stand: at the right end, above the upper one and below the lower one, and elsewhere
 * where a curve runs.
 * @param {{place: number, words: string}[]} lines from the top; `place` in px
 * @param {number} width
 * @param {Box[]} curves
 */
function levelsOf(lines, width, curves) {
  /** @type {Box[]} */
  const taken = [...curves];
  return lines.map(({ place, words }, i) => {
    const length = widthOf(words, 11) + 6;
    const [above, below] = [place - 4, place + 12];
    const bases = (i ? [below, above] : [above, below]).filter((base) => base < BOTTOM);
    const spots = [width - length, 0, (width - length) / 2].flatMap((left) => bases.map((base) => ({ left, base })));
    const boxes = spots.map(({ left, base }) => ({ left, right: left + length, top: base - 11, bottom: base + 3 }));
    const free = Math.max(boxes.findIndex((box) => !taken.some((other) => overlap(other, box))), 0);
    taken.push(boxes[free]);
    return { place, words, ...spots[free], box: boxes[free] };
  });
}

/**
 * @param {Page} page
 * @returns {{element: HTMLElement, draw: () => void}} `draw` may wait for a pause: it looks at the image by every stop
 */
export function errorCurve(page) {
  const tested = page.lab.index.sigma;
  /** @type {Map<string, number>} stop -> error of an image; the last one that was finished */
  let errors = new Map();
  const chart = responsive(render);
  const keys = h("div", {});

  const axis = () => page.lab.axis(page.state.family);

  function draw() {
    const { stop: chosen, sigma } = page.state;
    const stops = axis().flatMap(({ label, key }) => (label || key === chosen ? [key] : []));
    const own = { mark: stroke(OWN), words: say("curve.own", { sigma }) };
    fill(keys, legend([own, { mark: stroke(TEST), words: say("curve.test", { sigma: tested }) }]));
    chart.element.classList.add("stale");
    chart.draw();
    idle("error curve", function* () {
      const found = new Map();
      for (const key of new Set([chosen, ...stops])) {
        const look = page.look(key);
        if (look) found.set(key, mse(look.reconstruction, look.clean));
        yield;
      }
      errors = found;
      chart.element.classList.remove("stale");
      chart.draw();
    });
  }

  /** @param {number} width */
  function render(width) {
    const { stop: chosen, sigma } = page.state;
    const stops = axis();
    const at = (/** @type {Stop} */ stop) => (stops.length > 1 ? stops.indexOf(stop) / (stops.length - 1) : 0.5);
    const points = (/** @type {number} */ style, /** @type {(stop: Stop) => number | undefined} */ errorOf) =>
      stops.flatMap((stop) => {
        const error = errorOf(stop);
        return error === undefined ? [] : [{ stop, error, style }];
      });
    const test = points(TEST, (stop) => (stop.label ? stop.evaluation?.denoise_mse[tested] : undefined));
    const own = points(OWN, ({ key }) => errors.get(key));
    const look = page.look(chosen, false);
    const noise = look && sigma > 0 ? mse(look.seen, look.clean) : 0;
    const apart = stops.some(({ key }) => key === chosen) ? 0 : (errors.get(chosen) ?? 0);
    const high = 1.05 * Math.max(1e-4, noise, apart, ...[...test, ...own].map(({ error }) => error));
    const x = (/** @type {Point} */ { stop }) => SIDE + at(stop) * (width - 2 * SIDE);
    const y = (/** @type {number} */ error) => BOTTOM - (error / high) * (BOTTOM - TOP);
    const curves = [own, test].map((of) => of.map((point) => [x(point), y(point.error)]));
    const curve = (/** @type {number} */ style) => {
      const points = curves[style].map((place) => place.map((at) => at.toFixed(1)).join());
      return svg("polyline", { class: `curve style${style}`, points: points.join(" ") });
    };

    const isNow = (/** @type {Point} */ { stop, style }) => stop.key === chosen && style === OWN;
    const least = [...own].sort((a, b) => a.error - b.error)[0];
    const all = [...test, ...own].sort((a, b) => Number(isNow(a)) - Number(isNow(b)));
    const along = [...curves, [[SIDE, BOTTOM], [width - SIDE, BOTTOM]]].flatMap(boxesAlong);
    const lines = [
      { error: noise, words: say("curve.noisy", { error: noise }) },
      { error: apart, words: `${chosen} ${format(apart, ".4f")}` },
    ].filter(({ error }) => error > 0).map(({ error, words }) => ({ place: y(error), words }));
    const levels = levelsOf(lines.sort((a, b) => a.place - b.place), width, along);
    const words = (/** @type {Point} */ point) => (isNow(point) || point === least ? [format(point.error, ".4f")] : []);
    const places = placeWords(
      all.map((point) => ({ x: x(point), y: y(point.error), r: 4, words: words(point), weight: 650 })),
      { left: 0, right: width, top: 0, bottom: HEIGHT },
      levels.map(({ box }) => box),
      along,
      [18],
    );
    const marked = all.map((point, i) => {
      const at = places[i];
      const dot = svg("circle", { class: "dot", r: isNow(point) ? 5.5 : 3.2 });
      const label = at && text(at.words, "number", at.dx, at.dy, at.anchor);
      const { style, stop, error } = point;
      const of = style === OWN ? say("curve.own", { sigma }) : say("curve.test", { sigma: tested });
      const tip = [stop.key, say("curve.at", { error }), of];
      const marks = label ? [dot, label] : [dot];
      const place = { x: x(point), y: y(error) };
      return { key: `${style} ${stop.key}`, ...place, marks, name: `style${style}`, tip, isChosen: isNow(point) };
    });
    const { content, on } = choosable(marked, { width, bottom: HEIGHT }, (key) => page.set({ stop: key.slice(2) }));
    const across = levels.map(({ place }) => line("level", SIDE, place, width - SIDE, place));
    const said = levels.map(({ left, base, words }) => text(words, "level-label", left + 3, base));
    const numbers = { count: own.length, sigma, least: least?.error, stop: least?.stop.key };
    const spoken = least ? say("curve.spoken", numbers) : say("curve.error");
    const zero = line("grid", SIDE, BOTTOM, width - SIDE, BOTTOM);
    const inside = [zero, across, curve(TEST), curve(OWN), said, content];
    return figure(width, HEIGHT, spoken, inside, { role: "group", on });
  }

  const title = h("summary", { class: "muted" }, say("curve.error"));
  const open = !matchMedia("(max-width: 760px)").matches; // where the sliders stay in reach, it would cover the image
  return { element: h("details", { class: "error-curve", open }, title, chart.element, keys), draw };
}
