/** A page with made-up models, on which a test opens one part of the charts: `window.given` has its data, `show` opens it. */

import * as classes from "/space/web/classes.js";
import { errorCurve } from "/space/web/errorcurve.js";
import * as frontier from "/space/web/frontier.js";
import { histograms } from "/space/web/histogram.js";
import { idle } from "/space/web/idle.js";
import * as rates from "/space/web/rates.js";
import { setWords } from "/space/web/words.js";

const { index, words, state } = window.given;
const [SIDE, LATENTS] = [28, index.latents];

/** Latent i draws a round spot, i's own place of a grid. */
const spot = (i) => {
  const [x, y] = [3 + ((i * 7) % 22), 3 + ((i * 11) % 22)];
  return Float64Array.from({ length: SIDE * SIDE }, (_, p) => Math.exp(-(((p % SIDE) - x) ** 2 + (Math.floor(p / SIDE) - y) ** 2) / 8));
};
const atoms = Array.from({ length: LATENTS }, (_, i) => spot(i));

class FakeModel {
  latentDim = LATENTS;
  isLinear = true;
  constructor(step) {
    this.step = step;
  }
  encode(image) {
    const z = new Float64Array(LATENTS);
    for (let i = 0; i < LATENTS; i += this.step) {
      for (let p = 0; p < image.length; p++) z[i] += (image[p] * atoms[i][p]) / 20;
      z[i] = Math.max(0, z[i] - 0.1);
    }
    window.encoded = (window.encoded ?? 0) + 1;
    return z;
  }
  decode(z) {
    const out = new Float64Array(SIDE * SIDE);
    for (let i = 0; i < z.length; i++) if (z[i]) for (let p = 0; p < out.length; p++) out[p] += z[i] * atoms[i][p];
    return out.map((x) => Math.min(1, x));
  }
}

const image = (i) => {
  const label = i % 10;
  return Float64Array.from({ length: SIDE * SIDE }, (_, p) => {
    const away = Math.hypot((p % SIDE) - 14, Math.floor(p / SIDE) - 14);
    return Math.abs(away - 2 - label * 0.7) < 1.4 + 0.02 * i ? 1 : 0;
  });
};

const models = new Map(Object.keys(index.models).map((name, i) => [name, new FakeModel(1 + (i % 5) * 3)]));
const stop = (key) => index.stops[key];
const lab = {
  index, stop, looks: new Map(), models: { get: (name) => models.get(name) ?? null }, model: (name) => models.get(name) ?? null,
  family: (key) => index.families.find((family) => family.key === key),
  stops: (key) => lab.family(key).stops.map(stop),
  axis: (key) => lab.stops(key).filter(({ users, apart }) => !users && !apart),
  familyOf: (key) => index.families.find((family) => family.stops.includes(key))?.key,
  measuredStops: () => Object.values(index.stops).filter(({ evaluation }) => evaluation),
  evaluation: (key) => stop(stop(key).measured).evaluation,
  pictures: { images: true, image, label: (i) => i % 10 },
  statistics: (key) => ({ peak: new Float32Array(LATENTS).fill(1.5), means: Array.from({ length: 10 }, (_, label) => Float32Array.from({ length: LATENTS }, (_, i) => Math.max(0, Math.sin(i * (label + 1)) - 0.8) * (key === "dense" ? 1 : 0.5))) }),
};
const page = {
  state, lab, changes: [],
  card: { show: () => (window.cards = (window.cards ?? 0) + 1), leave: () => {} },
  set(changes) {
    page.changes.push(changes);
    page.state = { ...page.state, ...changes };
    page.draw();
  },
  draw() {
    page.view?.draw();
    page.view?.drawLater?.();
  },
  shown: () => (page.state.beside && page.state.beside !== page.state.stop ? [page.state.stop, page.state.beside] : [page.state.stop]),
  look(key = page.state.stop) {
    const model = models.get(stop(key).model);
    const clean = image(page.state.digit);
    const noisy = clean.map((x, p) => x + page.state.sigma * Math.sin(p * 12.9898) * 1.4);
    const seen = noisy.map((x) => Math.min(1, Math.max(0, x)));
    const latents = model.encode(noisy);
    return { stop: stop(key), clean, noisy, seen, latents, plain: null, reconstruction: model.decode(latents) };
  },
  isLinear: (key) => index.models[stop(key).model].linear,
  atom: (_key, latent) => atoms[latent],
  nameOfImage: () => "7",
  mark: () => {},
};

const own = {
  histograms: () => {
    const view = histograms(page);
    return { element: view.element, draw: () => view.draw(window.given.measured, window.given.equal) };
  },
  errorcurve: () => errorCurve(page),
};
window.page = page;
window.idle = idle;
window.show = (part, changes = {}) => {
  Object.assign(page.state, changes);
  setWords(words[page.state.lang], page.state.lang);
  page.view = own[part]?.() ?? { rates, frontier, classes }[part].build(page);
  document.querySelector("main").replaceChildren(page.view.element);
  page.draw();
};
window.ready = true;
