/** The current image with every model of the chosen method, as small pictures that choose one. */

import { fill, h } from "./dom.js";
import { idle } from "./idle.js";
import { metrics } from "./measures.js";
import * as paint from "./paint.js";
import { rich, say } from "./words.js";

/** Every labelled stop of the chosen family, for the current image. @param {Page} page */
export function thumbnails(page) {
  const row = h("div", { class: "strip" });
  const element = h("section", { id: "strip" }, h("h2", {}, rich("see.strip")), row);
  /** @type {Map<string, {button: HTMLButtonElement, picture: HTMLCanvasElement, words: HTMLElement}>} */
  const cards = new Map();
  return {
    element,
    draw: () =>
      idle("strip", function* () {
        const { stop: chosen, family } = page.state;
        const stops = page.lab.family(family).list.filter(({ label, key }) => label || key === chosen);
        for (const stop of stops) {
          if (cards.has(stop.key)) continue;
          const [picture, words] = [paint.canvas(), h("span", {}, "…")];
          const click = () => page.set({ stop: stop.key });
          const button = h("button", { on: { click } }, picture, h("b", {}, stop.short), words);
          cards.set(stop.key, { button, picture, words });
        }
        const shown = stops.flatMap(({ key }) => cards.get(key) ?? []);
        if (shown.some(({ button }, i) => row.children[i] !== button) || row.children.length !== shown.length)
          fill(row, shown.map(({ button }) => button));
        row.style.setProperty("--stops", String(stops.length));
        for (const [i, stop] of stops.entries()) {
          const { button, picture, words } = shown[i];
          button.ariaPressed = String(stop.key === page.state.stop);
          const look = page.look(stop.key);
          button.classList.toggle("waiting", !look);
          yield;
          if (!look) continue;
          const { shape, range } = page.lab.index;
          paint.grey(picture, look.reconstruction, shape, range);
          const { psnr } = metrics(look, page.lab.span);
          words.textContent = say("see.db", { psnr });
          button.ariaLabel = say("see.choose_stop", { title: stop.key, psnr });
        }
      }),
  };
}
