/** Whether the server of the page still answers. It is asked only while something that it was asked for is open. */

const PATIENCE = 6000; // ms without an answer, before the server is asked whether it is there
const AGAIN = 2000; // ms until it is asked again when it is gone

/**
 * The requests of one panel that wait for answers.
 * @param {Page} page
 * @param {(isGone: boolean) => void} changed the server is gone, or is back
 */
export function requests(page, changed) {
  let isGone = false;
  let timer = 0; // which runs until the server is asked; 0 where nothing is open

  /** @param {boolean} isNow */
  function noteGone(isNow) {
    const isNew = isNow !== isGone;
    isGone = isNow;
    if (isNew) changed(isGone);
  }

  /** An answer came. @param {boolean} isOpen whether more are to come */
  function noteAnswer(isOpen) {
    clearTimeout(timer);
    timer = isOpen ? setTimeout(check, PATIENCE) : 0;
    noteGone(false);
  }

  /** Asks whether the server is there, and again later; but not when it is back, for then what was open is lost. */
  async function check() {
    const [mine, wasGone] = [timer, isGone];
    const isNow = !(await answers());
    if (timer !== mine) return; // an answer came meanwhile
    timer = isNow || !wasGone ? setTimeout(check, isNow ? AGAIN : PATIENCE) : 0;
    noteGone(isNow);
  }

  return {
    isGone: () => isGone,
    noteAnswer,
    /** @param {string} name @param {any} [data] */
    ask(name, data) {
      page.ask(name, data);
      noteAnswer(true);
    },
  };
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
