/** What the tab See shows below the images: both histograms of the lecture, and the table of metrics. */

import { cells, h } from "./dom.js";
import { histogram } from "./histogram.js";
import { idle } from "./idle.js";
import { choice } from "./inputs.js";
import { activation, histogramOf, metrics } from "./measures.js";
import { noise } from "./noise.js";
import { saveable } from "./save.js";
import { format, say, term } from "./words.js";

/** Both histograms of the lecture, side by side. @param {Page} page */
export function bins(page) {
  const kinds = { logarithmic: say("see.logarithmic"), equal: say("see.equal") };
  const choose = choice("bins", say("see.bins"), kinds, (kind) => page.set({ bins: kind }), page.state.bins);
  const note = h("p", { class: "muted" });
  const [all, averages] = [histogram("all"), histogram("means")];
  const charts = [saveable(all.element, "activations"), saveable(averages.element, "latent-means")];
  /** @type {Map<string, Histogram>} stop -> its means under the noise of now */
  let means = new Map();
  /** @type {Map<string, Histogram | null>} stop -> its last means, shown until the next are there */
  let last = new Map();
  let of = "";

  /** @param {string[]} stops */
  function drawCharts(stops) {
    const isEqual = page.state.bins === "equal";
    const looks = stops.flatMap((name) => page.look(name) ?? []);
    const counted = (/** @type {Look} */ { latents }) => histogramOf(latents.map(activation));
    all.draw(looks.map((look) => ({ name: look.stop.key, counts: counted(look) })), isEqual);
    last = new Map(looks.map(({ stop: { key } }) => [key, means.get(key) ?? last.get(key) ?? null]));
    averages.draw([...last].map(([name, counts]) => ({ name, counts })), isEqual);
    averages.element.classList.toggle("stale", [...last.keys()].some((key) => !means.has(key)));
  }

  return {
    element: h("div", { id: "histograms" }, choose, h("div", { class: "histograms" }, charts), note),
    draw() {
      const { sigma, seed } = page.state;
      const { several } = page.lab.index;
      note.textContent = say("see.histograms", { several, sigma });
      if (of !== `${sigma} ${seed}`) means = new Map();
      of = `${sigma} ${seed}`;
      const shown = page.shown();
      drawCharts(shown);
      idle("histograms", function* () {
        for (const stop of shown) {
          const model = page.lab.model(stop);
          if (means.has(stop) || !model || !page.lab.pictures.images) continue;
          const random = noise(seed, several * page.lab.pictures.pixels);
          const sum = new Float64Array(model.latentDim);
          for (let i = 0; i < several; i++) {
            const clean = /** @type {Float64Array} */ (page.lab.pictures.image(i));
            const noisy = clean.map((value, p) => value + sigma * random[i * clean.length + p]);
            model.encode(noisy, page.lab.stop(stop)).forEach((z, latent) => (sum[latent] += activation(z) / several));
            yield;
          }
          means.set(stop, histogramOf(sum));
          drawCharts(shown);
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
    [say("see.denoise", { sigma: page.lab.index.sigma }), () => "", (e) => f(e.denoise_mse, 4)],
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
