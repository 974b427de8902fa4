/** Dark or light, as the address or the browser says; Gradio does the same when it is there. */

/** Gives the page its colours, now and when the browser's preference changes. */
export function followTheme() {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const named = new URLSearchParams(location.search).get("__theme");
  const colour = () => document.body.classList.toggle("dark", named ? named === "dark" : dark.matches);
  dark.addEventListener("change", colour);
  colour();
}
