/** The tab Classes: what belongs to a class, in the chosen model and in the one beside it. */

import { byClass } from "./classbars.js";
import { cells, fill, h } from "./dom.js";
import { idle } from "./idle.js";
import { atom, latentMap } from "./latentmap.js";
import * as paint from "./paint.js";
import { saveable } from "./save.js";
import { format, rich, say, term } from "./words.js";

const RANKED = 8;
const SAMPLE = 200; // the first test images, among which those of a class give its typical image

/** @param {Page} page @returns {View} */
export function build(page) {
  const pictures = allClasses(page);
  const bars = byClass(page);
  const two = h("div", { class: "two" });
  const intro = h("p", { class: "intro" }, say("classes.intro"));
  const parts = [intro, pictures.element, bars.element, saveable(two, () => `class-${page.state.label}`)];
  /** @type {ReturnType<typeof oneModel>[]} */
  let models = [];
  return {
    element: h("div", { class: "classes" }, parts),
    draw() {
      const wanted = page.shown();
      if (models.map(({ stop }) => stop).join("\n") !== wanted.join("\n")) {
        models = wanted.map((key) => models.find(({ stop }) => stop === key) ?? oneModel(page, key));
        fill(two, models.map(({ element }) => element));
      }
      // One scale for both, so that a cell means the same in both.
      const highest = Math.max(1e-6, ...wanted.map((stop) => highestMean(page, stop)));
      pictures.draw(Math.max(1e-6, highestMean(page, page.state.stop)));
      bars.draw();
      for (const model of models) model.draw(highest);
    },
    drawLater: () => models.forEach((model, i) => model.drawLater(`class ${i}`)),
  };
}

/** The highest mean activation of a latent over a class, 0 while under way. @param {Page} page @param {string} stop */
function highestMean(page, stop) {
  const means = page.lab.statistics(stop)?.means ?? [];
  return Math.max(0, ...means.map((of) => of.reduce((a, b) => Math.max(a, b), 0)));
}

/** Means on a scale of square roots, since most are small. @param {Float32Array} means @param {number} highest */
const onScale = (means, highest) => Float32Array.from(means, (mean) => Math.sqrt(mean / highest));

/** What the colours mean. @param {number} highest mean, which has the full colour */
const scaleBar = (highest) =>
  paint.colourBar(paint.ACTIVATION, "0", format(highest / 4, ".2g"), format(highest, ".2g"));

/** The maps of all classes at once; each chooses its class. @param {Page} page */
function allClasses(page) {
  const { classes } = page.lab.index;
  const maps = classes.map((name, label) => {
    const picture = paint.canvas();
    const choose = { click: () => page.set({ label }) };
    const button = h("button", { on: choose }, picture, h("bdi", {}, name));
    return { button, picture };
  });
  const title = h("p", {});
  const bar = h("div", {});
  const group = { class: "class-maps", id: "class", role: "group", "aria-label": say("controls.class") };
  const all = h("div", group, maps.map(({ button }) => button));
  all.style.setProperty("--classes", String(classes.length));
  let painted = "";
  return {
    element: saveable(h("div", {}, title, all, bar), () => `${page.state.stop}-classes`),
    /** @param {number} highest mean, which has the full colour */
    draw(highest) {
      const { stop, label } = page.state;
      const statistics = page.lab.statistics(stop);
      maps.forEach(({ button }, i) => (button.ariaPressed = String(i === label)));
      const now = `${stop} ${highest} ${Boolean(statistics)}`;
      if (now === painted) return;
      painted = now;
      fill(title, rich("classes.all", { title: h("bdi", {}, stop) }));
      fill(bar, scaleBar(highest));
      maps.forEach(({ picture, button }, i) => {
        const means = statistics?.means[i];
        button.classList.toggle("waiting", !means);
        if (means) paint.map(picture, onScale(means, highest));
      });
    },
  };
}

/**
 * One model: its map for the class, the class's typical image, and its latents ranked.
 * @param {Page} page
 * @param {string} stop
 */
function oneModel(page, stop) {
  const map = latentMap(page, stop);
  const bar = h("div", {});
  const typical = paint.canvas("…");
  const words = h("figcaption", {});
  const table = h("table", { class: "ranks" });
  let drawn = "";
  let computed = "";
  /** @type {{latent: number, without: HTMLCanvasElement, largest: HTMLCanvasElement}[]} */
  let rows = [];
  const figures = [h("figure", {}, map.element, bar), h("figure", {}, typical, words)];
  const parts = [h("h2", {}, h("bdi", {}, stop)), h("div", { class: "class-map" }, figures), table];
  const element = h("section", {}, parts);

  return {
    stop,
    element,
    /** @param {number} highest mean that has the full colour */
    draw(highest) {
      const { label } = page.state;
      page.mark(element, [stop]);
      const statistics = page.lab.statistics(stop);
      const now = `${label} ${highest} ${Boolean(page.lab.model(stop))}`;
      if (!statistics || now === drawn) return;
      drawn = now;
      computed = "";
      const { means, peak } = statistics;
      const name = page.lab.index.classes[label];
      map.draw(onScale(means[label], highest));
      const mean = () => rich("classes.mean", { name: h("bdi", {}, name) });
      const overMap = means[label].reduce((sum, one) => sum + one, 0) / peak.length;
      map.element.ariaLabel = say("latent.map", { latents: peak.length, title: stop, mean: overMap });
      fill(bar, scaleBar(highest), h("figcaption", {}, mean()));
      fill(words, rich("classes.typical", { name: h("bdi", {}, name) }));
      typical.ariaLabel = say("classes.typical_alt", { name });
      const overall = (/** @type {number} */ latent) => means.reduce((sum, of) => sum + of[latent], 0);
      const excess = peak.map((_, latent) => means[label][latent] - overall(latent) / means.length);
      const order = [...excess.keys()].sort((a, b) => excess[b] - excess[a]).slice(0, RANKED);
      rows = order.map((latent) => ({
        latent,
        without: paint.canvas(say("classes.off_alt", { name, latent })),
        largest: paint.canvas(say("classes.largest_alt", { name, latent })),
      }));
      const body = rows.map(({ latent, without, largest }, i) => {
        const share = means[label][latent] / Math.max(overall(latent), 1e-9);
        const numbers = [format(means[label][latent], ".3f"), format(share, ".0%")];
        return [i + 1, atom(page, stop, latent), without, largest, ...numbers];
      });
      const images = [say("classes.off"), say("classes.largest")];
      fill(table, cells(["", term("atom", say("classes.atom")), ...images, mean(), say("classes.share")], body));
    },

    /** Computes the images, when the page is idle. @param {string} job its name */
    drawLater(job) {
      const { index, pictures } = page.lab;
      const [model, asked] = [page.lab.model(stop), page.lab.stop(stop)];
      const peak = page.lab.statistics(stop)?.peak;
      if (!model || !peak || !pictures.images || computed === drawn) return;
      computed = drawn;
      const images = imagesOf(page, page.state.label);
      idle(job, function* () {
        const latents = new Float64Array(model.latentDim);
        for (const i of images) {
          const own = model.encode(/** @type {Float64Array} */ (pictures.image(i)), asked);
          own.forEach((z, latent) => (latents[latent] += z / images.length));
          yield;
        }
        paint.grey(typical, model.decode(latents), index.shape, index.range);
        for (const { latent, without, largest } of rows)
          for (const [picture, value] of /** @type {const} */ ([[without, 0], [largest, peak[latent]]])) {
            yield;
            const changed = latents.slice();
            changed[latent] = value;
            paint.grey(picture, model.decode(changed), index.shape, index.range);
          }
      });
    },
  };
}

/** The images of a class among the first 200, or its first one. @param {Page} page @param {number} label */
function imagesOf(page, label) {
  const found = [];
  for (let i = 0; i < page.lab.index.images.count && (i < SAMPLE || !found.length); i++)
    if (page.lab.pictures.label(i) === label) found.push(i);
  return found;
}
