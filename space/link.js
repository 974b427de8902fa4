/* The state of the page stands in the address. Python sets the value to the query that holds it; going back or forward
   sends the query of that moment. space/controls.py puts this into the page; `words` are what it says. */

let settling = false; // what comes next is only a state that the address has already
const home = props.value; // the state in which the page opens; its address stays short until something changes
const OPENING = "?digit="; // asks Python for that state
let last = 0;
const modelOf = (query) => new URLSearchParams(query).get("model");
let loading = modelOf(location.search); // the link stays as it is until its model is there, or something is touched
for (const touch of ["pointerdown", "keydown", "input"])
  document.addEventListener(touch, () => (loading = null), { once: true, capture: true });
function write() {
  const query = props.value ?? "";
  if (query === OPENING || (loading && modelOf(query) !== loading)) return;
  loading = null;
  if (!query || query === location.search || (!location.search && query === home)) return void (settling = false);
  // A drag makes one entry of the history, and so does everything that follows at once.
  const quick = performance.now() - last < 800;
  history[quick || settling ? "replaceState" : "pushState"](null, "", query);
  last = performance.now();
  settling = false;
}
settling = location.search.length > 1;
watch("value", write);
window.addEventListener("popstate", () => {
  settling = true;
  props.value = location.search || OPENING;
  trigger("input");
});
document.addEventListener("click", async (event) => {
  const button = event.target.closest("#copy-link");
  if (!button) return;
  const said = element.querySelector("[role=status]");
  try {
    await navigator.clipboard.writeText(location.href);
    said.textContent = words.copied;
  } catch {
    window.prompt(words.prompt, location.href);
  }
  const name = button.textContent;
  if (said.textContent) button.textContent = words.copied;
  setTimeout(() => { said.textContent = ""; button.textContent = name; }, 1500);
});

/* Another language shows the same. */
document.addEventListener("click", (event) => {
  const other = event.target.closest("#languages a");
  if (!other) return;
  const query = new URLSearchParams(location.search);
  query.set("lang", other.lang);
  query.set("lessons", document.querySelectorAll("#lessons .done").length);
  other.search = query;
});
