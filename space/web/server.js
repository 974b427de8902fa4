/** Whether the server of the page still answers. It is asked only while something that it was asked for is open. */

const PATIENCE = 6000; // ms without an answer, before the server is asked whether it is there
const LONGEST = 30000; // ms between two of these questions

/** The requests of one panel that wait for answers. */
export class Requests {
  /**
   * @param {import("./page.js").Page} page
   * @param {(isGone: boolean) => void} changed the server is gone, or is back
   */
  constructor(page, changed) {
    this.page = page;
    this.changed = changed;
    this.isOpen = false;
    this.isGone = false;
    this.timer = 0;
  }

  /** @param {string} name @param {any} [data] */
  ask(name, data) {
    this.page.ask(name, data);
    this.noteAnswer(true);
  }

  /** An answer came. @param {boolean} isOpen whether more are to come */
  noteAnswer(isOpen) {
    this.isOpen = isOpen;
    this.noteGone(false);
    clearTimeout(this.timer);
    if (isOpen) this.timer = window.setTimeout(() => this.check(PATIENCE), PATIENCE);
  }

  /** Notes whether the server is gone. @param {boolean} isGone */
  noteGone(isGone) {
    if (isGone === this.isGone) return;
    this.isGone = isGone;
    this.changed(isGone);
  }

  /** Asks whether the server is there, and again later. @param {number} pause ms */
  async check(pause) {
    const isGone = !(await answers());
    const wasGone = this.isGone;
    this.noteGone(isGone);
    if (wasGone && !isGone) this.isOpen = false; // what was open is lost
    if (this.isOpen)
      this.timer = window.setTimeout(() => this.check(Math.min(2 * pause, LONGEST)), isGone ? pause / 3 : pause);
  }
}

/** Whether the server answers a small request. */
async function answers() {
  try {
    const address = new URL("files/lab.json", document.baseURI);
    return (await fetch(address, { method: "HEAD", cache: "no-store", signal: AbortSignal.timeout(PATIENCE) })).ok;
  } catch {
    return false;
  }
}
