/** The card of a latent: what it is, and what it does in the current image; where it is open, one may change it. */

import { clamp, fill, h } from "./dom.js";
import { cardBody } from "./cardbody.js";
import { activation } from "./measures.js";
import { rich, say, term } from "./words.js";

/**
 * What a card is about: beside which element it stands; `left` is called when the card is about something else.
 * @typedef {{anchor: HTMLElement, stop: string, latent: number, left: () => void}} About
 */

/** The card itself; a page has one, in the language of now. @param {Page} page */
export function card(page) {
  let isOpen = false; // it lets one change the latent, and stays until it is closed
  let isWaiting = false; // part of what it shows is under way
  /** @type {About | null} */
  let about = null;
  const heading = h("h2", {});
  const facts = h("p", { class: "facts" });
  const body = h("div", {});
  const slider = h("input", { type: "range", step: "any", on: { input: () => set(Number(slider.value)) } });
  const output = h("output", {});
  const button = (/** @type {string} */ name, /** @type {() => void} */ click) =>
    h("button", { class: name, on: { click } }, say(`latent.${name}`));
  const buttons = [
    button("switch_off", () => set(0)),
    button("as_encoded", () => set(null)),
    button("close", () => close(true)),
  ];
  const label = h("label", { class: "set" }, `${say("latent.set")} `, slider, output);
  const controls = h("div", { class: "card-controls" }, label, h("div", { class: "buttons" }, buttons));
  const hint = h("p", { class: "muted" });
  const spoken = { role: "dialog", "aria-label": say("latent.card"), "aria-live": "polite", on: { keydown: press } };
  const element = h("div", { id: "card", hidden: true, ...spoken }, heading, facts, controls, body, hint);

  /** Escape closes the card; Tab stays in it, from its last control to the first. @param {KeyboardEvent} event */
  function press(event) {
    if (event.key === "Escape") close(true);
    if (event.key !== "Tab") return;
    const inside = /** @type {NodeListOf<HTMLElement>} */ (element.querySelectorAll("button, input"));
    const ends = [inside[inside.length - 1], inside[0]];
    const [from, to] = event.shiftKey ? ends.reverse() : ends;
    if (document.activeElement !== from) return;
    event.preventDefault();
    to.focus();
  }

  /**
   * Shows a latent, or opens its card; false where it does not, since an open card stays.
   * @param {About} now
   * @param {boolean} open
   */
  function show(now, open) {
    const isSame = about?.anchor === now.anchor && about.stop === now.stop && about.latent === now.latent;
    if (!open && (isOpen || isSame)) return false;
    if (about && about.anchor !== now.anchor) about.left();
    about = now;
    isOpen = open;
    fillBody(now);
    draw();
    positionBeside(element, now.anchor);
    if (open) slider.focus({ preventScroll: true });
    return true;
  }

  /** Hides the card when the pointer or the focus leaves what it is about, unless it is open. @param {HTMLElement} anchor */
  function leave(anchor) {
    if (!isOpen && about?.anchor === anchor) close();
  }

  function close(focus = false) {
    const { anchor, left } = about ?? {};
    if (focus) anchor?.focus({ preventScroll: true }); // first, since an element with the focus shows its latent
    about = null;
    isOpen = false;
    element.hidden = true;
    left?.();
  }

  /** What does not change with the image: the atom, its classes and images. @param {About} now */
  function fillBody({ stop, latent }) {
    fill(heading, rich("latent.title", { latent, title: stop }));
    const { parts, isWhole } = cardBody(page, stop, latent);
    fill(body, parts);
    isWaiting = !isWhole;
    element.classList.toggle("open", isOpen);
    controls.hidden = !isOpen;
    hint.textContent = isOpen ? "" : say("latent.hint");
  }

  /** What changes with the image: the value, its rank, its share. */
  function draw() {
    if (!about) return;
    const { stop, latent, anchor } = about;
    const look = page.look(stop);
    element.hidden = false;
    if (!anchor.isConnected) return close();
    if (isWaiting && page.lab.statistics(stop) && page.lab.pictures.images) fillBody(about);
    if (!look || latent >= look.latents.length) return fill(facts, say("page.under_way"));
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
    const isEdited = look.unedited && encoded[latent] !== value;
    const place = encoded[latent] && !isEdited ? ` ${say("latent.rank", { rank, on })}` : "";
    fill(facts, rich(isEdited ? "latent.encoded" : "latent.share", values), place);
    const peak = page.lab.statistics(stop)?.peak[latent] ?? 0;
    const high = Math.max(1.25 * Math.abs(peak), value, 1);
    if (document.activeElement !== slider || Number(slider.value) !== value) {
      slider.max = String(high);
      slider.min = page.isLinear(stop) ? "0" : String(-high);
      slider.value = String(value);
    }
    slider.ariaLabel = say("latent.set_aria", { latent });
    output.textContent = value.toFixed(2);
  }

  /** Sets the latent; null takes the edit back. @param {number | null} value */
  const set = (value) => about && page.edit(about.stop, about.latent, value);

  return { element, show, leave, close, draw };
}

/**
 * Puts an element beside its anchor, where it covers neither the anchor nor the pictures that one compares.
 * @param {HTMLElement} element
 * @param {HTMLElement} anchor
 */
function positionBeside(element, anchor) {
  const { offsetWidth: width, offsetHeight: height } = element;
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
  element.style.left = `${best.left}px`;
  element.style.top = `${best.top}px`;
}
