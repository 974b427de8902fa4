/** The tab Frontier: what sparsity costs, over all models; a click chooses one. */

import { legend, line, logAxis, mark, Plot, responsive, STYLES, text } from "./chart.js";
import { clamp, fill, h, svg } from "./dom.js";
import { choice } from "./inputs.js";
import { boxesAlong, placeWords } from "./labels.js";
import { choosable } from "./points.js";
import { saveable } from "./save.js";
import { format, rich, say } from "./words.js";

/**
 * A model: `style` of charts.css, null for a user's; `apart`: no curve goes through it.
 * @typedef {{key: string, label: string, l0: number, cost: number, family: string, style: number | null,
 *   apart: boolean}} Model
 */

const OTHER = STYLES - 1; // the style of networks that have no dictionary
const AWAY = [26, 38, 52, 68]; // px, from a mark in a crowd to its words

/** @param {Page} page @returns {View} */
export function build(page) {
  const { sigma } = page.lab.index;
  let isNoisy = false;
  const now = h("p", { class: "now" });
  const keys = h("div", {});
  const chart = responsive(render, "frontier-chart");
  const costs = { fvu: say("frontier.clean"), noise: say("frontier.noisy", { sigma }) };
  const switch_ = choice("frontier-cost", say("frontier.cost"), costs, (kind) => {
    isNoisy = kind === "noise";
    draw();
  });
  const intro = h("div", { class: "words" });
  const figure = saveable(h("div", {}, chart.element, keys), () => (isNoisy ? "frontier-noise" : "frontier"));

  function draw() {
    const { stop } = page.state;
    const e = page.lab.evaluation(stop);
    const title = h("b", {}, h("bdi", {}, stop));
    const numbers = { effective_l0: e.effective_l0, fvu: e.fvu, dead: e.dead_fraction };
    fill(now, rich("frontier.chosen", { title, ...numbers, sigma, error: e.denoise_mse }));
    fill(keys, legendOf(models(page, isNoisy)));
    const sizes = Object.values(page.lab.index.models).map(({ config }) => config.latent_dim); // a user's too
    fill(intro, rich("frontier.intro", { latents: [...new Set(sizes)].sort((a, b) => a - b).join(", ") }));
    chart.draw();
  }

  /** @param {Model} model @returns {string[]} */
  const words = ({ key, l0, cost }) => {
    const cost_ = isNoisy ? say("frontier.error", { sigma, error: cost }) : say("frontier.lost", { fvu: cost });
    return [key, say("frontier.carried", { effective_l0: l0 }), cost_];
  };

  /** @param {number} width */
  function render(width) {
    const all = models(page, isNoisy);
    const scale = width < 520 ? 0.8 : 1;
    const yLabel = isNoisy ? say("frontier.noise_y", { sigma }) : say("charts.frontier_y");
    const plot = new Plot({
      width,
      height: clamp(Math.round(0.62 * width), 400, 540),
      x: logAxis(say("charts.frontier_x"), all.map(({ l0 }) => l0)),
      y: logAxis(yLabel, all.map(({ cost }) => cost), isNoisy ? undefined : (value) => `${format(100 * value, "g")}%`),
    });
    const shown = page.shown().map((key) => page.lab.stop(key).measured);
    const rank = (/** @type {Model} */ { key }) => (shown.includes(key) ? shown.indexOf(key) : shown.length);
    all.sort((a, b) => rank(a) - rank(b)); // who comes first has the first choice of a place for its words
    const marks = all.map((model) => {
      const isShown = rank(model) < shown.length;
      const [x, y, r] = [plot.x(model.l0), plot.y(model.cost), (isShown ? 14 : 8) * scale];
      return { x, y, r, words: isShown ? [model.key, model.label] : [model.label], weight: rank(model) ? 400 : 700 };
    });
    const frame = { left: plot.left, top: plot.top - 6, right: width, bottom: plot.bottom };
    const curves = curvesOf(all);
    const boxes = curves.flatMap((along) => boxesAlong(along.map(({ l0, cost }) => [plot.x(l0), plot.y(cost)])));
    const places = placeWords(marks, frame, [], boxes, AWAY);
    const points = marks.map(({ x, y }, i) => {
      const [model, place] = [all[i], places[i]];
      const rings = ["ringed", "ringed second"].slice(0, shown.length);
      const ring = rings[rank(model)] && svg("circle", { class: rings[rank(model)], r: 13 * scale });
      const name = place && text(place.words, rank(model) ? "" : "named", place.dx, place.dy, place.anchor);
      const leader = place?.isFar && line("leader", 0, 0, place.dx, place.dy - 4);
      const parts = [leader, ring, mark(model.style, scale), name].filter((part) => part instanceof SVGElement);
      return { key: model.key, x, y, marks: parts, name: styleOf(model), tip: words(model), isChosen: !rank(model) };
    });
    const { content, on } = choosable(points.reverse(), { width, bottom: plot.bottom }, (stop) =>
      page.set({ stop, family: page.lab.familyOf(stop) }),
    );
    const chosen = words(all[0]).join(", ");
    const key = isNoisy ? "frontier.spoken_noise" : "charts.frontier_spoken";
    const spoken = say(key, { count: all.length, sigma, chosen });
    const lines = curves.map((along) => plot.curve(along.map(({ l0, cost }) => [l0, cost]), along[0].style ?? 0));
    return plot.drawing(spoken, [lines, content], { role: "group", on });
  }

  return { element: h("div", { class: "frontier" }, intro, switch_, now, figure), draw };
}

/** Every model that was measured. @param {Page} page @param {boolean} isNoisy @returns {Model[]} */
function models(page, isNoisy) {
  const { families, sigma } = page.lab.index;
  const order = families.map(({ key }) => key);
  return page.lab.measuredStops().flatMap((stop) => {
    const family = page.lab.familyOf(stop.key) ?? "";
    const e = stop.evaluation;
    const cost = isNoisy ? e?.denoise_mse : e?.fvu;
    if (!(cost > 0 && e.effective_l0 > 0)) return [];
    const style = stop.users ? null : page.isLinear(stop.key) ? order.indexOf(family) % OTHER : OTHER;
    const label = stop.users ? stop.short : stop.label;
    const apart = stop.apart || Boolean(stop.users);
    return [{ key: stop.key, label, l0: e.effective_l0, cost, family, style, apart }];
  });
}

/** @param {Model} model */
const styleOf = ({ style }) => (style === null ? "user" : `style${style}`);

/** The models of each family that has a curve, from left to right. @param {Model[]} all */
function curvesOf(all) {
  const families = [...new Set(all.map(({ family }) => family))];
  const along = families.map((of) => all.filter(({ family, apart }) => family === of && !apart));
  return along.filter(({ length }) => length > 1).map((models) => models.sort((a, b) => a.l0 - b.l0));
}

/** @param {Model[]} all */
function legendOf(all) {
  const styles = new Map([...all].reverse().map((model) => [model.style, model]));
  const words = (/** @type {Model} */ { style, family }) =>
    say(style === null ? "families.own" : style === OTHER ? "families.lecture" : `family.${family}.title`);
  const entries = [...styles.values()].sort((a, b) => (a.style ?? STYLES) - (b.style ?? STYLES)).map((model) => ({
    mark: svg("g", { class: `point ${styleOf(model)}` }, mark(model.style, 0.9)),
    words: words(model),
  }));
  return legend(entries);
}
