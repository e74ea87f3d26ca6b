// One sample to ask about, by the model's signature: drawn, typed in or filled in.
import { flattened, make, nested } from "./dom.js";

// An editor has `element`, `value()` (what the input is in a request), `set(value)` and `clear()`.
export function editors(inputs) {
  return new Map(inputs.map((spec) => [spec.name, editor(spec)]));
}

export function picture(shape) {
  // Height, width and where they lie, if a sample is an image of grey values.
  const axes = shape.map((size, axis) => [size, axis]).filter(([size]) => size !== 1);
  if (shape.length < 2 || axes.length !== 2 || axes.some(([size]) => !size || size < 8)) return null;
  return { height: axes[0][0], width: axes[1][0] };
}

function editor(spec) {
  const shape = spec.shape.slice(1);
  const fixed = shape.every((size) => size);
  const count = shape.reduce((product, size) => product * size, 1);
  if (spec.dtype === "string" && fixed && count === 1) return text(spec, shape);
  if (spec.dtype.startsWith("float") && fixed && picture(shape)) return pad(spec, shape, picture(shape));
  if (fixed && count <= 100) return fields(spec, shape, count);
  return json(spec);
}

function text(spec, shape) {
  const area = make("textarea", { rows: 4, id: `input-${spec.name}`, spellcheck: false });
  const set = (value) => { area.value = flattened(value)[0]; };
  return {
    element: make("div", {}, make("label", { htmlFor: area.id }, spec.name), area),
    value: () => nested([area.value], shape),
    set,
    clear: () => set(""),
  };
}

function fields(spec, shape, count) {
  const number = spec.dtype !== "string" && spec.dtype !== "bool";
  const all = Array.from({ length: count }, (_, at) => {
    const field = make("input", { id: `input-${spec.name}-${at}`, type: number ? "number" : "text", required: !spec.nullable });
    if (number) field.step = spec.dtype.startsWith("float") ? "any" : "1";
    return field;
  });
  const named = all.map((field, at) =>
    make("div", {}, make("label", { htmlFor: field.id }, count === 1 ? spec.name : `${spec.name}[${at}]`), field));
  const read = (field) => {
    if (spec.dtype === "bool") return field.value === "true";
    return number ? (field.value === "" ? null : Number(field.value)) : field.value;
  };
  const range = spec.minimum === null || spec.minimum === undefined ? [] :
    [make("p", { className: "quiet" }, `Training had ${spec.minimum} to ${spec.maximum}${spec.nullable ? "; empty is missing" : ""}.`)];
  return {
    element: make("div", {}, make("div", { className: "fields", role: "group", "aria-label": spec.name, tabIndex: 0 }, ...named), ...range),
    value: () => nested(all.map(read), shape),
    set: (value) => flattened(value).forEach((each, at) => { all[at].value = each ?? ""; }),
    clear: () => all.forEach((field) => { field.value = ""; }),
  };
}

function json(spec) {
  const area = make("textarea", { rows: 8, id: `input-${spec.name}`, spellcheck: false });
  return {
    element: make("div", {}, make("label", { htmlFor: area.id }, `${spec.name}, as JSON`), area),
    value: () => JSON.parse(area.value),
    set: (value) => { area.value = JSON.stringify(value); },
    clear: () => { area.value = ""; },
  };
}

function pad(spec, shape, { height, width }) {
  const low = spec.minimum ?? 0;
  const high = spec.maximum ?? 1;
  const ink = new Float32Array(height * width); // 0 to 1
  const cursor = { x: width >> 1, y: height >> 1, shown: false, down: false };
  const canvas = make("canvas", {
    className: "pad", width, height, tabIndex: 0, role: "application", "aria-roledescription": "drawing pad",
    "aria-label": `${spec.name}: draw with a pointer, or move with the arrow keys and hold the pen down with Space`,
  });
  const context = canvas.getContext("2d");
  const radius = Math.max(1, Math.min(width, height) / 12);

  function show() {
    const image = context.createImageData(width, height);
    ink.forEach((value, at) => image.data.set([255 * value, 255 * value, 255 * value, 255], 4 * at));
    context.putImageData(image, 0, 0);
    if (cursor.shown) {
      context.fillStyle = cursor.down ? "#ff8c00" : "#3fa7ff";
      context.fillRect(cursor.x, cursor.y, 1, 1);
    }
  }

  function dab(x, y) {
    for (let row = Math.max(0, Math.floor(y - radius)); row <= Math.min(height - 1, y + radius); row++) {
      for (let column = Math.max(0, Math.floor(x - radius)); column <= Math.min(width - 1, x + radius); column++) {
        const away = Math.hypot(column + 0.5 - x, row + 0.5 - y) / radius;
        const value = Math.max(0, Math.min(1, 1.6 * (1 - away)));
        ink[row * width + column] = Math.max(ink[row * width + column], value);
      }
    }
  }

  let last = null;
  function draw(event) {
    const box = canvas.getBoundingClientRect();
    const to = { x: ((event.clientX - box.left) * width) / box.width, y: ((event.clientY - box.top) * height) / box.height };
    const from = last ?? to;
    const steps = Math.ceil(Math.hypot(to.x - from.x, to.y - from.y)) + 1;
    for (let step = 0; step <= steps; step++) {
      dab(from.x + ((to.x - from.x) * step) / steps, from.y + ((to.y - from.y) * step) / steps);
    }
    last = to;
    show();
  }
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    last = null;
    draw(event);
  });
  canvas.addEventListener("pointermove", (event) => { if (event.buttons && last) draw(event); });
  for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, () => { last = null; });
  const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  canvas.addEventListener("keydown", (event) => {
    if (event.key === " ") cursor.down = true;
    else if (event.key === "Delete" || event.key === "Backspace") ink.fill(0);
    else if (moves[event.key]) {
      cursor.x = Math.max(0, Math.min(width - 1, cursor.x + moves[event.key][0]));
      cursor.y = Math.max(0, Math.min(height - 1, cursor.y + moves[event.key][1]));
    } else return;
    event.preventDefault();
    if (cursor.down) dab(cursor.x + 0.5, cursor.y + 0.5);
    show();
  });
  canvas.addEventListener("keyup", (event) => { if (event.key === " ") { cursor.down = false; show(); } });
  canvas.addEventListener("focus", () => { cursor.shown = canvas.matches(":focus-visible"); show(); });
  canvas.addEventListener("blur", () => { cursor.shown = cursor.down = false; show(); });

  const file = make("input", { type: "file", accept: "image/*", id: `file-${spec.name}` });
  file.addEventListener("change", async () => {
    if (!file.files.length) return;
    const bitmap = await createImageBitmap(file.files[0]);
    const small = make("canvas", { width, height }).getContext("2d");
    small.drawImage(bitmap, 0, 0, width, height);
    const { data } = small.getImageData(0, 0, width, height);
    ink.forEach((_, at) => { ink[at] = (0.299 * data[4 * at] + 0.587 * data[4 * at + 1] + 0.114 * data[4 * at + 2]) / 255; });
    show();
  });
  show();
  return {
    element: make("div", {}, canvas, make("label", { htmlFor: file.id }, "or an image file"), file),
    value: () => nested(Array.from(ink, (value) => low + value * (high - low)), shape),
    set: (value) => { flattened(value).forEach((each, at) => { ink[at] = (each - low) / (high - low || 1); }); show(); },
    clear: () => { ink.fill(0); file.value = ""; show(); },
  };
}
