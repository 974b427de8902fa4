/** What moves a chart: a choice of one of a few, a slider. */

import { h } from "./dom.js";

/**
 * A choice of one of a few.
 * @param {string} id
 * @param {string} label
 * @param {Record<string, string>} options key -> words; the first one is chosen at the start
 * @param {(key: string) => void} choose
 */
export function choice(id, label, options, choose) {
  const radio = (/** @type {string} */ key, /** @type {number} */ i) =>
    h("input", { type: "radio", name: id, value: key, checked: !i, on: { change: () => choose(key) } });
  const labels = Object.entries(options).map(([key, words], i) => h("label", {}, radio(key, i), words));
  return h("fieldset", { id, class: "choice" }, h("legend", {}, label), labels);
}

/**
 * A slider with its value beside its label.
 * @param {string} id
 * @param {string} label
 * @param {number} min
 * @param {number} max
 * @param {(value: number) => void} move
 * @param {number} [step]
 */
export function slide(id, label, min, max, move, step = 0.01) {
  const input = h("input", { type: "range", min, max, step, on: { input: () => move(Number(input.value)) } });
  const output = h("output", {});
  const show = (/** @type {number} */ value, /** @type {string} */ words) => {
    input.value = String(value);
    input.ariaValueText = output.textContent = words;
  };
  return { show, element: h("label", { id, class: "slide" }, h("span", {}, label), output, input) };
}
