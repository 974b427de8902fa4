/** All atoms of a model as pictures: sorted by their value in this image, by use, or by class; dead ones are marked. */

import { fill, h } from "./dom.js";
import { idle } from "./idle.js";
import { atom } from "./latentmap.js";
import { format, rich, say } from "./words.js";

const AT_ONCE = 120;

/** @param {Page} page @returns {View} */
export function atomBrowser(page) {
  const sort = h("select", { id: "atoms-by", on: { change: () => start() } });
  const more = h("button", { on: { click: () => ((count += AT_ONCE), draw()) } }, say("atoms.more"));
  const grid = h("div", { class: "atoms all" });
  const title = h("h2", {}, say("atoms.browser"));
  const head = h("p", { class: "muted" });
  let count = AT_ONCE;
  let drawn = ""; // which atoms are there, in which order
  const options = ["value", "use", "least"].map((by) => h("option", { value: by }, say(`atoms.by_${by}`)));
  const classes = page.lab.index.classes.map((name, i) =>
    h("option", { value: String(i) }, say("atoms.by_class", { name })),
  );
  fill(sort, options, classes.length > 1 && classes);

  const start = () => {
    count = AT_ONCE;
    draw();
  };
  /** What the atoms are sorted by: a number for each latent. @returns {ArrayLike<number> | null} */
  const keys = () => {
    const statistics = page.lab.statistics(page.state.stop);
    if (sort.value === "value") return page.look()?.latents.map(Math.abs) ?? null;
    if (sort.value === "least")
      return statistics && statistics.frequency.map((share, i) => -share - statistics.alive[i]);
    return statistics && (sort.value === "use" ? statistics.frequency : statistics.means[Number(sort.value)]);
  };
  const draw = () =>
    idle("atoms", function* () {
      const [by, statistics] = [keys(), page.lab.statistics(page.state.stop)];
      const { stop } = page.state;
      if (!by || !statistics || !page.lab.model(stop)) return;
      const order = [...Array(by.length).keys()].sort((a, b) => by[b] - by[a] || a - b).slice(0, count);
      const name = `${stop} ${order.join()}`;
      if (name === drawn) return;
      const numbers = {
        latents: by.length,
        dead: statistics.alive.filter((alive) => !alive).length,
        never: statistics.frequency.filter((share) => !share).length,
        sample: page.lab.index.sample,
        share: page.lab.evaluation(stop).dead_fraction,
      };
      const isLinear = page.isLinear(stop);
      title.textContent = say(isLinear ? "atoms.browser" : "atoms.browser_deep");
      fill(head, rich(isLinear ? "atoms.all_intro" : "atoms.all_intro_deep", { title: stop, ...numbers }));
      const tiles = [];
      for (const [i, latent] of order.entries()) {
        const isDead = !statistics.alive[latent];
        const words = isDead
          ? say(statistics.frequency[latent] ? "atoms.dead" : "atoms.never")
          : format(statistics.frequency[latent], ".1%");
        tiles.push(
          h("figure", { class: isDead ? "in dead" : "in" }, atom(page, stop, latent), h("figcaption", {}, words)),
        );
        if (i % 10 === 9) yield;
      }
      fill(grid, tiles);
      drawn = name; // not before: a new task drops the rest of this one
      more.hidden = count >= by.length;
    });
  const label = h("label", { class: "row" }, say("atoms.sort"), " ", sort);
  return {
    element: h("section", { id: "all-atoms" }, title, label, head, grid, more),
    draw,
  };
}
