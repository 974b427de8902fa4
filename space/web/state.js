/** The page's state: one object, one table of its properties, and the address that is written and read by that table. */

import { MOST_REVEALED } from "./atoms.js";
import { LARGEST_SEED } from "./noise.js";
import { TABS } from "./tabs.js";
import { has, Problem } from "./words.js";

/**
 * @typedef {{digit: number, draw: string, sigma: number, seed: number, family: string, stop: string,
 *   edits: Record<string, Record<string, number>>, beside: string, tab: string, lang: string, bins: string, label: number,
 *   reveal: number, target: number}} State
 */
/** @typedef {import("./lab.js").Lab} Lab */
/** @typedef {import("./lab.js").Stop} Stop */

/** @type {Record<string, string>} tabs that have another name now */
const OF_EARLIER_LINKS = { strokes: "atoms", figures: "see" };
const MOST_EDITS = 50;
const TARGET = 0.1; // the target rate at which Rates opens
const REVEAL = 5; // how many latents Atoms adds at first
const LARGEST_VALUE = 1e4; // of a latent that is set by hand; the largest that the models have is about 50

/**
 * How each property stands in the address. `read` gets the parts of a query; `write` gives what it puts there.
 * @type {{[Name in keyof State]: {
 *   initial: (lab: Lab) => any,
 *   read?: (given: URLSearchParams, lab: Lab, state: State) => Partial<State>,
 *   write?: (state: State, lab: Lab) => Record<string, string> | null,
 * }}}
 */
const TABLE = {
  digit: {
    initial: (lab) => lab.index.opening.digit,
    read: (given, lab) => number(given, "digit", 0, lab.index.images.count - 1, true),
    write: (state) => ({ digit: String(state.digit) }),
  },
  draw: { initial: () => "", read: readDrawing, write: ({ draw }) => (draw ? { draw } : null) },
  sigma: {
    initial: (lab) => lab.index.sigma,
    read: (given) => number(given, "sigma", 0, 1),
    write: (state) => ({ sigma: String(Number(state.sigma.toPrecision(6))) }),
  },
  seed: {
    initial: () => 0,
    read: (given) => number(given, "seed", 0, LARGEST_SEED, true),
    write: (state) => ({ seed: String(state.seed) }),
  },
  family: { initial: (lab) => lab.index.opening.family },
  stop: { initial: (lab) => lab.index.opening.stop, read: readStop, write: writeStop },
  edits: { initial: () => ({}), read: readEdits, write: writeEdits },
  beside: { initial: (lab) => lab.index.opening.beside, read: readBeside, write: writeBeside },
  tab: {
    initial: () => TABS[0],
    read: readTab,
    write: ({ tab }) => (tab === TABS[0] ? null : { tab }),
  },
  lang: { initial: () => "en", write: ({ lang }) => ({ lang }) },
  bins: {
    initial: () => "logarithmic",
    read: (given) => (last(given, "bins") === "equal" ? { bins: "equal" } : {}),
    write: ({ bins }) => (bins === "equal" ? { bins } : null),
  },
  label: {
    initial: (lab) => lab.index.opening.label,
    read: (given, lab) => number(given, "label", 0, lab.index.classes.length - 1, true),
    write: ({ label }, lab) => (label === lab.index.opening.label ? null : { label: String(label) }),
  },
  reveal: {
    initial: () => REVEAL,
    read: (given) => number(given, "reveal", 0, MOST_REVEALED, true),
    write: ({ reveal }) => (reveal === REVEAL ? null : { reveal: String(reveal) }),
  },
  target: {
    initial: () => TARGET,
    read: (given) => number(given, "target", 0.01, 0.99),
    write: ({ target }) => (target === TARGET ? null : { target: String(target) }),
  },
};

/** The state in which the page opens. @param {Lab} lab @param {string} lang @returns {State} */
export function opening(lab, lang) {
  const entries = Object.entries(TABLE).map(([name, { initial }]) => [name, initial(lab)]);
  return { .../** @type {State} */ (Object.fromEntries(entries)), lang };
}

/** @param {State} state @param {Lab} lab @returns {string} the query by which `restored` finds the state again */
export function query(state, lab) {
  const parts = new URLSearchParams();
  for (const { write } of Object.values(TABLE))
    for (const [key, value] of Object.entries(write?.(state, lab) ?? {})) parts.append(key, value);
  return `?${parts.toString().replaceAll("%3A", ":").replaceAll("%2F", "/").replaceAll("%40", "@")}`;
}

/**
 * The state of a query such as "?digit=12&sigma=0.3&model=l1-1", and the addresses of users' models in it that are not
 * loaded yet.
 * @param {string} text
 * @param {Lab} lab
 * @param {State} from what the query does not name
 * @returns {{state: State, missing: {stop?: string, beside?: string}}}
 * @throws {Problem} a part of the query names something that does not exist
 */
export function restored(text, lab, from) {
  const given = new URLSearchParams(text.slice(0, 20000));
  let state = from;
  for (const { read } of Object.values(TABLE)) state = { ...state, ...read?.(given, lab, state) };
  const unknown = (/** @type {string} */ name) => {
    const model = last(given, name);
    return model && !lab.index.models[model] ? model : undefined;
  };
  return { state, missing: { stop: unknown("model"), beside: unknown("beside") } };
}

/** @param {URLSearchParams} given @param {string} name @returns {string | undefined} */
const last = (given, name) => given.getAll(name).at(-1)?.trim();

/**
 * @param {URLSearchParams} given
 * @param {string} name
 * @param {number} low
 * @param {number} high
 * @param {boolean} [whole]
 * @returns {Record<string, number>}
 */
function number(given, name, low, high, whole = false) {
  const text = last(given, name);
  if (text === undefined) return {};
  const value = parse(text);
  if (value === null) throw new Problem("errors.link_number", { name, text: text.slice(0, 40) });
  if (value < low || value > high || (whole && !Number.isInteger(value))) {
    const own = name === "digit" ? "errors.digit_index" : `errors.${name}`;
    throw new Problem(has(own) ? own : "errors.link_range", { name, low, last: high, value: text.slice(0, 40) });
  }
  return { [name]: value };
}

/** @param {string} text @returns {number | null} */
const parse = (text) => (/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : null);

/** @param {URLSearchParams} given */
function readTab(given) {
  const named = last(given, "tab");
  if (named === undefined) return {};
  const tab = OF_EARLIER_LINKS[named] ?? named;
  if (!TABS.includes(tab)) throw new Problem("errors.tab", { tab: tab.slice(0, 40), tabs: TABS.join(", ") });
  return { tab };
}

/** @param {URLSearchParams} given @param {Lab} lab */
function readDrawing(given, lab) {
  const draw = last(given, "draw");
  if (!draw) return {};
  if (lab.index.vectors) throw new Problem("errors.vectors");
  return { draw }; // digit.js checks the text when the page reads the drawing
}

/**
 * The stop of a model that is nearest to a k or a beta of the query.
 * @param {URLSearchParams} given
 * @param {Lab} lab
 * @param {string} model
 * @param {string} prefix of the names k and beta
 * @param {string} [family]
 */
function nearest(given, lab, model, prefix, family) {
  const families = family ? [lab.family(family)] : lab.index.families;
  const own = families.flatMap(({ list }) => list).filter((stop) => stop.model === model);
  const asked = {
    ...number(given, `${prefix}k`, -Infinity, Infinity),
    ...number(given, `${prefix}beta`, -Infinity, Infinity),
  };
  const distance = (/** @type {Stop} */ { argument, label, value }) => {
    const near = asked[`${prefix}${argument}`];
    return near === undefined ? Number(!label) : Math.abs(Math.log(Number(value) / Math.max(near, 1e-9)));
  };
  return own.sort((a, b) => distance(a) - distance(b)).at(0);
}

/** @param {URLSearchParams} given @param {Lab} lab */
function readStop(given, lab) {
  const model = last(given, "model");
  if (!model || !lab.index.models[model]) return {};
  const method = last(given, "method");
  const problem = new Problem("errors.link_method", { name: model, method: (method ?? "").slice(0, 40) });
  if (method !== undefined && !lab.family(method)) throw problem;
  const stop = nearest(given, lab, model, "", method);
  if (!stop) throw problem;
  return { stop: stop.key, family: method ?? lab.familyOf(stop.key) };
}

/** @param {State} state @param {Lab} lab */
function writeStop(state, lab) {
  const stop = lab.stop(state.stop);
  /** @type {Record<string, string>} */
  const parts = { model: stop.model };
  if (stop.argument) parts[stop.argument] = String(stop.value);
  if (lab.familyOf(state.stop) !== state.family && !stop.users) parts.method = state.family;
  return parts;
}

/** @param {URLSearchParams} given @param {Lab} lab @returns {Partial<State>} */
function readBeside(given, lab) {
  const model = last(given, "beside");
  if (model === undefined) return {};
  if (!model) return { beside: "" };
  const stop = lab.index.models[model] && nearest(given, lab, model, "beside_");
  return stop ? { beside: stop.key } : {};
}

/** @param {State} state @param {Lab} lab */
function writeBeside(state, lab) {
  if (state.beside === lab.index.opening.beside) return {};
  const stop = lab.stop(state.beside);
  /** @type {Record<string, string>} */
  const parts = { beside: stop?.model ?? "" };
  if (stop?.argument) parts[`beside_${stop.argument}`] = String(stop.value);
  return parts;
}

/** @param {URLSearchParams} given @param {Lab} lab @param {State} state @returns {Partial<State>} */
function readEdits(given, lab, state) {
  const text = last(given, "set");
  if (!text) return {};
  const pairs = text.split(/\s+/).map((pair) => pair.split(":"));
  const isPair = (/** @type {string[]} */ [latent, value = "", ...rest]) =>
    /^\d{1,8}$/.test(latent) && !rest.length && parse(value) !== null && Math.abs(Number(value)) <= LARGEST_VALUE;
  if (!pairs.every(isPair)) throw new Problem("errors.link_edits", { text: text.slice(0, 60) });
  if (pairs.length > MOST_EDITS) throw new Problem("errors.too_many_edits", { most: MOST_EDITS, count: pairs.length });
  const model = last(given, "model") ?? "";
  const known = !model || lab.index.models[model];
  const { latent_dim: latents } = lab.index.models[lab.stop(state.stop).model].config;
  if (known && pairs.some(([latent]) => Number(latent) >= latents))
    throw new Problem("errors.latent", { title: state.stop, last: latents - 1 });
  return {
    edits: {
      [known ? state.stop : model]: Object.fromEntries(pairs.map(([latent, value]) => [Number(latent), Number(value)])),
    },
  };
}

/** @param {State} state */
function writeEdits(state) {
  const own = Object.entries(state.edits[state.stop] ?? {});
  const short = (/** @type {number} */ value) => String(Number(value.toPrecision(6)));
  return own.length === 0 ? null : { set: own.map(([latent, value]) => `${latent}:${short(value)}`).join(" ") };
}
