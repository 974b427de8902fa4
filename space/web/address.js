/** When the state is written into the address of the page, and how many entries of the history that makes. */

export const REST = 120; // milliseconds after the last change, when the hand rests
const DRAG = 800; // milliseconds: changes that follow each other faster make one entry of the history
const LATER = 2000; // milliseconds until an address that the browser refused is written

export class Address {
  /** @param {() => string} query the address of what is shown */
  constructor(query) {
    this.query = query;
    this.changed = -Infinity; // when the state last changed, ms
    this.writing = 0; // the timer that runs until the address is written
  }

  /** Writes the address; in a drag when the hand rests. What follows each other soon makes one entry of the history. */
  write() {
    const now = performance.now();
    const since = now - this.changed;
    this.changed = now;
    this.hold();
    if (since < REST) {
      this.writing = setTimeout(() => this.write(), REST);
      return;
    }
    const others = [...new URLSearchParams(location.search)].filter(([name]) => name.startsWith("__"));
    const address = this.query() + others.map(([name, value]) => `&${name}=${encodeURIComponent(value)}`).join("");
    if (address === location.search) return;
    try {
      history[since < DRAG ? "replaceState" : "pushState"](null, "", address);
    } catch {
      this.writing = setTimeout(() => this.write(), LATER); // Safari refuses more than 100 in 10 or 30 seconds
    }
  }

  /** What was to be written later is not. */
  hold() {
    clearTimeout(this.writing);
  }
}
