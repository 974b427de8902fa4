/** When the state is written into the address of the page, and how many entries of the history that makes. */

export const REST = 120; // milliseconds after the last change, when the hand rests
const DRAG = 800; // milliseconds: changes that follow each other faster make one entry of the history
const LATER = 2000; // milliseconds until an address that the browser refused is written

/** @param {() => string} query the address of what is shown */
export function addressOf(query) {
  let changed = -Infinity; // when the state last changed, ms
  let writing = 0; // the timer that runs until the address is written

  /** What was to be written later is not. */
  const hold = () => clearTimeout(writing);

  /** Writes the address; in a drag when the hand rests. What follows each other soon makes one entry of the history. */
  function write() {
    const now = performance.now();
    const since = now - changed;
    changed = now;
    hold();
    if (since < REST) {
      writing = setTimeout(write, REST);
      return;
    }
    const others = [...new URLSearchParams(location.search)].filter(([name]) => name.startsWith("__"));
    const address = query() + others.map(([name, value]) => `&${name}=${encodeURIComponent(value)}`).join("");
    if (address === location.search) return;
    try {
      history[since < DRAG ? "replaceState" : "pushState"](null, "", address);
    } catch {
      writing = setTimeout(write, LATER); // Safari refuses more than 100 in 10 or 30 seconds
    }
  }

  return { write, hold };
}
