/** Work that may wait: in slices between frames, so that a drag never waits for it. */

const SLICE = 8; // ms
const PATIENCE = 300; // ms; then a slice is due, even where the page is never idle

/** @typedef {{steps: Iterator<void>, cost: number}} Job `cost`: ms of its longest recent step */

/** Jobs with work left, by name; each does a step in turn. @type {Map<string, Job>} */
const waiting = new Map();
let asked = false;

/**
 * Starts a task when the page is idle. It drops what is left of the task that had the same name before.
 * @param {string} name
 * @param {() => Iterator<void>} task a generator, which does a few ms of work up to each `yield`
 */
export function idle(name, task) {
  waiting.set(name, { steps: task(), cost: waiting.get(name)?.cost ?? 0 });
  ask();
}

function ask() {
  if (asked || !waiting.size) return;
  asked = true;
  if ("requestIdleCallback" in window) window.requestIdleCallback(slice, { timeout: PATIENCE });
  else setTimeout(slice, 16); // Safari
}

function slice() {
  asked = false;
  const end = performance.now() + SLICE;
  try {
    do step();
    while (waiting.size && performance.now() + [...waiting.values()][0].cost <= end);
  } finally {
    ask(); // an error of one job ends that job alone
  }
}

/** Lets the job whose turn it is do one step. */
function step() {
  const [[name, job]] = waiting;
  const began = performance.now();
  waiting.delete(name);
  const isDone = job.steps.next().done;
  job.cost = Math.max(performance.now() - began, job.cost / 2);
  if (!isDone && !waiting.has(name)) waiting.set(name, job); // behind the others; a step may have started its job again
}
