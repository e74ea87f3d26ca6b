// The page: a key, a question, its answer and why; beside them how the service is. The key is kept in this module only.
import { by, make } from "./dom.js";
import { editors } from "./inputs.js";
import * as views from "./views.js";

const LOOK_MS = 2000;
const state = { key: "", about: null, example: null, inputs: new Map(), token: null, turn: 0, rates: [], seen: null };

async function ask(path, options = {}) {
  const headers = { ...options.headers };
  if (state.key) headers.authorization = `Bearer ${state.key}`;
  const response = await fetch(path, { ...options, headers, credentials: "omit", cache: "no-store" });
  if (response.ok) return response;
  const { error } = await response.json().catch(() => ({ error: {} }));
  throw Object.assign(new Error(error?.message ?? `answer ${response.status}`), { status: response.status });
}

const post = (path, body) => ask(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });

function say(text, bad = false) {
  by("message").textContent = text;
  by("message").classList.toggle("bad", bad);
}

async function enter() {
  try {
    state.about = await (await ask("/")).json();
  } catch (error) {
    by("access").hidden = error.status !== 401 && error.status !== 403;
    if (state.key || by("access").hidden) say(error.message, true);
    by("key").focus();
    return;
  }
  const { about } = state;
  by("access").hidden = true;
  by("main").hidden = false;
  by("name").textContent = document.title = about.name;
  by("version").textContent = `${about.task}, version ${about.version}`;
  say("");
  state.inputs = editors(about.model.inputs);
  by("inputs").replaceChildren(...[...state.inputs.values()].map((each) => each.element));
  by("truth").hidden = true;
  const document_ = await (await ask("/openapi.json")).json();
  state.example = document_.paths["/predict"].post.requestBody.content["application/json"].example.inputs;
  const drawn = by("inputs").querySelector("canvas.pad");
  if (!drawn) fill();
  prepareTruth();
  showCard();
  look();
}

function fill() {
  for (const [name, editor] of state.inputs) editor.set(state.example[name]);
}

async function answer(event) {
  event.preventDefault();
  const turn = ++state.turn;
  by("why").replaceChildren();
  by("truth").hidden = true;
  let inputs;
  try {
    inputs = Object.fromEntries([...state.inputs].map(([name, editor]) => [name, editor.value()]));
    const response = await post("/predict", { inputs });
    const told = await response.json();
    if (turn !== state.turn) return;
    say("");
    by("answer").replaceChildren(...views.answer(told, state.about.model));
    state.token = response.headers.get("x-prediction-token");
    by("truth").hidden = !state.token;
    if (told.label !== undefined) by("label").value = told.label;
  } catch (error) {
    by("answer").replaceChildren(make("p", { className: "bad" }, error.message));
    return;
  }
  if (!state.about.explains) return;
  by("why").replaceChildren(make("p", { className: "quiet" }, "Looking for the reasons ..."));
  try {
    const told = await (await post("/explain", { inputs })).json();
    if (turn === state.turn) by("why").replaceChildren(...views.explanation(told, inputs, state.about.model));
  } catch (error) {
    if (turn === state.turn) by("why").replaceChildren(make("p", { className: "quiet" }, `Not explained: ${error.message}`));
  }
}

function prepareTruth() {
  const { labels, task } = state.about.model;
  by("label").replaceChildren(...(labels ?? []).map((name) => make("option", {}, name)));
  by("label").hidden = !labels;
  by("number").hidden = Boolean(labels) || task !== "regression";
  by("truth").querySelector("label").htmlFor = labels ? "label" : "number";
}

async function tell(event) {
  event.preventDefault();
  const { labels } = state.about.model;
  try {
    await post("/feedback", { token: state.token, label: labels ? by("label").value : Number(by("number").value) });
    say("Counted.");
  } catch (error) {
    say(error.message, true);
  }
  by("truth").hidden = true;
}

async function showCard() {
  try {
    const text = await (await ask("/model/card.md")).text();
    const plot = await ask("/model/variants.png").then((response) => response.blob(), () => null);
    by("card").replaceChildren(...views.card(text, plot && URL.createObjectURL(plot)));
  } catch {
    by("card").replaceChildren(make("p", { className: "quiet" }, "The artifact brings no card along."));
  }
}

async function look() {
  try {
    if (document.visibilityState === "visible") {
      const told = await (await ask("/status")).json();
      const count = ["/predict", "/v2/infer"].flatMap((name) => Object.values(told.answers[name] ?? {})).reduce((a, b) => a + b, 0);
      const now = performance.now();
      if (state.seen) state.rates.push(Math.max(0, (1000 * (count - state.seen.count)) / (now - state.seen.now)));
      state.seen = { count, now };
      state.rates = state.rates.slice(-60);
      by("figures").replaceChildren(...views.live(told, state.rates));
      by("drifted").replaceChildren(...views.drift(told));
      if (told.artifact.digest !== state.about.digest) say("Another version serves by now: load this page anew.");
    }
  } catch (error) {
    say(`No figures: ${error.message}`, true);
  }
  setTimeout(look, LOOK_MS);
}

by("access").addEventListener("submit", (event) => {
  event.preventDefault();
  state.key = by("key").value.trim().split(" ").at(-1);
  by("key").value = "";
  enter();
});
by("ask").addEventListener("submit", answer);
by("truth").addEventListener("submit", tell);
by("example").addEventListener("click", fill);
by("clear").addEventListener("click", () => state.inputs.forEach((editor) => editor.clear()));
enter();
