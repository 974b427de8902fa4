/** What the page says, in the visitor's language: whole templates by key, with values put in as Python's `str.format`
 * does. */

import { h } from "./dom.js";

/** @type {Record<string, string>} key -> template */
let catalogue = {};
let language = "en";

/**
 * @param {Record<string, string>} words key -> template
 * @param {string} code of the language
 */
export function setWords(words, code) {
  catalogue = words;
  language = code;
  document.documentElement.lang = code;
}

/** Something that the page cannot show, such as a part of a link; `say(error.key, error.values)` says what is wrong. */
export class Problem extends Error {
  /** @param {string} key @param {Record<string, any>} [values] */
  constructor(key, values = {}) {
    super(key);
    this.key = key;
    this.values = values;
  }
}

/** The code of the language. */
export const lang = () => language;

/** @param {string} key */
export const has = (key) => key in catalogue;

/**
 * A template with its values put in, as text.
 * @param {string} key
 * @param {Record<string, any>} [values]
 * @returns {string}
 */
export function say(key, values = {}) {
  return filled(key, values, format);
}

/**
 * The same as nodes of the page: the template's own HTML is kept, values are text or nodes.
 * @param {string} key
 * @param {Record<string, any>} [values]
 * @returns {DocumentFragment}
 */
export function rich(key, values = {}) {
  /** @type {Node[]} */
  const inserted = [];
  const html = filled(key, values, (value, spec) => {
    inserted.push(value instanceof Node ? value : document.createTextNode(format(value, spec)));
    return "<slot></slot>";
  });
  const made = document.createElement("template");
  made.innerHTML = html.replace(/\*\*(.+?)\*\*/gs, "<b>$1</b>").replace(/(?<![\w*])\*(\S.*?)\*(?!\w)/gs, "<em>$1</em>");
  made.content.querySelectorAll("slot").forEach((slot, i) => slot.replaceWith(inserted[i]));
  return made.content;
}

/**
 * A term of the field as a button that explains it; `explainTerms` in tips.js shows the explanation.
 * @param {string} name as in the catalogue's `terms`
 * @param {string} [words] what stands there in place of the name
 * @returns {HTMLButtonElement}
 */
export function term(name, words = say(`terms.${name}.name`)) {
  const tip = say(`terms.${name}.tip`);
  return h("button", { class: "term", data: { tip }, "aria-label": `${words}: ${tip}` }, words);
}

const FIELD = /\{\{|\}\}|\{([\w[\].-]+)(?:!\w)?(?::([^}]*))?\}/g;

/**
 * A template with something put in for each value.
 * @param {string} key
 * @param {Record<string, any>} values
 * @param {(value: any, spec: string) => string} put
 * @returns {string}
 */
function filled(key, values, put) {
  if (!has(key)) throw new Error(`There are no words for ${key}.`);
  return catalogue[key].replace(FIELD, (/** @type {string[]} */ ...[field, path, spec]) =>
    path ? put(find(values, path, key), spec) : field[0],
  );
}

/**
 * @param {Record<string, any>} values
 * @param {string} path such as "test[l1-0.1].mse"
 * @param {string} key
 */
function find(values, path, key) {
  const [name = "", ...rest] = path.match(/(?<=\[)[^\]]+|[^[\].]+/g) ?? [];
  if (!(name in values)) throw new Error(`The words ${key} need a value for ${name}.`);
  return rest.reduce((value, part) => value?.[part], values[name]);
}

/**
 * A value as Python formats it, for the specifications that the catalogues use; but "g" writes fewer exponents.
 * @param {any} value
 * @param {string} [spec] "", "d", ",", ".3f", ",.0f", ".1%", "g", ".2g"
 * @returns {string}
 */
export function format(value, spec = "") {
  if (typeof value !== "number") return String(value);
  const [, comma, digits, kind] = /^(,?)(?:\.(\d+))?([dfg%]?)$/.exec(spec) ?? [];
  if (kind === undefined) throw new Error(`Unknown format: ${spec}`);
  if (kind === "g") return String(Number(value.toPrecision(Number(digits ?? 6))));
  const places = digits === undefined ? (kind === "f" ? 6 : 0) : Number(digits);
  if (kind === "%") return `${(100 * value).toFixed(places)}%`;
  const words = kind === "f" ? value.toFixed(places) : String(value);
  return comma ? words.replace(/\B(?<!\.\d*)(?=(\d{3})+(?!\d))/g, ",") : words;
}

