/** The page: its state, what it shows, and when it draws. */

import { addressOf, REST } from "./address.js";
import { card } from "./card.js";
import * as controls from "./controls.js";
import { fill, h } from "./dom.js";
import { json } from "./files.js";
import * as head from "./head.js";
import * as lessons from "./lessonbox.js";
import { opening, query, restored } from "./state.js";
import * as tabs from "./tabs.js";
import { lang, Problem, rich, say, setWords } from "./words.js";

/**
 * What the page's host gives; `ask` is null without a server.
 * @typedef {{languages: {code: string, name: string}[], opening: any,
 *   ask: ((name: string, data: any) => void) | null}} Host
 */
/**
 * A part of the page. `draw` runs on every move, `drawLater` when the hand rests.
 * @typedef {{element: HTMLElement, draw: () => void, drawLater?: () => void}} View
 */

export class Page {
  /**
   * @param {HTMLElement} element
   * @param {Host} host
   * @param {Lab} lab
   * @param {State} state
   */
  constructor(element, host, lab, state) {
    this.element = element;
    element.classList.add("bench");
    this.host = host;
    this.lab = lab;
    this.state = state;
    this.answers = new EventTarget();
    this.card = card(this);
    this.alert = h("div", { id: "trouble", role: "alert" });
    /** @type {View[]} */
    this.views = [];
    /** @type {{key: string, values: any} | null} */
    this.trouble = null;
    this.takeFile = (/** @type {File} */ _file) => {}; // puts it onto the canvas of now
    this.besideLater = ""; // the name of a user's model that is to stand beside the chosen one when it is here
    this.turn = 0; // counts drawings and links: one that is read late must not replace a newer one
    this.address = addressOf(() => query(this.state, lab));
    this.resting = 0; // the timer that runs until `drawLater` is called; 0 where there is none
    this.arrival = 0; // the frame in which fetched data will be drawn; 0 where none is asked for
    lab.onArrival = () => {
      this.arrival ||= requestAnimationFrame(() => {
        this.arrival = 0;
        this.draw();
      });
    };
  }

  /** Lays the page out, in the language of the state. */
  build() {
    this.card.close();
    this.card = card(this);
    const [side, main, box] = [controls.build(this), tabs.build(this), lessons.build(this)];
    this.views = [side, main, box];
    const columns = h("div", { id: "page" }, side.element, main.element);
    fill(this.element, head.build(this), box.element, this.alert, columns, this.card.element);
    document.title = say("page.title");
    this.draw();
  }

  /** Changes the state, the address, and what is drawn; `draw` has been read before. @param {Partial<State>} changes */
  set(changes) {
    const speaks = this.state.lang;
    if ("draw" in changes) this.turn++;
    this.state = { ...this.state, ...changes };
    this.trouble = null;
    // While the page opens, the whole bandwidth goes to the model that is chosen now.
    const { weights } = this.lab.models;
    if (weights.only) weights.only = this.lab.stop(this.state.stop).model;
    this.address.write();
    clearTimeout(this.resting); // `drawLater` waits until the hand rests, however many files arrive
    this.resting = 0;
    if (this.state.lang !== speaks) this.speak();
    else this.draw();
  }

  /**
   * Sets a latent of a stop; null takes the edit back.
   * @param {string} stop
   * @param {number} latent
   * @param {number | null} value
   */
  edit(stop, latent, value) {
    const { [latent]: _, ...others } = this.state.edits[stop] ?? {};
    const own = value === null ? others : { ...others, [latent]: value };
    this.set({ edits: { ...this.state.edits, [stop]: own } });
  }

  /** Draws everything that the state changes: `draw` of each view now, `drawLater` when the hand rests. */
  draw() {
    for (const view of this.views) view.draw();
    this.card.draw();
    fill(this.alert, this.trouble && h("p", {}, rich(this.trouble.key, this.trouble.values)));
    this.resting ||= setTimeout(() => {
      this.resting = 0;
      this.views.forEach((view) => view.drawLater?.());
    }, REST);
  }

  /** Takes in the state of an address. @param {string} text */
  async restore(text) {
    const first = opening(this.lab, this.state.lang);
    const turn = ++this.turn;
    this.address.hold();
    this.trouble = null;
    try {
      const { state, missing } = restored(text, this.lab, first);
      if (state.draw) await this.lab.pictures.readDrawing(state.draw);
      if (turn !== this.turn) return;
      this.state = state;
      this.load(missing);
    } catch (error) {
      this.state = first;
      const { key, values } = /** @type {import("./words.js").Problem} */ (error);
      if (!key) throw error;
      this.trouble = { key, values };
    }
  }

  /** Asks for users' models that a link names. @param {{stop?: string, beside?: string}} missing */
  load({ stop, beside }) {
    const name = stop ?? beside;
    const names = Object.keys(this.lab.index.models).join(", ");
    if (name && !this.host.ask) throw new Problem("errors.variant", { name: name.slice(0, 80), names });
    this.besideLater = beside ?? "";
    for (const address of new Set([stop, beside])) if (address) this.ask("load", { address });
  }

  /** Redraws everything in the language of the state. */
  async speak() {
    const code = this.state.lang;
    const words = await json(`words/${code}.json`).catch(() => null);
    if (code !== this.state.lang) return;
    if (words) {
      setWords(words, code);
      return this.build();
    }
    this.state.lang = lang(); // the page goes on in the language that it has
    this.trouble = { key: "page.no_server", values: {} };
    this.address.write();
    this.draw();
  }

  /**
   * Asks the server for something; its answers come as events of `answers`.
   * @param {string} name
   * @param {any} [data]
   */
  ask(name, data = {}) {
    if (this.host.ask) this.host.ask(name, data);
    else this.answers.dispatchEvent(new CustomEvent(name, { detail: { key: "page.no_server" } }));
  }

  /** The stops that are shown side by side: the chosen one, and the pinned one where it is another. */
  shown() {
    const { stop, beside } = this.state;
    return beside && beside !== stop ? [stop, beside] : [stop];
  }

  /**
   * What a stop's model makes of the current image; null while its weights are under way.
   * @param {string} [key]
   * @param {boolean} [withEdits]
   * @returns {Look | null}
   */
  look(key = this.state.stop, withEdits = true) {
    const look = this.lab.look(this.state, key);
    return look && withEdits ? this.lab.edited(look, this.state.edits[key] ?? {}) : look;
  }

  /** Whether a stop's decoder is one linear dictionary. @param {string} key @returns {boolean} */
  isLinear(key) {
    return this.lab.index.models[this.lab.stop(key).model].linear;
  }

  /**
   * The atom of a latent; in a network that is not linear, what the latent at its peak adds when all others are off. Null
   * while the weights are under way.
   * @param {string} key
   * @param {number} latent
   * @returns {ArrayLike<number> | null}
   */
  atom(key, latent) {
    const model = this.lab.model(key);
    if (!model) return this.lab.looks.get(key)?.atoms?.get(latent) ?? null;
    return model.alone(latent, model.isLinear ? 1 : this.lab.statistics(key)?.peak[latent] || 1);
  }

  /** The bias of a model in logits. @param {Look} look @returns {ArrayLike<number> | null} */
  bias(look) {
    return this.lab.model(look.stop.key)?.bias() ?? look.bias ?? null;
  }

  /** What the image is called. */
  nameOfImage() {
    const { classes } = this.lab.index;
    const { draw, digit, label } = this.state;
    if (draw) return say("see.drawing");
    return classes.length > 1 ? classes[this.lab.pictures.label(digit) ?? label] : say("see.image");
  }

  /**
   * Marks an element that still shows another model, because weights are under way.
   * @param {HTMLElement} element
   * @param {string[]} stops that it is to show
   */
  mark(element, stops) {
    const missing = stops.find((stop) => !this.lab.canLook(this.state, stop));
    element.classList.toggle("waiting", missing !== undefined);
    if (missing === undefined) return element.removeAttribute("data-waiting");
    const { model } = this.lab.stop(missing);
    const { weights, parts } = this.lab.models;
    const key = weights.failed.has(model) ? "page.not_fetched" : "page.fetching";
    element.dataset.waiting = say(key, { title: missing, part: parts.get(model) ?? 0 });
  }
}
