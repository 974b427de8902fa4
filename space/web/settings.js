/** What a training is started with: method, hyperparameter, size, noise, seed. */

import { fill, h } from "./dom.js";
import { say } from "./words.js";

/** @typedef {{kind: string, strength: string, size: number, noise: number, seed: number}} Settings */

/** What is chosen at first. @param {any} index lab.json @returns {Settings} */
export function initial({ methods, learn }) {
  const first = methods.find((/** @type {any} */ method) => method.hyperparameter);
  return { kind: first.kind, strength: middle(first.values), size: learn.size, noise: 0, seed: 0 };
}

/**
 * What is to be trained.
 * @param {any} index lab.json
 * @param {Settings} chosen what is changed here
 */
export function settings({ methods, learn }, chosen) {
  const option = (/** @type {string | number} */ value, /** @type {any} */ now, /** @type {string} */ words) =>
    h("option", { value: String(value), selected: value === now }, words);
  const kind = h(
    "select",
    { id: "train-method" },
    methods.map((/** @type {any} */ m) => option(m.kind, chosen.kind, say(`method.${m.kind}.title`))),
  );
  const strength = h("select", { id: "train-strength", on: { change: () => (chosen.strength = strength.value) } });
  const label = h("span", {});
  const offer = () => {
    const { values } = methods.find((/** @type {any} */ m) => m.kind === chosen.kind);
    label.textContent = say(`method.${chosen.kind}.label`);
    fill(
      strength,
      values.map((/** @type {string} */ value) => option(value, chosen.strength, value || "–")),
    );
    strength.disabled = values.length < 2;
  };
  kind.addEventListener("change", () => {
    chosen.kind = kind.value;
    chosen.strength = middle(methods.find((/** @type {any} */ m) => m.kind === chosen.kind).values);
    offer();
  });
  offer();
  const size = h(
    "select",
    { id: "train-size", on: { change: () => (chosen.size = Number(size.value)) } },
    learn.sizes.map((/** @type {number} */ n) => option(n, chosen.size, String(n))),
  );
  const value = h("output", {}, String(chosen.noise));
  const noise = h("input", {
    type: "range",
    id: "train-noise",
    min: "0",
    max: String(learn.noise),
    step: "0.1",
    value: String(chosen.noise),
  });
  noise.addEventListener("input", () => (value.textContent = String((chosen.noise = Number(noise.value)))));
  const seed = h("input", {
    type: "number",
    id: "train-seed",
    min: "0",
    max: "4294967295",
    step: "1",
    value: String(chosen.seed),
  });
  seed.addEventListener("change", () => {
    chosen.seed = Math.min(2 ** 32 - 1, Math.max(0, Math.round(Number(seed.value)) || 0));
    seed.value = String(chosen.seed);
  });
  const field = (/** @type {string | Node} */ words, /** @type {Node[]} */ ...inputs) =>
    h("label", {}, h("span", {}, words), inputs);
  return h(
    "div",
    { id: "train-settings", class: "box row" },
    field(say("learn.method"), kind),
    field(label, strength),
    field(say("learn.latents"), size),
    field(say("learn.noise"), noise, value),
    field(say("learn.seed"), seed),
  );
}

/** @template T @param {T[]} values @returns {T} */
const middle = (values) => values[Math.floor(values.length / 2)];
