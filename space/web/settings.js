/** What a training is started with: method, hyperparameter, size, noise, seed. */

import { clamp, fill, h } from "./dom.js";
import { slide } from "./inputs.js";
import { LARGEST_SEED } from "./noise.js";
import { say } from "./words.js";

/** @typedef {{kind: string, strength: string, size: number, noise: number, seed: number}} Settings */

/** What is chosen at first. @param {Index} index @returns {Settings} */
export function initial({ methods, learn }) {
  const [{ kind, values }] = methods.filter(({ hyperparameter }) => hyperparameter);
  return { kind, strength: middle(values), size: learn.size, noise: 0, seed: 0 };
}

/**
 * What is to be trained.
 * @param {Index} index
 * @param {Settings} chosen what is changed here
 */
export function settings({ methods, learn }, chosen) {
  /** @type {(values: (string | number)[], now: any, write?: (value: any) => string) => HTMLElement[]} */
  const options = (values, now, write = String) =>
    values.map((value) => h("option", { value: String(value), selected: value === now }, write(value)));
  const strengths = () => methods.filter(({ kind }) => kind === chosen.kind)[0].values;
  const kind = h(
    "select",
    { id: "train-method" },
    options(methods.map((method) => method.kind), chosen.kind, (name) => say(`method.${name}.title`)),
  );
  const strength = h("select", { id: "train-strength", on: { change: () => (chosen.strength = strength.value) } });
  const label = h("span", {});
  const offer = () => {
    label.textContent = say(`method.${chosen.kind}.label`);
    fill(strength, options(strengths(), chosen.strength, (value) => value || "–"));
    strength.disabled = strengths().length < 2;
  };
  kind.addEventListener("change", () => {
    chosen.kind = kind.value;
    chosen.strength = middle(strengths());
    offer();
  });
  offer();
  const size = h(
    "select",
    { id: "train-size", on: { change: () => (chosen.size = Number(size.value)) } },
    options(learn.sizes, chosen.size),
  );
  const setNoise = (/** @type {number} */ sigma) => noise.show((chosen.noise = sigma), String(sigma));
  const noise = slide("train-noise", say("learn.noise"), 0, learn.noise, setNoise, 0.1);
  setNoise(chosen.noise);
  const whole = { type: "number", min: "0", max: String(LARGEST_SEED), step: "1", value: String(chosen.seed) };
  const seed = h("input", { id: "train-seed", ...whole });
  seed.addEventListener("change", () => {
    chosen.seed = clamp(Math.round(Number(seed.value)), 0, LARGEST_SEED);
    seed.value = String(chosen.seed);
  });
  const field = (/** @type {string | Node} */ words, /** @type {Node} */ input) =>
    h("label", {}, h("span", {}, words), input);
  return h(
    "fieldset",
    { id: "train-settings", class: "box row" },
    field(say("learn.method"), kind),
    field(label, strength),
    field(say("learn.latents"), size),
    noise.element,
    field(say("learn.seed"), seed),
  );
}

/** @template T @param {T[]} values @returns {T} */
const middle = (values) => values[Math.floor(values.length / 2)];
