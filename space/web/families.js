/** Which stops a family's slider has, from left to right. */

/**
 * Gives a family the list of its stops; with those between the measured ones, where its slider goes through them.
 * @param {Family} family
 * @param {Lab} lab
 */
export function layOut(family, lab) {
  const labelled = family.stops.map((key, i) => {
    const stop = lab.stop(key);
    return { ...stop, label: family.labels?.[i] ?? stop.label };
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
 * @param {NonNullable<Family["range"]>} range
 * @param {Stop[]} measured
 * @param {Map<string, Stop>} places
 * @returns {Stop[]}
 */
function between({ model, argument, values, steps }, measured, places) {
  return values.map((value, i) => {
    const distance = (/** @type {Stop} */ stop) => Math.abs(Math.log(Number(stop.value) / value));
    const near = measured.reduce((best, stop) => (distance(stop) < distance(best) ? stop : best));
    if (near.value === value) return near;
    const short = `${argument} = ${value}`;
    const own = { key: `${model}, ${short}`, label: "", short, value, steps: steps[i], evaluation: null };
    const place = { ...near, ...own, measured: near.key, [argument]: value };
    places.set(place.key, place);
    return place;
  });
}
