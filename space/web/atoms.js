/** The tab Atoms: the image built from its largest latents, one atom after the other. */

import { atomBrowser } from "./allatoms.js";
import { atom } from "./latentmap.js";
import { clamp, fill, h } from "./dom.js";
import { mse, psnr } from "./measures.js";
import { figure, summaryOf } from "./figures.js";
import { slide } from "./inputs.js";
import { order } from "./sum.js";
import { format, rich, say, term } from "./words.js";

export const MOST_REVEALED = 60; // latents that can be added one by one; the slider's last place adds all others at once
const STEP = 200; // milliseconds between two steps of Play

/** @param {Page} page @returns {View} */
export function build(page) {
  const intro = h("p", { class: "intro" });
  const slider = slide("reveal", say("atoms.reveal"), 0, MOST_REVEALED, (reveal) => page.set({ reveal }), 1);
  const play = h("button", { id: "play" }, say("atoms.play"));
  const edits = h("p", {});
  const figures = {
    given: figure("given"),
    largest: figure("main reconstruction"),
    all: figure(""),
    clean: figure(""),
  };
  const built = h("div", { class: "built" }, Object.values(figures).map((one) => one.element));
  const heading = h("h2", {});
  const atoms = h("div", { class: "atoms" });
  const all = atomBrowser(page);
  const row = h("div", { class: "reveal-row" }, slider.element, play);
  const element = h("div", {}, intro, row, edits, built, heading, atoms, all.element);

  let playing = 0;
  const stop = () => {
    clearInterval(playing);
    playing = 0;
    play.textContent = say("atoms.play");
  };
  play.addEventListener("click", () => {
    if (playing) return stop();
    if (page.state.reveal >= MOST_REVEALED) page.set({ reveal: 0 });
    play.textContent = say("atoms.pause");
    playing = setInterval(() => {
      if (!element.isConnected || page.state.reveal >= MOST_REVEALED) return stop();
      page.set({ reveal: page.state.reveal + 1 });
    }, STEP);
  });

  /** @type {Look | null} */
  let drawn = null; // the look whose atoms are there
  return {
    element,
    draw() {
      page.mark(element, [page.state.stop]);
      const look = page.look();
      const model = look && page.lab.model(look.stop.key);
      if (!look || !model) return;
      const ordered = order(look.latents);
      const { reveal } = page.state;
      const { index, span } = page.lab;
      const count = reveal >= MOST_REVEALED ? ordered.length : clamp(reveal, 0, ordered.length);
      const kept = new Float64Array(look.latents.length);
      for (const latent of ordered.slice(0, count)) kept[latent] = look.latents[latent];
      const partial = model.decode(kept);
      const total = (/** @type {Float64Array} */ latents) => latents.reduce((sum, z) => sum + Math.abs(z), 0);
      const share = total(kept) / Math.max(total(look.latents), 1e-9);
      const name = page.nameOfImage();
      const quality = (/** @type {Float64Array} */ image) => psnr(mse(image, look.clean), span);
      slider.show(reveal, reveal >= MOST_REVEALED ? say("atoms.every", { count }) : String(count));
      const noise = say("atoms.noise", { sigma: page.state.sigma });
      figures.given.draw(look.noisy, index, say("atoms.given_alt", { name }), say("atoms.given"), noise);
      const near = rich("atoms.share", { PSNR: term("PSNR"), psnr: quality(partial), share });
      figures.largest.draw(
        partial, index, say("atoms.largest_alt", { count, name }), say("atoms.largest", { count }), near,
      );
      const nearest = rich("see.psnr", { PSNR: term("PSNR"), psnr: quality(look.reconstruction) });
      const every = say("atoms.all", { count: ordered.length });
      figures.all.draw(look.reconstruction, index, say("atoms.all_alt", { name }), every, nearest);
      figures.clean.draw(look.clean, index, say("see.clean_alt", { name }), say("see.clean"), say("atoms.wanted"));
      fill(edits, look.unedited && summaryOf(page, look));
      if (drawn !== look) drawAtoms(look, ordered);
      drawn = look;
      [...atoms.children].forEach((figure_, i) => {
        figure_.classList.toggle("in", i < count);
        figure_.classList.toggle("now", i === count - 1);
      });
    },
    drawLater: () => all.draw(),
  };

  /**
   * @param {Look} look
   * @param {number[]} ordered
   */
  function drawAtoms(look, ordered) {
    const key = look.stop.key;
    const isLinear = page.isLinear(key);
    const terms = { atom: term("atom"), logits: term("logits"), dictionary: term("dictionary") };
    fill(intro, rich(isLinear ? "atoms.intro" : "atoms.intro_deep", terms));
    fill(heading, rich(isLinear ? "atoms.atoms" : "atoms.alone", { title: key }));
    const total = ordered.reduce((sum, latent) => sum + Math.abs(look.latents[latent]), 1e-9);
    const share = (/** @type {number} */ latent) => format(Math.abs(look.latents[latent]) / total, ".1%");
    const figures = ordered.slice(0, MOST_REVEALED).map((latent, i) => {
      const caption = h("figcaption", {}, h("b", {}, i + 1), " ", share(latent));
      return h("figure", {}, atom(page, key, latent), caption);
    });
    fill(atoms, figures);
  }
}
