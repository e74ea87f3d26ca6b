// Elements without markup in strings: what a service answers is only ever text.

export function make(name, properties = {}, ...children) {
  const found = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key in found) found[key] = value;
    else found.setAttribute(key, value);
  }
  found.append(...children.filter((each) => each !== null && each !== undefined));
  return found;
}

export const by = (id) => document.getElementById(id);

// Nested lists of `shape` from flat values, and back.
export function nested(flat, shape) {
  if (!shape.length) return flat[0];
  const [size, ...rest] = shape;
  const step = flat.length / size;
  return Array.from({ length: size }, (_, at) => nested(flat.slice(at * step, (at + 1) * step), rest));
}

export const flattened = (value) => (Array.isArray(value) ? value.flat(Infinity) : [value]);

export function figure(value) {
  if (value === null || value === undefined) return "-";
  if (typeof value !== "number" || Number.isInteger(value)) return value.toLocaleString();
  return Math.abs(value) >= 1e-3 || value === 0 ? value.toPrecision(4) : value.toExponential(2);
}
