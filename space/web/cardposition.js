/** Where the card of a latent stands. */

import { clamp } from "./dom.js";

/**
 * Puts an element beside its anchor, where it covers neither the anchor nor the pictures that one compares.
 * @param {HTMLElement} element
 * @param {HTMLElement} anchor
 */
export function positionBeside(element, anchor) {
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
