/** Which stops a family's slider has, from left to right. */

/** @typedef {import("./lab.js").Stop} Stop */

/**
 * Gives a family the list of its stops; with those between the measured ones, where its slider goes through them.
 * @param {any} family
 * @param {import("./lab.js").Lab} lab
 */
export function layOut(family, lab) {
  /** @type {Stop[]} */
  const labelled = family.stops.map((/** @type {string} */ key, /** @type {number} */ i) => {
    const stop = lab.stop(key);
    const label = family.labels?.[i] ?? stop.label;
    return label === stop.label ? stop : { ...stop, label };
  });
  family.list = labelled;
  if (!family.range) return;
  const { model } = family.range;
  const measured = labelled.filter((stop) => stop.model === model);
  const others = labelled.filter((stop) => stop.model !== model);
  family.list = [...between(family.range, measured, lab.places), ...others];
}

/**
 * Every stop of a slider, the measured ones and those between, which it adds to the known places.
 * @param {any} range
 * @param {Stop[]} measured
 * @param {Map<string, Stop>} places
 * @returns {Stop[]}
 */
function between({ model, argument, values, steps }, measured, places) {
  return values.map((/** @type {number} */ value, /** @type {number} */ i) => {
    const distance = (/** @type {any} */ stop) => Math.abs(Math.log(stop.value / value));
    const near = measured.reduce((best, stop) => (distance(stop) < distance(best) ? stop : best));
    if (near.value === value) return near;
    const short = `${argument} = ${value}`;
    const own = { key: `${model}, ${short}`, label: "", short, value, steps: steps[i], evaluation: null };
    const place = { ...near, ...own, measured: near.key, [argument]: value };
    places.set(place.key, place);
    return place;
  });
}
