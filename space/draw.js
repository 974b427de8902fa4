/* The canvas on which a visitor draws a digit; space/draw.py puts this into the page. It runs once, as the body of a
   function that Gradio gives `element` (the component's part of the page), `trigger`, `props` and `watch`; `words` are
   what it says.

   The value is what the canvas shows. Python sets
     ""                    no drawing
     "data:image/..."      the address of an image
   and the visitor sets, with an event each time,
     "ink:" and base64     of 112 x 112 bytes, row by row, 0 where no ink is; event "input", after each stroke, at most
                           five times a second during one, and after an image was read
     ""                    event "clear", after the button
   The drawing is the value and not the event's data: Gradio computes the latest of many events, if only that is wanted,
   from the latest values, but from the first event's data. */

const SIDE = 112;
const BRUSH = 4.5; // radius, to where the ink is half as bright: the brush is 8% of the canvas wide
const SOFT = 1; // so far inside and outside of that the ink fades out
const PAUSE = 200; // milliseconds between two messages during a stroke
const DRAWN = "ink:";

const frame = element.querySelector(".frame");
const canvas = element.querySelector("canvas");
const chooser = element.querySelector("input[type=file]");
const message = element.querySelector(".message");
const context = canvas.getContext("2d");
const picture = context.createImageData(SIDE, SIDE);
// The drawing is kept here, not read back from the canvas: some browsers add noise to what is read, for privacy.
let ink = new Uint8ClampedArray(SIDE * SIDE);
let stroke = null; // id of the pointer that draws, and where it was last
let timer = null;
let turn = 0; // counts what was begun; an image that is read slowly must not replace something newer

function paint() {
  ink.forEach((level, i) => picture.data.set([level, level, level, 255], 4 * i));
  context.putImageData(picture, 0, 0);
  frame.classList.toggle("empty", !ink.some(Boolean));
}

function send() {
  clearTimeout(timer);
  timer = null;
  props.value = DRAWN + btoa(String.fromCharCode(...ink));
  trigger("input");
}

function clear() {
  turn++;
  clearTimeout(timer);
  timer = null;
  ink.fill(0);
  paint();
}

/* Ink along the line from one point to another, each pixel by its distance from the line. */
function line(from, to) {
  const reach = BRUSH + SOFT;
  const [x1, y1] = [to.x - from.x, to.y - from.y];
  const square = x1 * x1 + y1 * y1;
  const start = (a, b) => Math.max(0, Math.floor(Math.min(a, b) - reach));
  const end = (a, b) => Math.min(SIDE, Math.ceil(Math.max(a, b) + reach));
  for (let row = start(from.y, to.y); row < end(from.y, to.y); row++)
    for (let column = start(from.x, to.x); column < end(from.x, to.x); column++) {
      const [x, y] = [column + 0.5 - from.x, row + 0.5 - from.y];
      const along = square ? Math.min(1, Math.max(0, (x * x1 + y * y1) / square)) : 0;
      const distance = Math.hypot(x - along * x1, y - along * y1);
      const i = row * SIDE + column;
      ink[i] = Math.max(ink[i], (255 * (reach - distance)) / (2 * SOFT));
    }
}

function place(event) {
  const area = canvas.getBoundingClientRect();
  const across = (where, start, size) => ((where - start) / size) * SIDE;
  return { x: across(event.clientX, area.left, area.width), y: across(event.clientY, area.top, area.height) };
}

canvas.addEventListener("pointerdown", (event) => {
  if (stroke || event.button !== 0) return;
  event.preventDefault();
  canvas.focus({ preventScroll: true }); // an image can be pasted now
  canvas.setPointerCapture(event.pointerId);
  turn++;
  message.textContent = "";
  const at = place(event);
  stroke = { id: event.pointerId, at };
  line(at, at);
  paint();
});

canvas.addEventListener("pointermove", (event) => {
  if (stroke?.id !== event.pointerId) return;
  const passed = event.getCoalescedEvents?.() ?? [];
  for (const one of passed.length ? passed : [event]) {
    const at = place(one);
    line(stroke.at, at);
    stroke.at = at;
  }
  paint();
  timer ??= setTimeout(send, PAUSE);
});

for (const kind of ["pointerup", "pointercancel"])
  canvas.addEventListener(kind, (event) => {
    if (stroke?.id !== event.pointerId) return;
    stroke = null;
    send();
  });

/* Reads an image file onto the canvas. */
async function read(file) {
  const mine = ++turn;
  try {
    const image = await createImageBitmap(file);
    const scale = SIDE / Math.max(image.width, image.height);
    const [width, height] = [image.width, image.height].map((side) => Math.max(1, Math.round(side * scale)));
    const small = await createImageBitmap(image, { resizeWidth: width, resizeHeight: height, resizeQuality: "high" });
    if (mine !== turn) return;
    const found = inkOf(small, width, height);
    if (!found) {
      message.textContent = words.one_shade;
      return;
    }
    ink = found;
    message.textContent = "";
    paint();
    send();
  } catch {
    if (mine === turn) message.textContent = words.unreadable;
  }
}

/* The ink of an image that fits the canvas, as bytes for the canvas, or null where nothing stands out. */
function inkOf(image, width, height) {
  const sheet = document.createElement("canvas");
  [sheet.width, sheet.height] = [width, height];
  const paper = sheet.getContext("2d");
  paper.drawImage(image, 0, 0);
  const { data } = paper.getImageData(0, 0, width, height);
  const count = width * height;
  const grey = new Float32Array(count);
  let [sum, weight] = [0, 0];
  for (let i = 0; i < count; i++) {
    const [red, green, blue, alpha] = data.subarray(4 * i, 4 * i + 4);
    grey[i] = 0.299 * red + 0.587 * green + 0.114 * blue;
    sum += grey[i] * alpha;
    weight += alpha;
  }
  // Where an image is transparent it gets what its ink stands out from: white below dark ink, black below bright.
  const below = sum < 127.5 * weight ? 255 : 0;
  for (let i = 0; i < count; i++) grey[i] = below + ((grey[i] - below) * data[4 * i + 3]) / 255;

  const found = standsOut(grey, width, height);
  if (!found) return null;
  const onCanvas = new Uint8ClampedArray(SIDE * SIDE);
  const [top, left] = [Math.floor((SIDE - height) / 2), Math.floor((SIDE - width) / 2)];
  found.forEach((level, i) => (onCanvas[(top + Math.floor(i / width)) * SIDE + left + (i % width)] = level));
  return onCanvas;
}

const levelAt = (levels, share) => levels.slice().sort()[Math.floor(share * (levels.length - 1))];
const mean = (levels) => levels.reduce((total, level) => total + level, 0) / Math.max(1, levels.length);

/* How far each pixel stands out from the paper, from 0 to 255 for the most, or null where none does; `grey` has levels
   from 0 to 255. */
function standsOut(grey, width, height) {
  const edge = Math.max(1, Math.round(0.06 * Math.min(width, height)));
  const isBorder = (i) =>
    Math.min(i % width, width - 1 - (i % width)) < edge ||
    Math.min(Math.floor(i / width), height - 1 - Math.floor(i / width)) < edge;
  const border = grey.filter((_, i) => isBorder(i));
  const middle = grey.filter((_, i) => !isBorder(i));
  const around = levelAt(border, 0.5);
  const near = 0.12 * (levelAt(grey, 0.998) - levelAt(grey, 0.002));
  const isPaper = (levels) => mean(levels.map((level) => Math.abs(level - around) <= near));
  const isEven = Math.min(isPaper(border), isPaper(grey)) >= 0.6;
  // Ink is what the border is not; under uneven light it is what differs from the pixels around it.
  const isDark = isEven ? mean(border) > mean(middle) : mean(edges(grey, width, height)) < 0;
  const bright = isDark ? grey.map((level) => 255 - level) : grey;
  const even = isDark ? 255 - around : around;
  const paper = isEven ? bright.map(() => even) : paperBelow(bright, width, height);
  const above = bright.map((level, i) => level - paper[i]);
  // From a little above the paper, which is never even, to the brightest pixels but a few.
  const most = levelAt(above, 0.998);
  return most < 12 ? null : above.map((level) => (255 * (level - 0.15 * most)) / (0.85 * most));
}

/* How far each pixel is above those around it, a stroke's width or two away, to the third power. */
function edges(grey, width, height) {
  const far = Math.ceil(0.12 * Math.max(width, height));
  const at = (x, y) => grey[Math.min(height - 1, Math.max(0, y)) * width + Math.min(width - 1, Math.max(0, x))];
  return grey.map((level, i) => {
    const [x, y] = [i % width, Math.floor(i / width)];
    return (level - (at(x - far, y) + at(x + far, y) + at(x, y - far) + at(x, y + far)) / 4) ** 3;
  });
}

/* The level of unevenly lit paper at each pixel, below bright ink: the highest on which one comes there from the border
   without going lower. A shadow reaches the border; ink stands alone. */
function paperBelow(bright, width, height) {
  const paper = new Float32Array(bright.length);
  const border = ring(width, height);
  const reach = Math.round(0.06 * border.length); // ink that crosses the border is narrower than this
  border.forEach((i, n) => {
    const near = Float32Array.from({ length: 2 * reach + 1 }, (_, k) => bright[border.at((n + k - reach) % border.length)]);
    paper[i] = Math.min(bright[i], levelAt(near, 0.5));
  });
  const before = [-width - 1, -width, -width + 1, -1]; // the neighbours that a sweep has passed
  for (let risen = true; risen; ) {
    risen = false;
    for (const forward of [true, false])
      for (let n = 0; n < bright.length; n++) {
        const i = forward ? n : bright.length - 1 - n;
        for (const step of before) {
          const from = forward ? i + step : i - step;
          if (from < 0 || from >= bright.length || Math.abs((from % width) - (i % width)) > 1) continue;
          const level = Math.min(bright[i], paper[from]);
          if (level > paper[i]) [paper[i], risen] = [level, true];
        }
      }
  }
  return paper;
}

/* The pixels of the border, one after another around the image. */
function ring(width, height) {
  const pixels = [];
  for (let x = 0; x < width; x++) pixels.push(x);
  for (let y = 1; y < height; y++) pixels.push(y * width + width - 1);
  for (let x = width - 2; x >= 0; x--) pixels.push((height - 1) * width + x);
  for (let y = height - 2; y > 0; y--) pixels.push(y * width);
  return pixels;
}

element.querySelector(".clear").addEventListener("click", () => {
  clear();
  message.textContent = "";
  props.value = "";
  trigger("clear");
});
element.querySelector(".choose").addEventListener("click", () => chooser.click());
chooser.addEventListener("change", () => {
  if (chooser.files.length) read(chooser.files[0]);
  chooser.value = ""; // the same file may be chosen again
});
element.addEventListener("paste", (event) => {
  if (!event.clipboardData.files.length) return;
  event.preventDefault();
  read(event.clipboardData.files[0]);
});
element.addEventListener("dragover", (event) => {
  if (!event.dataTransfer.types.includes("Files")) return;
  event.preventDefault();
  frame.classList.add("over");
});
element.addEventListener("dragleave", () => frame.classList.remove("over"));
element.addEventListener("drop", (event) => {
  frame.classList.remove("over");
  if (!event.dataTransfer.files.length) return;
  event.preventDefault(); // or the browser would open the file
  read(event.dataTransfer.files[0]);
});

/* Shows the value that Python set, unless the visitor draws right now. */
async function show() {
  const value = props.value ?? "";
  if (stroke || value.startsWith(DRAWN)) return;
  message.textContent = "";
  clear();
  if (!value.startsWith("data:image/")) return;
  const mine = turn;
  const image = new Image();
  image.src = value;
  try {
    await image.decode();
  } catch {
    return; // the canvas stays empty
  }
  if (mine !== turn) return;
  const sheet = document.createElement("canvas");
  sheet.width = sheet.height = SIDE;
  const paper = sheet.getContext("2d");
  paper.imageSmoothingQuality = "high";
  paper.drawImage(image, 0, 0, SIDE, SIDE);
  const { data } = paper.getImageData(0, 0, SIDE, SIDE);
  ink = ink.map((_, i) => data[4 * i]);
  paint();
}

paint();
show();
watch("value", show);
