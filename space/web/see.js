/** The tab See: the image, its noise, and for each of two models its latents, its reconstruction and the sum of atoms
 * that makes it; then every model of the method, both histograms and the metrics. */

import { fill, h } from "./dom.js";
import { figure, lossOf, summaryOf } from "./figures.js";
import { takeHome } from "./home.js";
import { latentMap } from "./latentmap.js";
import { activation, metrics } from "./measures.js";
import { bins, metricsOf } from "./numbers.js";
import * as paint from "./paint.js";
import { thumbnails } from "./strip.js";
import { sum } from "./sum.js";
import { rich, say, term } from "./words.js";

/** @param {Page} page */
export function build(page) {
  const given = givenImages(page);
  const models = h("div", { class: "models" });
  const loss = h("p", { class: "loss" });
  const sums = h("section", { id: "sum" }, given.element, models, loss);
  const summary = h("p", { id: "summary", role: "status" });
  const strip = thumbnails(page);
  const bars = bins(page);
  const table = h("div", { id: "metrics" });
  const numbers = h("section", { id: "numbers" }, bars.element, table);
  const home = takeHome(page);
  const element = h("div", {}, sums, summary, strip.element, numbers, home.element);
  /** @type {ReturnType<typeof modelRow>[]} */
  let rows = [];
  let pending = 0;

  return {
    element,
    draw() {
      const wanted = page.shown();
      if (rows.map((row) => row.stop).join("\n") !== wanted.join("\n")) {
        // While weights are under way the old model stays, under its own name.
        rows = wanted.map((stop, i) => {
          const same = rows.find((row) => row.stop === stop && row.first === !i);
          return same ?? (rows[i] && !page.lab.canLook(page.state, stop) ? rows[i] : modelRow(page, stop, !i));
        });
        fill(models, ...rows.map((row) => row.element));
      }
      given.draw();
      // The chosen model first; what another one makes of a new image is there a frame later.
      const others = rows.filter((row) => !row.first && !page.lab.isKept(page.state, row.stop));
      rows.filter((row) => !others.includes(row)).forEach((row) => row.draw());
      cancelAnimationFrame(pending);
      if (others.length) pending = requestAnimationFrame(() => setTimeout(() => others.forEach((row) => row.draw())));
      const look = page.look();
      if (look) measureMark(look.atoms ? "first image" : "live image");
      fill(summary, look ? summaryOf(page, look) : null);
      page.mark(sums, wanted);
    },
    drawLater() {
      const look = page.look();
      fill(loss, look && lossOf(page, look));
      fill(table, metricsOf(page));
      strip.draw();
      bars.draw();
      home.draw();
    },
  };
}

/** Marks when something was drawn for the first time; what measures the page reads that. @param {string} name */
const measureMark = (name) => performance.getEntriesByName(name).length || performance.mark(name);

/** The clean and the noisy image. @param {Page} page */
function givenImages(page) {
  const [clean, noisy] = [figure("clean"), figure("noisy")];
  const arrow = h("div", { class: "arrow", "aria-hidden": "true" }, "↓");
  return {
    element: h("div", { class: "given" }, clean.element, arrow, noisy.element),
    draw() {
      // The chosen model's first: what the other one makes of it is computed when this one's is drawn.
      const look = page.look() ?? page.shown().map((stop) => page.look(stop)).find(Boolean);
      if (!look) return;
      const { index, span } = page.lab;
      const { sigma, draw } = page.state;
      const name = page.nameOfImage();
      const { noiseMse: mse, noisePsnr: psnr } = metrics(look, span);
      const from = draw ? say("see.drawn") : say("see.from_test", { name });
      clean.draw(look.clean, index, say("see.clean_alt", { name }), say("see.clean"), from);
      const error = sigma > 0 ? rich("see.noise_error", { mse, PSNR: term("PSNR"), psnr }) : say("see.no_noise");
      noisy.draw(look.noisy, index, say("see.noisy_alt", { name, sigma }), say("see.with_noise", { sigma }), error);
    },
  };
}

/**
 * One model: its latents, its reconstruction, and the sum.
 * @param {Page} page
 * @param {string} stop
 * @param {boolean} first
 */
function modelRow(page, stop, first) {
  const hasNoPenalty = page.lab.stop(stop).method === "none";
  const title = h("h2", {});
  const map = latentMap(page, stop, first ? { id: "latents" } : {});
  const reconstruction = figure("reconstruction");
  if (first) reconstruction.element.id = "reconstruction";
  const atoms = sum(page, stop);
  const scale = h("figcaption", {}, paint.colourBar(paint.ACTIVATION, say("see.off"), say("see.on")));
  const latents = h("figure", { class: "map" }, map.element, scale);
  const arrow = h("div", { class: "arrow", "aria-hidden": "true" }, "→");
  const steps = h("div", { class: "steps" }, latents, arrow, reconstruction.element);
  return {
    stop,
    first,
    element: h("section", { class: first ? "model" : "model second" }, title, steps, atoms.element),
    draw() {
      const look = page.look(stop);
      if (!look) return; // the old picture stays
      const { index, span } = page.lab;
      const m = metrics(look, span);
      const numbers = { effective_l0: m.effectiveL0, latents: look.latents.length, term: term("effective L0") };
      const penalty = hasNoPenalty && [say("see.without_penalty"), " "];
      const words = h("span", { class: "muted" }, penalty, rich("see.carried", numbers));
      fill(title, h("bdi", {}, stop), " ", words);
      map.draw(look.latents.map(activation), page.state.edits[stop]);
      const error = rich("see.error", { mse: m.mse, PSNR: term("PSNR"), psnr: m.psnr });
      const head = say(look.unedited ? "see.edited" : "see.reconstruction");
      const alt = say("see.reconstruction_alt", { name: page.nameOfImage() });
      reconstruction.draw(look.reconstruction, index, alt, head, error);
      atoms.draw(look);
    },
  };
}
