/** A small curve below the slider of a method: the error at each stop, of the current image and over the test images. */

import { curve, figure, legend, line, responsive, stroke, text } from "./chart.js";
import { fill, h, svg } from "./dom.js";
import { idle } from "./idle.js";
import { boxesAlong, placeWords } from "./labels.js";
import { mse } from "./measures.js";
import { choosable } from "./points.js";
import { format, say } from "./words.js";

/** @typedef {{stop: Stop, error: number, style: number}} Point */

const [OWN, TEST] = [0, 1]; // styles of the curves
const SIDE = 9; // px from an end of the slider to where the middle of its knob can be
const [TOP, BOTTOM, HEIGHT] = [21, 105, 125]; // px

/**
 * Where the words of a horizontal line can stand: at its right end, its left end or in the middle; those of the upper
 * line best above it, those of the lower one below.
 * @param {number} width
 * @param {boolean} isUpper
 * @returns {import("./labels.js").Spot[]}
 */
function alongLine(width, isUpper) {
  const rows = isUpper ? [-4, 12] : [12, -4];
  const ends = /** @type {const} */ ([[width - 3, "end"], [3, "start"], [width / 2, "middle"]]);
  return ends.flatMap(([dx, anchor]) => rows.map((dy) => ({ dx, dy, anchor })));
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
    const test = points(TEST, (stop) => (stop.label ? stop.evaluation?.denoise_mse : undefined));
    const own = points(OWN, ({ key }) => errors.get(key));
    const look = page.look(chosen, false);
    const noise = look && sigma > 0 ? mse(look.seen, look.clean) : 0;
    const apart = stops.some(({ key }) => key === chosen) ? 0 : (errors.get(chosen) ?? 0);
    const high = 1.05 * Math.max(1e-4, noise, apart, ...[...test, ...own].map(({ error }) => error));
    const x = (/** @type {Point} */ { stop }) => SIDE + at(stop) * (width - 2 * SIDE);
    const y = (/** @type {number} */ error) => BOTTOM - (error / high) * (BOTTOM - TOP);
    const curves = [own, test].map((of) => of.map((point) => [x(point), y(point.error)]));

    const isNow = (/** @type {Point} */ { stop, style }) => stop.key === chosen && style === OWN;
    const least = [...own].sort((a, b) => a.error - b.error)[0];
    const all = [...test, ...own].sort((a, b) => Number(isNow(a)) - Number(isNow(b)));
    const along = [...curves, [[SIDE, BOTTOM], [width - SIDE, BOTTOM]]].flatMap(boxesAlong);
    const levels = [
      { error: noise, words: [say("curve.noisy", { error: noise })] },
      { error: apart, words: [`${chosen} ${format(apart, ".4f")}`] },
    ].filter(({ error }) => error > 0).sort((a, b) => b.error - a.error)
      .map(({ error, words }, i) => ({ x: 0, y: y(error), r: 0, words, spots: alongLine(width, !i) }));
    const words = (/** @type {Point} */ point) => (isNow(point) || point === least ? [format(point.error, ".4f")] : []);
    const dots = all.map((point) => ({ x: x(point), y: y(point.error), r: 4, words: words(point), weight: 650 }));
    const frame = { left: 0, right: width, top: 0, bottom: HEIGHT };
    const ofLevels = placeWords(levels, frame, [], along);
    const places = placeWords(dots, frame, ofLevels.flatMap((place) => place?.box ?? []), along, [18]);
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
    const across = levels.map(({ y }) => line("level", SIDE, y, width - SIDE, y));
    const said = ofLevels.map((at, i) => at && text(at.words, "level-label", at.dx, levels[i].y + at.dy, at.anchor));
    const numbers = { count: own.length, sigma, least: least?.error, stop: least?.stop.key };
    const spoken = least ? say("curve.spoken", numbers) : say("curve.error");
    const zero = line("grid", SIDE, BOTTOM, width - SIDE, BOTTOM);
    const inside = [zero, across, curve(curves[TEST], TEST), curve(curves[OWN], OWN), said, content];
    return figure(width, HEIGHT, spoken, inside, { role: "group", on });
  }

  const title = h("summary", { class: "muted" }, say("curve.error"));
  const open = !matchMedia("(max-width: 760px)").matches; // where the sliders stay in reach, it would cover the image
  return { element: h("details", { class: "error-curve", open }, title, chart.element, keys), draw };
}
