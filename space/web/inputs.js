/** What moves a chart: a choice of one of a few, a slider. */

import { h } from "./dom.js";

/**
 * A choice of one of a few.
 * @param {string} id
 * @param {string} label
 * @param {Record<string, string>} options key -> words
 * @param {(key: string) => void} choose
 * @param {string} [chosen] key of the one that is chosen at the start; by default the first
 */
export function choice(id, label, options, choose, chosen = Object.keys(options)[0]) {
  const radio = (/** @type {string} */ key) =>
    h("input", { type: "radio", name: id, value: key, checked: key === chosen, on: { change: () => choose(key) } });
  const labels = Object.entries(options).map(([key, words]) => h("label", {}, radio(key), words));
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
