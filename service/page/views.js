// What a service answered, as elements.
import { figure, flattened, make } from "./dom.js";
import { picture } from "./inputs.js";

const MOST = 12;

export function answer(told, model) {
  const [first] = Object.values(told.outputs);
  const values = flattened(first);
  if (told.label !== undefined) {
    const ranked = values.map((value, at) => [model.labels[at], value]).sort((a, b) => b[1] - a[1]).slice(0, 5);
    return [
      make("p", { className: "best", id: "best" }, told.label),
      make("p", { className: "quiet" }, `with a probability of ${figure(told.probability)}`),
      bars(ranked, 1),
    ];
  }
  return Object.entries(told.outputs).map(([name, value]) => {
    const flat = flattened(value);
    const shown = flat.slice(0, MOST).map(figure).join(", ") + (flat.length > MOST ? ` ... (${flat.length} values)` : "");
    return make("p", {}, make("span", { className: "quiet" }, `${name} `), make("span", { className: "best" }, shown));
  });
}

export function explanation(told, inputs, model) {
  const target = typeof told.target === "string" ? `the probability of ${told.target}` : "the answer";
  const text = `Without the input ${target} would be ${figure(told.baseline)}; the input makes it ${figure(told.value)}.`;
  if (told.standardError === null) {
    const why = `This model is too slow to explain well: ${figure(told.seconds)} s were enough to look at each part once, so even what speaks for or against it may be chance.`;
    return [make("h3", {}, "Why"), make("p", { id: "unsure" }, why)];
  }
  const parts = [], rows = [];
  for (const [name, credits] of Object.entries(told.attributions)) {
    const spec = model.inputs.find((each) => each.name === name);
    const grid = !credits.words && picture(spec.shape.slice(1));
    if (credits.words) parts.push(words(credits));
    else if (grid) parts.push(map(flattened(inputs[name]), flattened(credits), grid, spec));
    else flattened(credits).forEach((value, at, all) => rows.push([all.length === 1 ? name : `${name}[${at}]`, value]));
  }
  // Numbers of all inputs share a scale: an input of its own for each of them says nothing about their weight.
  rows.sort((a, b) => Math.abs(b[1]) - Math.abs(a[1]));
  if (rows.length) parts.push(bars(rows.slice(0, MOST), Math.abs(rows[0][1]), true));
  const key = make("p", { className: "quiet key" }, swatch("for"), " speaks for it, ", swatch("against"), " against it.");
  return [make("h3", {}, "Why"), make("p", { className: "quiet" }, text), ...parts, key];
}

function swatch(name) {
  const found = make("i", {});
  found.style.background = `var(--${name})`;
  return found;
}

function bars(rows, most, signed = false) {
  return make("ul", { className: "bars" }, ...rows.map(([name, value]) => {
    const bar = make("i", { className: signed ? (value > 0 ? "for" : "against") : "" });
    bar.style.width = `${(100 * Math.abs(value)) / (most || 1)}%`;
    return make("li", {}, make("span", {}, name), bar, make("span", {}, (signed && value > 0 ? "+" : "") + figure(value)));
  }));
}

function words({ words: list, values }) {
  const most = Math.max(...values.map(Math.abs), 1e-12);
  const spans = list.flatMap((word, at) => {
    const span = make("span", { title: figure(values[at]) }, word);
    const share = Math.round((100 * Math.abs(values[at])) / most);
    span.style.borderBottomColor = `color-mix(in srgb, var(--${values[at] > 0 ? "for" : "against"}) ${share}%, transparent)`;
    return [span, " "];
  });
  const ranked = list.map((word, at) => [word, values[at]]).sort((a, b) => Math.abs(b[1]) - Math.abs(a[1]));
  return make("div", {}, make("p", { className: "words" }, ...spans), bars(ranked.slice(0, MOST), most, true));
}

function map(values, credits, { height, width }, spec) {
  const canvas = make("canvas", { id: "map", width, height, role: "img", "aria-label": place(credits, height, width) });
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  const most = Math.max(...credits.map(Math.abs), 1e-12);
  const low = spec.minimum ?? 0;
  const range = (spec.maximum ?? 1) - low || 1;
  credits.forEach((credit, at) => {
    const grey = (130 * (values[at] - low)) / range;
    const share = Math.abs(credit) / most;
    const colour = credit > 0 ? [255, 70, 50] : [60, 130, 255];
    image.data.set([...colour.map((part) => grey * (1 - share) + part * share), 255], 4 * at);
  });
  context.putImageData(image, 0, 0);
  return canvas;
}

// The same in words, for who does not see the map.
function place(credits, height, width) {
  const thirds = Array(9).fill(0);
  credits.forEach((credit, at) => {
    const row = Math.floor((3 * Math.floor(at / width)) / height);
    thirds[3 * row + Math.floor((3 * (at % width)) / width)] += credit;
  });
  const names = ["top left", "top", "top right", "left", "centre", "right", "bottom left", "bottom", "bottom right"];
  const best = thirds.indexOf(Math.max(...thirds));
  const worst = thirds.indexOf(Math.min(...thirds));
  const against = thirds[worst] < 0 ? `; most against it the ${names[worst]} (${figure(thirds[worst])})` : "";
  return `Most speaks for it at the ${names[best]} (+${figure(thirds[best])})${against}`;
}

export function live(told, rates) {
  const { runtime, process, queue, stages, feedback, artifact } = told;
  const predicted = ["/predict", "/v2/infer"].map((name) => told.answers[name] ?? {});
  const count = (kind) => predicted.reduce((sum, each) => sum + Object.entries(each)
    .filter(([status]) => kind(Number(status))).reduce((part, [, value]) => part + value, 0), 0);
  const right = feedback.accuracy ?? feedback.meanError;
  return [
    list([
      ["requests/s", figure(rates.at(-1) ?? 0)],
      ["answered", `${count((status) => status === 200).toLocaleString()}; refused ${count((status) => status >= 400 && status < 500)}, failed ${count((status) => status >= 500)}`],
      ["mean ms", `parse ${figure(1e3 * stages.parse)}, model ${figure(1e3 * stages.model)}, encode ${figure(1e3 * stages.encode)}`],
      ["waiting", `${queue.waiting} of ${queue.most}; ${queue.connections} connections`],
      ["workers", `${process.pids.length}, ${(process.memory / 1e6).toFixed(0)} MB, up ${process.upSeconds.toLocaleString()} s`],
      [feedback.accuracy === null && feedback.meanError !== null ? "mean error" : "accuracy", right === null ? "no feedback yet" : `${figure(right)} of ${feedback.outcomes.scored} scored`],
      ["serves", `${artifact.variant ?? ""} ${artifact.digest.slice(7, 19)} on ${runtime.provider}`],
    ]),
    spark(rates),
  ];
}

export function drift({ drift }) {
  const summary = drift.samples
    ? `${drift.drifted} of ${drift.watched} features of the inputs have drifted from training, by ${Math.round(drift.samples)} samples.`
    : `${drift.watched} features of the inputs are watched; there were no samples yet.`;
  const head = make("tr", {}, ...["feature", "PSI", "limit", "KS"].map((name) => make("th", { scope: "col" }, name)));
  const rows = drift.most.map((each) => make("tr", { className: each.psi > each.limit ? "bad" : "" },
    ...[`${each.input} ${each.feature}`, figure(each.psi), figure(each.limit), figure(each.ks)].map((cell) => make("td", {}, cell))));
  const table = rows.length ? [make("div", { className: "wide", tabIndex: 0, role: "region", "aria-label": "drift by feature" }, make("table", {}, make("thead", {}, head), make("tbody", {}, ...rows)))] : [];
  return [make("p", { className: drift.drifted ? "bad" : "" }, summary), ...table];
}

function list(rows) {
  return make("dl", {}, ...rows.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
}

function spark(rates) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  const line = document.createElementNS(space, "polyline");
  const most = Math.max(...rates, 1);
  svg.setAttribute("class", "spark");
  svg.setAttribute("viewBox", "0 0 60 20");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", `requests a second over the last two minutes, at most ${figure(most)}`);
  line.setAttribute("vector-effect", "non-scaling-stroke");
  line.setAttribute("points", rates.map((rate, at) => `${60 - rates.length + at},${19 - (18 * rate) / most}`).join(" "));
  svg.append(line);
  return svg;
}

// The card's Markdown: headings, tables, lists, bold and the plot are all there is.
export function card(text, plot) {
  const found = [];
  let table = null;
  for (const line of text.split("\n")) {
    if (line.startsWith("|")) {
      const cells = line.slice(1, -1).split("|").map((cell) => cell.trim());
      if (cells.every((cell) => /^-+$/.test(cell))) continue;
      if (!table) {
        table = make("tbody", {});
        const head = make("thead", {}, make("tr", {}, ...cells.map((cell) => make("th", { scope: "col" }, cell))));
        found.push(make("div", { className: "wide", tabIndex: 0, role: "region", "aria-label": cells[0] }, make("table", {}, head, table)));
      } else table.append(make("tr", {}, ...cells.map((cell) => make("td", {}, cell))));
      continue;
    }
    table = null;
    const image = /^!\[(.*)\]\(.*\)$/.exec(line);
    if (image) { if (plot) found.push(make("img", { id: "plot", src: plot, alt: `${image[1]}; the table above has the figures`, width: 960, height: 540 })); }
    else if (line.startsWith("# ")) found.push(make("h3", {}, line.slice(2)));
    else if (line.startsWith("- ")) {
      if (found.at(-1)?.tagName !== "UL") found.push(make("ul", {}));
      found.at(-1).append(make("li", {}, ...bold(line.slice(2))));
    } else if (line.trim()) found.push(make("p", {}, ...bold(line)));
  }
  return found;
}

const bold = (line) => line.split("**").map((part, at) => (at % 2 ? make("strong", {}, part) : part));
