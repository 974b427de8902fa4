/** The card of a latent: what it is, and what it does in the current image; where it is open, one may change it. */

import { fill, h } from "./dom.js";
import { cardBody } from "./cardbody.js";
import { activation } from "./measures.js";
import { positionBeside } from "./cardposition.js";
import { rich, say, term } from "./words.js";

/** The card itself; a page has one, in the language of now. */
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
    const button = (/** @type {string} */ name, /** @type {() => void} */ click) =>
      h("button", { class: name, on: { click } }, say(`latent.${name}`));
    const buttons = [
      button("switch_off", () => this.set(0)),
      button("as_encoded", () => this.set(null)),
      button("close", () => this.close(true)),
    ];
    const set = h("label", { class: "set" }, `${say("latent.set")} `, this.slider, this.value);
    this.controls = h("div", { class: "card-controls" }, set, h("div", { class: "buttons" }, buttons));
    this.hint = h("p", { class: "muted" });
    const parts = [this.heading, this.facts, this.controls, this.body, this.hint];
    const spoken = { role: "dialog", "aria-label": say("latent.card"), "aria-live": "polite" };
    this.element = h("div", { id: "card", hidden: true, ...spoken }, parts);
    this.element.addEventListener("keydown", (event) => this.press(event));
  }

  /** Escape closes the card; Tab stays in it, from its last control to the first. @param {KeyboardEvent} event */
  press(event) {
    if (event.key === "Escape") this.close(true);
    if (event.key !== "Tab") return;
    const controls = /** @type {NodeListOf<HTMLElement>} */ (this.element.querySelectorAll("button, input"));
    const ends = [controls[controls.length - 1], controls[0]];
    const [from, to] = event.shiftKey ? ends.reverse() : ends;
    if (document.activeElement !== from) return;
    event.preventDefault();
    to.focus();
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
    positionBeside(this.element, anchor);
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
    fill(this.heading, rich("latent.title", { latent, title: stop }));
    const { parts, isWhole } = cardBody(page, stop, latent);
    fill(this.body, parts);
    this.isWaiting = !isWhole;
    this.element.classList.toggle("open", this.isOpen);
    this.controls.hidden = !this.isOpen;
    this.hint.textContent = this.isOpen ? "" : say("latent.hint");
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
    const sum = encoded.reduce((total, z) => total + Math.abs(z), 0);
    const values = {
      sign: say(value === 0 ? "latent.off" : value > 0 ? "latent.on" : "latent.negative"),
      value,
      term: term("activation"),
      activation: activation(value),
      encoded: encoded[latent],
      share: Math.abs(encoded[latent]) / Math.max(sum, 1e-9),
    };
    const rank = encoded.filter((z) => Math.abs(z) > Math.abs(encoded[latent])).length + 1;
    const on = encoded.filter((z) => z !== 0).length;
    const edited = look.unedited && encoded[latent] !== value;
    fill(
      this.facts,
      rich(edited ? "latent.encoded" : "latent.share", values),
      encoded[latent] && !edited ? ` ${say("latent.rank", { rank, on })}` : "",
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
}
