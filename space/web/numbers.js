/** What the tab See shows below the images: both histograms of the lecture, and the table of metrics. */

import { cells, h } from "./dom.js";
import { histograms } from "./histogram.js";
import { idle } from "./idle.js";
import { choice } from "./inputs.js";
import { activation, metrics } from "./measures.js";
import { noise } from "./noise.js";
import { format, say, term } from "./words.js";

/** @typedef {import("./page.js").Page} Page */

/** Both histograms of the lecture. @param {Page} page */
export function bins(page) {
  const kinds = { logarithmic: say("see.logarithmic"), equal: say("see.equal") };
  const choose = choice("bins", say("see.bins"), kinds, (kind) => page.set({ bins: kind }), page.state.bins);
  const note = h("p", { class: "muted" });
  const chart = histograms();
  const charts = h("div", { class: "charts" }, chart.element);
  /** @type {Map<string, Float64Array>} */
  let means = new Map();
  let of = "";
  return {
    element: h("div", { id: "histograms" }, choose, charts, note),
    draw() {
      const { sigma, seed, bins: kind } = page.state;
      const { several } = page.lab.index;
      note.textContent = say("see.histograms", { several, sigma });
      if (of !== `${sigma} ${seed}`) means = new Map();
      of = `${sigma} ${seed}`;
      const shown = page.shown();
      const drawn = () => {
        const models = shown.flatMap((stop) => {
          const look = page.look(stop);
          if (!look) return [];
          return [{ title: stop, activations: look.latents.map(activation), means: means.get(stop) ?? null }];
        });
        chart.draw(models, kind === "equal");
      };
      drawn();
      idle("histograms", function* () {
        for (const stop of shown) {
          const model = page.lab.model(page.lab.stop(stop).model);
          if (means.has(stop) || !model || !page.lab.pictures.images) continue;
          const random = noise(seed, several * page.lab.pictures.pixels);
          const sum = new Float64Array(model.latentDim);
          for (let i = 0; i < several; i++) {
            const clean = /** @type {Float64Array} */ (page.lab.pictures.image(i));
            const noisy = clean.map((value, p) => value + sigma * random[i * clean.length + p]);
            model.encode(noisy, page.lab.stop(stop)).forEach((z, latent) => (sum[latent] += activation(z) / several));
            yield;
          }
          means.set(stop, sum);
          drawn();
        }
      });
    },
  };
}

/** The metrics of the models shown, for the current image and for the test split. @param {Page} page */
export function metricsOf(page) {
  const { sigma } = page.state;
  const columns = page.shown().map((key) => {
    const [look, at] = [page.look(key), page.lab.stop(page.lab.stop(key).measured)];
    const split = at.key === key ? say("see.test_split") : say("see.test_split_at", { short: at.short });
    return { key, split, m: look && metrics(look, page.lab.span), e: page.lab.evaluation(key) };
  });
  const f = (/** @type {number | null | undefined} */ value, /** @type {number} */ places) =>
    value === null || value === undefined ? "" : value.toFixed(places);
  /** @type {[Node | string, (m: any) => string, (e: any) => string][]} */
  const rows = [
    [term("mse"), (m) => f(m.mse, 4), (e) => f(e.mse, 4)],
    [say("see.denoise", { sigma: page.lab.index.sigma }), () => "", (e) => f(e.denoise_mse[page.lab.index.sigma], 4)],
    [term("FVU"), () => "", (e) => format(e.fvu, ".1%")],
    [term("mean activation"), (m) => f(m.meanActivation, 3), (e) => f(e.mean_activation, 3)],
    [term("effective L0", say("see.effective_l0")), (m) => f(m.effectiveL0, 0), (e) => f(e.effective_l0, 0)],
    [term("L0"), (m) => String(m.l0), (e) => f(e.l0, 0)],
    [term("dead"), () => "", (e) => format(e.dead_fraction, ".1%")],
  ];
  const models = columns.map(({ key }) => h("th", { scope: "colgroup", colSpan: 2 }, h("bdi", {}, key)));
  const heads = columns.flatMap(({ split }) => [say("see.this_image", { sigma }), split]);
  const body = rows.map(([name, here, there]) => [
    name,
    ...columns.flatMap(({ m, e }) => [m ? here(m) : "…", e ? there(e) : ""]),
  ]);
  const [thead, tbody] = cells(["", ...heads], body);
  thead.prepend(h("tr", {}, h("td", {}), models));
  return h("table", {}, thead, tbody);
}
