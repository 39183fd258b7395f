"use strict";

// The sides of the pictures that the server accepts: a drawing, or a digit as the models see it.
const DRAWING_SIDE = 112, DIGIT_SIDE = 28;
const STROKE_WIDTH = 0.075; // of the drawing area's side
const ANNOUNCE_AFTER = 700; // ms without a new answer, so that a screen reader is not flooded
const RETRIES = 4, TIMEOUT = 10000;

const byId = id => document.getElementById(id);
const paper = byId("paper"), seen = byId("seen");

// The picture is a list of marks: strokes {points: [[x, y], ...]} with x and y from 0 to 1, and
// digits {pixels, description, button}. Every change appends a new list to the past.
let past = [[]];
const marks = () => past[past.length - 1];

// ---- drawing

function paint(context, side, ink) {
  context.strokeStyle = context.fillStyle = ink;
  context.lineWidth = STROKE_WIDTH * side;
  context.lineCap = context.lineJoin = "round";
  for (const mark of marks()) {
    if (mark.pixels) {
      context.imageSmoothingEnabled = false;
      context.drawImage(digitCanvas(mark.pixels, ink), 0, 0, side, side);
      continue;
    }
    const points = mark.points.map(([x, y]) => [x * side, y * side]);
    // A path of one point draws nothing, so draw a dot first.
    context.beginPath();
    context.arc(...points[0], context.lineWidth / 2, 0, 2 * Math.PI);
    context.fill();
    context.beginPath();
    for (const [x, y] of points) context.lineTo(x, y);
    context.stroke();
  }
}

function digitCanvas(pixels, ink) {
  const canvas = new OffscreenCanvas(DIGIT_SIDE, DIGIT_SIDE), context = canvas.getContext("2d");
  const image = context.createImageData(DIGIT_SIDE, DIGIT_SIDE);
  pixels.forEach((value, place) => { image.data[4 * place + 3] = value; });
  context.putImageData(image, 0, 0);
  context.globalCompositeOperation = "source-in";
  context.fillStyle = ink;
  context.fillRect(0, 0, DIGIT_SIDE, DIGIT_SIDE);
  return canvas;
}

function drawDigit(canvas, pixels) {
  const context = canvas.getContext("2d");
  context.clearRect(0, 0, DIGIT_SIDE, DIGIT_SIDE);
  if (pixels) context.drawImage(digitCanvas(pixels, "#fff"), 0, 0);
}

function pictureBytes() {
  const [first] = marks();
  if (marks().length === 1 && first.pixels) return first.pixels;
  const canvas = new OffscreenCanvas(DRAWING_SIDE, DRAWING_SIDE);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  paint(context, DRAWING_SIDE, "#fff");
  const { data } = context.getImageData(0, 0, DRAWING_SIDE, DRAWING_SIDE);
  return Uint8Array.from({ length: DRAWING_SIDE ** 2 }, (_, place) => data[4 * place + 3]);
}

let scheduled = false;
function changed() {
  if (scheduled) return;
  scheduled = true;
  requestAnimationFrame(() => {
    scheduled = false;
    redraw();
    ask();
  });
}

function redraw() {
  const context = paper.getContext("2d");
  context.clearRect(0, 0, paper.width, paper.height);
  paint(context, paper.width, getComputedStyle(paper).color);
  const strokes = marks().filter(mark => mark.points).length;
  const digit = marks().find(mark => mark.pixels);
  const content = [digit?.description, strokes && `${strokes} stroke${strokes > 1 ? "s" : ""}`];
  byId("chosen").textContent = digit ? `${digit.description}.` : "";
  paper.ariaLabel = `Drawing area, ${content.filter(Boolean).join(" and ") || "empty"}`;
  byId("undo").disabled = past.length === 1;
  byId("clear").disabled = marks().length === 0;
  for (const button of document.querySelectorAll(".strip button")) {
    button.ariaPressed = String(marks().length === 1 && marks()[0].button === button);
  }
}

function add(mark, before = marks()) {
  past.push([...before, mark]);
  changed();
}

function undo() {
  if (pen !== null || past.length === 1) return;
  past.pop();
  changed();
}

function clear() {
  if (pen !== null || marks().length === 0) return;
  past.push([]);
  changed();
}

let pen = null, stroke = null; // the pointer that draws (others are ignored), and its mark
const position = event => {
  const box = paper.getBoundingClientRect();
  return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
};
paper.addEventListener("pointerdown", event => {
  if (pen !== null || event.button !== 0) return;
  event.preventDefault();
  pen = event.pointerId;
  paper.setPointerCapture(pen);
  stroke = { points: [position(event)] };
  add(stroke);
});
paper.addEventListener("pointermove", event => {
  if (event.pointerId !== pen) return;
  const all = event.getCoalescedEvents?.() ?? [];
  stroke.points.push(...(all.length ? all : [event]).map(position));
  changed();
});
for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) {
  paper.addEventListener(end, event => {
    if (event.pointerId === pen) pen = null;
  });
}
byId("undo").addEventListener("click", undo);
byId("clear").addEventListener("click", clear);
document.addEventListener("keydown", event => {
  if ((event.ctrlKey || event.metaKey) && !event.shiftKey && event.key.toLowerCase() === "z") undo();
  else if (["Escape", "Delete"].includes(event.key)) clear();
  else return;
  event.preventDefault();
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);

// ---- requests: one at a time, and always for the latest picture

let asking = false, again = false;
async function ask() {
  again = true;
  if (asking) return;
  asking = true;
  for (let failures = 0; again;) {
    again = false;
    if (marks().length === 0) {
      forget();
      continue;
    }
    const start = performance.now();
    try {
      const answer = await post(pictureBytes());
      failures = 0;
      if (marks().length) show(answer, performance.now() - start);
    } catch (error) {
      if (error.busy && ++failures <= RETRIES) {
        again = true;
        await new Promise(resolve => setTimeout(resolve, 200 * failures));
      } else {
        complain(error.refusal ?? "The server does not answer. Is it still running?");
      }
    }
  }
  asking = false;
}

async function post(body) {
  const response = await fetch("/predict", {
    method: "POST",
    body,
    headers: { "Content-Type": "application/octet-stream" },
    signal: AbortSignal.timeout(TIMEOUT),
  });
  if (response.ok) return response.json();
  if (response.status === 503) throw { busy: true, refusal: "The server is busy." };
  throw { refusal: `The server refused: ${(await response.json()).error}` };
}

// ---- showing

const percent = value => `${(100 * value).toFixed(1)} %`;
const cards = new Map();

function card(model) {
  if (!cards.has(model.name)) {
    const article = byId("model").content.cloneNode(true).firstElementChild;
    article.style.setProperty("--colour", `var(--model-${cards.size % 6})`);
    article.querySelector(".title").textContent = model.title;
    article.querySelector("caption").textContent = `Probability of each digit, ${model.title}`;
    const body = article.querySelector("tbody");
    for (let digit = 0; digit < 10; digit++) {
      const row = body.insertRow(), head = document.createElement("th");
      head.scope = "row";
      head.textContent = digit;
      const track = document.createElement("span"), bar = document.createElement("span");
      track.className = "track";
      bar.className = "bar";
      track.append(bar);
      row.append(head);
      row.insertCell().append(track);
      row.insertCell();
    }
    byId("models").append(article);
    cards.set(model.name, article);
  }
  return cards.get(model.name);
}

function showModel(model, isApart) {
  const article = card(model), { digit, sure } = model;
  article.classList.toggle("unsure", !sure);
  article.classList.toggle("apart", isApart);
  article.querySelector(".digit").textContent = sure ? digit : `${digit}?`;
  article.querySelector(".sureness").textContent =
    sure ? percent(model.probabilities[digit]) : `not sure, ${percent(model.probabilities[digit])}`;
  article.querySelector(".time").textContent = `${model.milliseconds.toFixed(1)} ms`;
  [...article.querySelector("tbody").rows].forEach((row, place) => {
    row.classList.toggle("top", place === digit);
    row.querySelector(".bar").style.width = `${100 * model.probabilities[place]}%`;
    row.cells[2].textContent = percent(model.probabilities[place]);
  });
}

// The digit that more than half of the models predict, to mark the others; or null.
function majorityOf(models) {
  const count = digit => models.filter(model => model.digit === digit).length;
  return models.find(({ digit }) => 2 * count(digit) > models.length)?.digit ?? null;
}

const inWords = model => `${model.title}: ${model.sure ? "" : "not sure, perhaps "}${model.digit}`;

function show(answer, roundTrip) {
  const { models, agree } = answer;
  const majority = majorityOf(models);
  for (const model of models) showModel(model, model.digit !== majority);
  drawDigit(seen, bytes(answer.seen));
  seen.ariaLabel = "What the models see: the drawing in 28 by 28 pixels";
  byId("latency").textContent =
    `Answered in ${answer.milliseconds.toFixed(1)} ms, ${roundTrip.toFixed(1)} ms including the transfer.`;
  const said = `${models.map(inWords).join(". ")}.`;
  say(agree ? said : `The models disagree. ${said}`, !agree);
  announce(`${byId("chosen").textContent} ${byId("verdict").textContent}`.trim());
}

function say(text, split = false) {
  byId("verdict").textContent = text;
  byId("verdict").classList.toggle("split", split);
}

function complain(text) {
  say(text, true);
  announce(text);
}

function forget() {
  for (const article of cards.values()) article.remove();
  cards.clear();
  drawDigit(seen, null);
  seen.ariaLabel = "What the models see: nothing yet";
  byId("latency").textContent = "";
  say("Draw something, or choose a test digit.");
  announce("The drawing area is empty.");
}

let timer = 0;
function announce(text) {
  clearTimeout(timer);
  timer = setTimeout(() => { byId("announcement").textContent = text; }, ANNOUNCE_AFTER);
}

// ---- test digits

const bytes = text => Uint8Array.from(atob(text), letter => letter.charCodeAt(0));

async function showExamples() {
  const { source, examples } = await (await fetch("/examples")).json();
  byId("source").textContent = source;
  for (const { pixels, caption, description, label_error: suspect } of examples) {
    const button = document.createElement("button"), canvas = document.createElement("canvas");
    button.type = "button";
    button.title = button.ariaLabel = description;
    button.ariaPressed = "false";
    button.classList.toggle("suspect", suspect);
    canvas.width = canvas.height = DIGIT_SIDE;
    drawDigit(canvas, bytes(pixels));
    button.append(canvas, caption);
    button.addEventListener("click", () => add({ pixels: bytes(pixels), description, button }, []));
    const item = document.createElement("li");
    item.append(button);
    byId("strip").append(item);
  }
}

showExamples().catch(() => complain("The test digits could not be loaded. Is the server still running?"));
redraw();
