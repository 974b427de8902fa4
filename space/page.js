/* What one does with the pointer or the keys in our own HTML: cells of a map of latents, thumbnails, terms, the play
   button. space/controls.py puts this into the page. It runs once, as the body of a function that Gradio gives `element`,
   `trigger`, `props` and `server`; the value of its component is `Bench.edits`, the latents that were set by hand; `words`
   are what it says. */

document.documentElement.lang = words.language;
document.title = words.title;

const root = document.querySelector(".gradio-container .contain") ?? document.body;
const box = (name, role) => {
  const made = document.createElement("div");
  made.id = name;
  made.className = "sae";
  made.hidden = true;
  made.setAttribute("role", role);
  root.append(made);
  return made;
};
const clamp = (value, low, high) => Math.max(low, Math.min(high, value));

/* Moves a slider of the page as a hand would. */
function move(slider, value) {
  slider.value = value;
  slider.dispatchEvent(new Event("input", { bubbles: true }));
}

/* Puts a box beside a rectangle of the screen, inside the window. */
function beside(made, at) {
  made.hidden = false;
  const [width, height] = [made.offsetWidth, made.offsetHeight];
  const right = at.right + 14;
  const left = right + width < innerWidth ? right : at.left - width - 14;
  made.style.left = `${clamp(left, 6, Math.max(6, innerWidth - width - 6))}px`;
  made.style.top = `${clamp(at.top, 6, Math.max(6, innerHeight - height - 6))}px`;
}

const openTab = () => document.querySelector("#tabs [role=tab][aria-selected=true]").dataset.tabId;

/* Lets Python draw the open tab anew, when Gradio has taken in the new values. */
window.drawOpenTab = () => setTimeout(() => window.drawTab[openTab()]());
/* What is drawn after the images waits until the slider rests for a moment, but not for long. */
let resting = null; // {since, timer} while it waits
window.drawRest = () => {
  const now = performance.now();
  const since = resting?.since ?? now;
  clearTimeout(resting?.timer);
  const draw = () => {
    resting = null;
    drawTab[`${openTab()}-rest`](); // whichever tab is open by now
  };
  resting = { since, timer: setTimeout(draw, clamp(since + 400 - now, 0, 80)) };
};
function onSlider(event) {
  if (!event.target.closest?.("#noise, #beta")) return;
  drawOpenTab();
  if (resting) drawRest();
}
root.addEventListener("input", onSlider);
root.addEventListener("click", (event) => event.target.closest?.("button") && onSlider(event)); // back to the first value

// Terms

const tip = box("tip", "tooltip");
function explain(event) {
  const word = event.target.closest?.(".term");
  if (!word) return;
  tip.textContent = word.dataset.tip;
  tip.hidden = false;
  const at = word.getBoundingClientRect();
  tip.style.left = `${clamp(at.left, 6, innerWidth - tip.offsetWidth - 6)}px`;
  const below = at.bottom + 6;
  tip.style.top = `${below + tip.offsetHeight < innerHeight ? below : at.top - tip.offsetHeight - 6}px`;
}
const unexplain = (event) => event.target.closest?.(".term") && (tip.hidden = true);
root.addEventListener("pointerover", explain);
root.addEventListener("focusin", explain);
root.addEventListener("click", explain);
root.addEventListener("pointerout", unexplain);
root.addEventListener("focusout", unexplain);

// Latents

const card = box("card", "dialog");
card.setAttribute("aria-label", words.card);
card.setAttribute("aria-live", "polite");
let shown = null; // what the card is about: {place of its map among all, latent, open}
let asked = 0; // counts questions to Python; only the last one's answer is shown
let waiting = null; // timer of a cell under the pointer
let isLeaving = false; // the map gets the focus back, and no card with it

const mapOf = () => shown && document.querySelectorAll(".latent-map")[shown.place];
const editable = (map) => map.closest("#images") !== null;

function ring(map, latent) {
  map.querySelector(".ring.here")?.remove();
  const side = Number(map.dataset.side);
  const frame = document.createElement("span");
  frame.className = "ring here";
  const part = 100 / side;
  frame.style.cssText = `left:${(latent % side) * part}%;top:${Math.floor(latent / side) * part}%;width:${part}%;height:${part}%`;
  map.append(frame);
}

/* Shows the card of a latent; `open` lets one change it. */
async function show(map, latent, open) {
  const place = [...document.querySelectorAll(".latent-map")].indexOf(map);
  const same = shown && shown.place === place && shown.latent === latent && shown.open === open;
  shown = { place, latent, open };
  ring(map, latent);
  const mine = ++asked;
  const bench = { ...JSON.parse(map.dataset.bench), edits: props.value };
  const html = await server.card(JSON.stringify({ bench, latent, open }));
  if (mine !== asked || !shown) return;
  if (same && document.activeElement?.closest?.("#card input")) {
    // its own slider is being moved, and stays as it is
    const answer = document.createElement("template");
    answer.innerHTML = html;
    const facts = answer.content.querySelector(".facts");
    if (facts) card.querySelector(".facts")?.replaceWith(facts);
    return;
  }
  const focused = card.contains(document.activeElement) ? document.activeElement.className : null;
  card.innerHTML = html;
  card.classList.toggle("open", open);
  const now = mapOf();
  if (!now) return hide();
  if (!same || card.hidden) beside(card, now.getBoundingClientRect());
  if (open && focused) card.querySelector(`.${CSS.escape(focused)}`)?.focus();
  if (open && !same && !focused) card.querySelector("input, .close")?.focus({ preventScroll: true });
}

function hide(focus = false) {
  asked++;
  clearTimeout(waiting);
  const map = mapOf();
  document.querySelectorAll(".ring.here").forEach((frame) => frame.remove());
  shown = null;
  card.hidden = true;
  isLeaving = true;
  if (focus) map?.focus({ preventScroll: true });
  isLeaving = false;
}

function at(map, event) {
  const area = map.querySelector("img").getBoundingClientRect();
  const side = Number(map.dataset.side);
  const part = (where, start, size) => clamp(Math.floor((side * (where - start)) / size), 0, side - 1);
  const latent = side * part(event.clientY, area.top, area.height) + part(event.clientX, area.left, area.width);
  return latent < Number(map.dataset.latents) ? latent : null;
}

document.addEventListener("pointermove", (event) => {
  const map = event.target.closest?.(".latent-map");
  if (shown?.open || event.pointerType === "touch") return;
  if (!map) return void (shown && !card.matches(":focus-within") && document.activeElement !== mapOf() && hide());
  const latent = at(map, event);
  if (latent === null || (shown?.latent === latent && mapOf() === map)) return;
  clearTimeout(waiting);
  waiting = setTimeout(() => map.isConnected && show(map, latent, false), 40);
});
root.addEventListener("click", (event) => {
  const map = event.target.closest?.(".latent-map");
  if (map) {
    clearTimeout(waiting);
    const latent = at(map, event);
    if (latent !== null) show(map, latent, editable(map));
  } else if (shown?.open && !event.target.closest?.("#card, .undo")) hide();
});
root.addEventListener("focusin", (event) => {
  const map = event.target.closest?.(".latent-map");
  if (map && map.matches(":focus-visible") && !shown && !isLeaving) show(map, startOf(map), false);
});
root.addEventListener("focusout", (event) => {
  if (event.target.closest?.(".latent-map") && shown && !shown.open) hide();
});

/* Where the keys start: at the cell that was visited last, or at the middle. */
const startOf = (map) => Number(map.dataset.at ?? Math.floor(Number(map.dataset.latents) / 2 + map.dataset.side / 2));

root.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    tip.hidden = true;
    if (shown) hide(true);
    return;
  }
  const map = event.target.closest?.(".latent-map");
  if (!map) return;
  const side = Number(map.dataset.side);
  const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -side, ArrowDown: side }[event.key];
  const latent = shown?.latent ?? startOf(map);
  if (step) {
    event.preventDefault();
    const next = clamp(latent + step, 0, Number(map.dataset.latents) - 1);
    map.dataset.at = next;
    show(map, next, false);
  } else if (event.key === "Enter" || event.key === " ") {
    event.preventDefault();
    show(map, latent, editable(map));
  }
});

/* Sets a latent of the model on the bench; null takes the edit back. */
function set(latent, value, stop = document.querySelector("#images .latent-map").dataset.stop) {
  const edits = JSON.parse(props.value || "{}");
  edits[stop] = { ...edits[stop] };
  if (value === null) delete edits[stop][latent];
  else edits[stop][latent] = value;
  if (!Object.keys(edits[stop]).length) delete edits[stop];
  props.value = JSON.stringify(edits);
  drawOpenTab();
}

card.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button || !shown) return;
  if (button.classList.contains("close")) hide(true);
  if (button.classList.contains("off")) set(shown.latent, 0);
  if (button.classList.contains("back")) set(shown.latent, null);
});
card.addEventListener("input", (event) => {
  const value = Number(event.target.value);
  card.querySelector("output").textContent = value.toFixed(2);
  set(shown.latent, value);
});
root.addEventListener("click", (event) => {
  const undo = event.target.closest?.(".undo");
  if (undo) set(Number(undo.dataset.latent), null, undo.dataset.stop);
});

// Thumbnails

root.addEventListener("click", (event) => {
  const thumbnail = event.target.closest?.(".strip button");
  if (!thumbnail) return;
  move(document.querySelector("#beta input[type=range]"), thumbnail.dataset.position);
});

// Stroke by stroke: the atoms that are in are bright, and the play button moves the slider.

const reveal = () => document.querySelector("#reveal input[type=range]");
function light() {
  const k = Number(document.querySelector(".built")?.dataset.k ?? 0);
  document.querySelectorAll(".atoms figure").forEach((figure, i) => {
    if (figure.classList.contains("in") !== i < k) figure.classList.toggle("in", i < k);
    if (figure.classList.contains("now") !== (i === k - 1)) figure.classList.toggle("now", i === k - 1);
  });
}
let playing = null;
function stop() {
  clearInterval(playing);
  playing = null;
  const button = document.querySelector("#play");
  if (button) button.textContent = words.play;
}
root.addEventListener("click", (event) => {
  if (!event.target.closest?.("#play")) return;
  if (playing) return stop();
  const slider = reveal();
  if (Number(slider.value) >= Number(slider.max)) move(slider, 0);
  document.querySelector("#play").textContent = words.pause;
  playing = setInterval(() => {
    if (!slider.isConnected || !slider.offsetParent || Number(slider.value) >= Number(slider.max)) return stop();
    move(slider, Number(slider.value) + 1);
  }, 200);
});

/* Gradio's names for screen readers are English in every language. */
function relabel() {
  for (const input of document.querySelectorAll("[aria-label^='range slider for '], [aria-label^='number input for ']"))
    input.ariaLabel = input.ariaLabel.replace(/^(range slider|number input) for /, "");
  for (const button of document.querySelectorAll("[aria-label^='Reset to']")) button.ariaLabel = words.reset;
  for (const button of document.querySelectorAll("[aria-label='More tabs']")) button.ariaLabel = words.tabs;
}

/* The parts of the page are drawn anew with every change of the bench; what was put into them here is put there again. */
function again() {
  light();
  relabel();
  const map = mapOf();
  if (!shown || map?.querySelector(".ring.here")) return;
  if (!map || shown.latent >= Number(map.dataset.latents)) return hide();
  show(map, shown.latent, shown.open);
}
new MutationObserver(again).observe(root, { childList: true, subtree: true });
