/** The card of a latent: what it is, and what it does in the current image; where it is open, one may change it. */

import { clamp, fill, h } from "./dom.js";
import { activation } from "./measures.js";
import * as paint from "./paint.js";
import { rich, say, term } from "./words.js";

/** @typedef {import("./page.js").Page} Page */

const TOP_IMAGES = 5;

/** The card itself; a page has one. */
export class Card {
  /** @param {Page} page */
  constructor(page) {
    this.page = page;
    this.isOpen = false; // it lets one change the latent, and stays until it is closed
    this.isWaiting = false; // part of what it shows is under way
    /** @type {{anchor: HTMLElement, stop: string, latent: number, left: () => void} | null} */
    this.about = null;
    this.heading = h("h2", {});
    this.facts = h("p", { class: "facts" });
    this.body = h("div", {});
    this.slider = h("input", { type: "range", step: "any", on: { input: () => this.set(Number(this.slider.value)) } });
    this.value = h("output", {});
    this.controls = h("div", { class: "card-controls" });
    this.hint = h("p", { class: "muted" });
    this.element = h(
      "div",
      { id: "card", class: "card", role: "dialog", "aria-live": "polite", hidden: true },
      this.heading,
      this.facts,
      this.controls,
      this.body,
      this.hint,
    );
    this.element.addEventListener("keydown", (event) => event.key === "Escape" && this.close(true));
  }

  /** Says its own words; after a change of language. */
  speak() {
    this.element.ariaLabel = say("latent.card");
    for (const said of [this.heading, this.facts, this.body, this.hint]) fill(said);
    this.slider.ariaLabel = null;
    const button = (/** @type {string} */ name, /** @type {() => void} */ click) =>
      h("button", { type: "button", class: name, on: { click } }, say(`latent.${name}`));
    fill(
      this.controls,
      h("label", { class: "set" }, `${say("latent.set")} `, this.slider, this.value),
      h(
        "div",
        { class: "buttons" },
        button("switch_off", () => this.set(0)),
        button("as_encoded", () => this.set(null)),
        button("close", () => this.close(true)),
      ),
    );
  }

  /**
   * Shows a latent.
   * @param {HTMLElement} anchor what it stands beside
   * @param {string} stop
   * @param {number} latent
   * @param {boolean} open
   * @param {() => void} [left] called when the card is about something else
   */
  show(anchor, stop, latent, open, left = () => {}) {
    if (this.about && this.about.anchor !== anchor) this.about.left();
    const isNew = this.about?.stop !== stop || this.about?.latent !== latent || open !== this.isOpen;
    this.about = { anchor, stop, latent, left };
    this.isOpen = open;
    if (isNew) this.fillBody();
    this.draw();
    this.place(anchor);
    if (open) this.slider.focus({ preventScroll: true });
  }

  /** Hides the card when the pointer or the focus leaves what it is about, unless it is open. @param {HTMLElement} anchor */
  leave(anchor) {
    if (!this.isOpen && this.about?.anchor === anchor) this.close();
  }

  close(focus = false) {
    const { anchor, left } = this.about ?? {};
    this.about = null;
    this.isOpen = false;
    this.element.hidden = true;
    if (focus) anchor?.focus({ preventScroll: true });
    left?.();
  }

  /** What does not change with the image: the atom, its classes and images. */
  fillBody() {
    const { page } = this;
    const { stop, latent } = /** @type {NonNullable<Card["about"]>} */ (this.about);
    const values = page.atom(stop, latent);
    fill(this.heading, rich("latent.title", { latent, title: stop }));
    const name = page.isLinear(stop) ? term("atom", say("latent.atom")) : say("latent.alone");
    fill(
      this.body,
      h(
        "div",
        { class: "card-body" },
        h("div", {}, values && atomFigure(page, latent, values), h("p", { class: "muted" }, name)),
        this.profile(),
      ),
      this.topImages(),
    );
    this.isWaiting = !page.lab.statistics(stop) || !page.lab.pictures.images || !values;
    this.element.classList.toggle("open", this.isOpen);
    this.controls.hidden = !this.isOpen;
    this.hint.textContent = this.isOpen ? "" : say("latent.hint");
  }

  /** Mean activation for each class, as bars. */
  profile() {
    const { page, about } = this;
    const { stop, latent } = /** @type {NonNullable<Card["about"]>} */ (about);
    const statistics = page.lab.statistics(stop);
    if (!statistics) return h("p", { class: "muted" }, say("page.under_way"));
    const means = statistics.means.map((of) => of[latent]);
    const largest = Math.max(...means, 1e-9);
    return h(
      "div",
      { class: "profile" },
      h("p", { class: "muted" }, say("latent.profile", { sample: page.lab.index.sample })),
      means.map((mean, i) =>
        h(
          "div",
          { class: "class-bar" },
          h("bdi", {}, page.lab.index.classes[i]),
          h("i", { style: `width: ${(100 * mean) / largest}%` }),
          h("span", {}, mean.toFixed(3)),
        ),
      ),
    );
  }

  topImages() {
    const { page, about } = this;
    const { stop, latent } = /** @type {NonNullable<Card["about"]>} */ (about);
    const { index, pictures } = page.lab;
    const statistics = page.lab.statistics(stop);
    if (!statistics || !pictures.images) return null;
    if (!statistics.peak[latent])
      return h("p", { class: "muted dead" }, say("latent.never", { sample: index.sample }));
    const rows = Array.from({ length: TOP_IMAGES }, (_, i) => statistics.top[latent * statistics.topCount + i]);
    const images = rows.map((i) => {
      const picture = paint.canvas(say("latent.large", { name: index.classes[pictures.label(i) ?? 0] }));
      paint.grey(picture, /** @type {Float64Array} */ (pictures.image(i)), index.shape, index.range);
      return picture;
    });
    return h("div", {}, h("div", { class: "top-images" }, images), h("p", { class: "muted" }, say("latent.top")));
  }

  /** What changes with the image: the value, its rank, its share. */
  draw() {
    if (!this.about) return;
    const { stop, latent, anchor } = this.about;
    const look = this.page.look(stop);
    this.element.hidden = false;
    if (!anchor.isConnected) return this.close();
    if (this.isWaiting && this.page.lab.statistics(stop) && this.page.lab.pictures.images) this.fillBody();
    if (!look || latent >= look.latents.length) return fill(this.facts, say("page.under_way"));
    const value = look.latents[latent];
    const encoded = (look.unedited ?? look).latents;
    const values = {
      sign: say(value === 0 ? "latent.off" : value > 0 ? "latent.on" : "latent.negative"),
      value,
      term: term("activation"),
      activation: activation(value),
      encoded: encoded[latent],
      share:
        Math.abs(encoded[latent]) /
        Math.max(
          encoded.reduce((sum, z) => sum + Math.abs(z), 0),
          1e-9,
        ),
    };
    const rank = encoded.filter((z) => Math.abs(z) > Math.abs(encoded[latent])).length + 1;
    const on = encoded.filter((z) => z !== 0).length;
    const edited = look.unedited && encoded[latent] !== value;
    fill(
      this.facts,
      rich(edited ? "latent.encoded" : "latent.share", values),
      encoded[latent] ? ` ${say("latent.rank", { rank, on })}` : "",
    );
    const peak = this.page.lab.statistics(stop)?.peak[latent] ?? 0;
    const high = Math.max(1.25 * Math.abs(peak), value, 1);
    if (document.activeElement !== this.slider || Number(this.slider.value) !== value) {
      this.slider.max = String(high);
      this.slider.min = this.page.isLinear(stop) ? "0" : String(-high);
      this.slider.value = String(value);
    }
    this.slider.ariaLabel = say("latent.set_aria", { latent });
    this.value.textContent = value.toFixed(2);
  }

  /** Sets the latent; null takes the edit back. @param {number | null} value */
  set(value) {
    if (!this.about) return;
    const { stop, latent } = this.about;
    const { [latent]: _, ...others } = this.page.state.edits[stop] ?? {};
    this.page.set({
      edits: { ...this.page.state.edits, [stop]: value === null ? others : { ...others, [latent]: value } },
    });
  }

  /**
   * Puts the card beside its anchor, where it covers neither the anchor nor the reconstruction.
   * @param {HTMLElement} anchor
   */
  place(anchor) {
    const { offsetWidth: width, offsetHeight: height } = this.element;
    const at = anchor.getBoundingClientRect();
    const watched = [
      at,
      ...[...document.querySelectorAll(".reconstruction, .given figure")].map((seen) => seen.getBoundingClientRect()),
    ];
    const covered = (/** @type {{left: number, top: number}} */ { left, top }) =>
      watched.reduce((sum, box) => {
        const across = Math.min(left + width, box.right) - Math.max(left, box.left);
        const down = Math.min(top + height, box.bottom) - Math.max(top, box.top);
        return sum + Math.max(across, 0) * Math.max(down, 0);
      }, 0);
    const inside = (/** @type {number} */ left, /** @type {number} */ top) => ({
      left: clamp(left, 6, Math.max(6, innerWidth - width - 6)),
      top: clamp(top, 6, Math.max(6, innerHeight - height - 6)),
    });
    const places = [
      inside(at.right + 12, at.top),
      inside(at.left - width - 12, at.top),
      inside(at.left, at.bottom + 10),
      inside(at.left, at.top - height - 10),
      inside(innerWidth, innerHeight),
      inside(0, innerHeight),
      inside(innerWidth, 0),
    ];
    const best = places.reduce((least, place) => (covered(place) < covered(least) ? place : least));
    this.element.style.left = `${best.left}px`;
    this.element.style.top = `${best.top}px`;
  }
}

/**
 * An atom with what its colours mean.
 * @param {Page} page
 * @param {number} latent
 * @param {ArrayLike<number>} values
 */
function atomFigure(page, latent, values) {
  const inColour = page.lab.index.shape[0] === 3 && !page.lab.index.vectors;
  const largest = paint.largestOf(values);
  const [low, high] = [Math.min(...Array.from(values)), Math.max(...Array.from(values))];
  const picture = paint.canvas(say(inColour ? "latent.atom_alt_colour" : "latent.atom_alt", { latent, low, high }));
  paint.signed(picture, values, page.lab.index.shape, largest);
  const words = [`−${largest.toPrecision(2)}`, "0", `+${largest.toPrecision(2)}`];
  return h("div", {}, picture, paint.colourBar(inColour ? paint.GREY : paint.SIGNED, ...words));
}
