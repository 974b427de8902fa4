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

/** @type {Record<string, string>} tabs that have another name now */
const OF_EARLIER_LINKS = { strokes: "atoms", figures: "see" };
const MOST_EDITS = 50;
const LARGEST_VALUE = 1e4; // of a latent that is set by hand; the largest that the models have is about 50

/**
 * How each property stands in the address. `read` gets the parts of a query; `write` gives what it puts there.
 * @typedef {{initial: (lab: Lab) => any, read?: (given: URLSearchParams, lab: Lab, state: State) => Partial<State>,
 *   write?: (state: State, lab: Lab) => Record<string, any> | null}} Property
 */
/** @type {{[Name in keyof State]: Property}} */
const TABLE = {
  digit: number("digit", (lab) => lab.index.opening.digit, 0, (lab) => lab.index.images.count - 1),
  draw: {
    initial: () => "",
    read(given, lab) {
      const draw = last(given, "draw");
      if (!draw) return {};
      if (lab.index.vectors) throw new Problem("errors.vectors");
      return { draw }; // digit.js checks the text when the page reads the drawing
    },
    write: ({ draw }) => (draw ? { draw } : null),
  },
  sigma: number("sigma", (lab) => lab.index.sigma, 0, () => 1),
  seed: number("seed", () => 0, 0, () => LARGEST_SEED),
  family: { initial: (lab) => lab.index.opening.family },
  stop: {
    initial: (lab) => lab.index.opening.stop,
    read(given, lab) {
      const model = last(given, "model");
      if (!model || !lab.index.models[model]) return {};
      const method = last(given, "method");
      const isFamily = method === undefined || lab.family(method);
      const stop = isFamily && nearest(given, lab, model, "", method);
      if (!stop) throw new Problem("errors.link_method", { name: model, method: (method ?? "").slice(0, 40) });
      return { stop: stop.key, family: method ?? lab.familyOf(stop.key) };
    },
    write({ stop: key, family }, lab) {
      const stop = lab.stop(key);
      const isElsewhere = lab.familyOf(key) !== family && !stop.users;
      return { ...partsOf(stop, "model", ""), ...(isElsewhere && { method: family }) };
    },
  },
  edits: {
    initial: () => ({}),
    read(given, lab, { stop }) {
      const text = last(given, "set");
      if (!text) return {};
      const pairs = text.split(/\s+/).map((pair) => {
        const [, latent, value = ""] = /^(\d{1,8}):(.+)$/.exec(pair) ?? [];
        return [Number(latent), parse(value)];
      });
      if (!pairs.every(([, value]) => Math.abs(value) <= LARGEST_VALUE))
        throw new Problem("errors.link_edits", { text: text.slice(0, 60) });
      const count = pairs.length;
      if (count > MOST_EDITS) throw new Problem("errors.too_many_edits", { most: MOST_EDITS, count });
      const model = last(given, "model");
      if (model && !lab.index.models[model]) return { edits: { [model]: Object.fromEntries(pairs) } };
      const { latent_dim: latents } = lab.index.models[lab.stop(stop).model].config;
      if (pairs.some(([latent]) => latent >= latents))
        throw new Problem("errors.latent", { title: stop, last: latents - 1 });
      return { edits: { [stop]: Object.fromEntries(pairs) } };
    },
    write({ edits, stop }) {
      const pairs = Object.entries(edits[stop] ?? {}).map(([latent, z]) => `${latent}:${Number(z.toPrecision(6))}`);
      return pairs.length ? { set: pairs.join(" ") } : null;
    },
  },
  beside: {
    initial: (lab) => lab.index.opening.beside,
    read(given, lab) {
      const model = last(given, "beside");
      if (model === "") return { beside: "" };
      const stop = model && lab.index.models[model] && nearest(given, lab, model, "beside_");
      return stop ? { beside: stop.key } : {};
    },
    write({ beside }, lab) {
      return beside === lab.index.opening.beside ? null : partsOf(lab.stop(beside), "beside", "beside_");
    },
  },
  tab: {
    initial: () => TABS[0],
    read(given) {
      const named = last(given, "tab") ?? TABS[0];
      const tab = OF_EARLIER_LINKS[named] ?? named;
      if (!TABS.includes(tab)) throw new Problem("errors.tab", { tab: tab.slice(0, 40), tabs: TABS.join(", ") });
      return { tab };
    },
    write: ({ tab }) => (tab === TABS[0] ? null : { tab }),
  },
  lang: { initial: () => "en", write: ({ lang }) => ({ lang }) },
  bins: {
    initial: () => "logarithmic",
    read: (given) => (last(given, "bins") === "equal" ? { bins: "equal" } : {}),
    write: ({ bins }) => (bins === "equal" ? { bins } : null),
  },
  label: number("label", (lab) => lab.index.opening.label, 0, (lab) => lab.index.classes.length - 1),
  reveal: number("reveal", () => 5, 0, () => MOST_REVEALED),
  target: number("target", () => 0.1, 0.01, () => 0.99),
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

/** @param {string} text @returns {number} NaN where the text is no number */
const parse = (text) => (/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : NaN);

/** The number of a part; undefined where it is left out. @param {URLSearchParams} given @param {string} name */
function numberIn(given, name) {
  const text = last(given, name);
  const value = text === undefined ? undefined : parse(text);
  if (Number.isNaN(value)) throw new Problem("errors.link_number", { name, text: text?.slice(0, 40) });
  return value;
}

/**
 * A property that is a number; a whole one, but for sigma and target. The address always holds what makes the image.
 * @param {"digit" | "sigma" | "seed" | "label" | "reveal" | "target"} name
 * @param {(lab: Lab) => number} initial
 * @param {number} low
 * @param {(lab: Lab) => number} highest
 * @returns {Property}
 */
function number(name, initial, low, highest) {
  const isWhole = !["sigma", "target"].includes(name);
  const isKept = ["digit", "sigma", "seed"].includes(name);
  return {
    initial,
    read(given, lab) {
      const [value, high] = [numberIn(given, name), highest(lab)];
      if (value === undefined) return {};
      if (value >= low && value <= high && (!isWhole || Number.isInteger(value))) return { [name]: value };
      const own = name === "digit" ? "errors.digit_index" : `errors.${name}`;
      throw new Problem(has(own) ? own : "errors.link_range", { name, low, last: high, value });
    },
    write({ [name]: value }, lab) {
      if (!isKept && value === initial(lab)) return null;
      return { [name]: isWhole ? value : Number(value.toPrecision(6)) };
    },
  };
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
  const asked = { k: numberIn(given, `${prefix}k`), beta: numberIn(given, `${prefix}beta`) };
  const distance = (/** @type {Stop} */ { argument, label, value }) => {
    const near = argument ? asked[argument] : undefined;
    return near === undefined ? Number(!label) : Math.abs(Math.log(Number(value) / Math.max(near, 1e-9)));
  };
  return own.sort((a, b) => distance(a) - distance(b)).at(0);
}

/**
 * A stop in the address, as `nearest` finds it.
 * @param {Stop | undefined} stop
 * @param {string} name
 * @param {string} prefix
 */
const partsOf = (stop, name, prefix) => ({
  [name]: stop?.model ?? "",
  ...(stop?.argument && { [`${prefix}${stop.argument}`]: stop.value }),
});
