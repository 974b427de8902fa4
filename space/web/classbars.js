/** How long the code of each class is: mean activation and L0 over its test images, relative to the mean of all. */

import { bar, figure, line, responsive, text } from "./chart.js";
import { h, svg } from "./dom.js";
import { widthOf, wrapped } from "./labels.js";
import { saveable } from "./save.js";
import { format, say } from "./words.js";

/** @typedef {{stop: string, values: number[]}} Bars */

const HEIGHT = 170;
const SIZE = 11; // px, of letters
const MOST = 20; // classes; of more, the bars could not be told apart

/**
 * Both charts: of the models that are shown, side by side.
 * @param {Page} page
 * @returns {{element: HTMLElement, draw: () => void}}
 */
export function byClass(page) {
  const charts = ["mean_activation", "l0"].map((metric) => {
    const values = () =>
      page.shown().flatMap((stop) => {
        const of = page.lab.evaluation(stop)?.[`${metric}_by_class`];
        return of ? [{ stop, values: of }] : [];
      });
    return responsive((width) => bars(page, metric, values(), width), "class-bars");
  });
  const isShown = page.lab.index.classes.length <= MOST;
  const figures = charts.map((chart, i) => saveable(chart.element, `${["mean-activation", "l0"][i]}-by-class`));
  const element = h("div", { class: "histograms" }, isShown && figures);
  return { element, draw: () => charts.forEach((chart) => chart.draw()) };
}

/**
 * @param {Page} page
 * @param {string} metric
 * @param {Bars[]} models one or two; the second one is an outline
 * @param {number} width
 */
function bars(page, metric, models, width) {
  const { classes } = page.lab.index;
  const title = wrapped(say(`classes.${metric}`), width - 10, 13, 650);
  const height = HEIGHT + 15 * (title.length + models.length - 2);
  const [left, right, top, base] = [34, width - 4, 15 * (title.length + models.length) + 14, height - 20];
  const means = models.map(({ values }) => Math.max(values.reduce((a, b) => a + b, 0) / values.length, 1e-12));
  const highest = Math.max(1, ...models.flatMap(({ values }, m) => values.map((value) => value / means[m])));
  const size = (right - left) / classes.length;
  const y = (/** @type {number} */ value) => base - (value / highest) * (base - top);
  const digits = metric === "l0" ? ".0f" : ".2g";
  const grid = [0, 0.5, 1].map((value) => [
    line("grid", left, y(value), right, y(value)),
    text(format(value, "g"), "tick", left - 5, y(value) + 4, "end"),
  ]);
  const heads = models.map(({ stop, values }, i) => {
    const [low, high] = [Math.min(...values), Math.max(...values)].map((value) => format(value, digits));
    const words = text(say("classes.from_to", { title: stop, low, high }), "key", 17, 0);
    return svg("g", { transform: `translate(0 ${15 * (title.length + i) + 14})` }, bar(i, 2.5, -8.5, 9, 9), words);
  });
  const labels = classes.map((name, i) => {
    const words = widthOf(name, SIZE, 700) < size - 1 ? name : String(i);
    return text(words, i === page.state.label ? "tick now" : "tick", left + (i + 0.5) * size, base + 15, "middle");
  });
  const drawn = models.map(({ values }, m) =>
    values.map((value, i) => {
      const top = y(value / means[m]);
      return bar(m, left + (i + 0.18) * size, top, 0.64 * size, base - top);
    }),
  );
  const said = models.map(({ stop, values }) => {
    const all = values.map((value, i) => `${classes[i]} ${format(value, digits)}`);
    return `${stop}: ${all.join(", ")}`;
  });
  const words = title.map((one, i) => text(one, "title", 2, 13 + 15 * i));
  const spoken = `${say(`classes.${metric}`)}. ${said.join(". ")}`;
  return figure(width, height, spoken, [words, heads, grid, drawn, labels], { class: "plot histogram-plot" });
}
