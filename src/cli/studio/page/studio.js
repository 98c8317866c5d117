// The page: shows what the program tells, and tells it what the user does. Names are text everywhere: nothing here makes
// elements from strings.

import { Camera } from "./camera.js";
import { drawCurves } from "./curves.js";

const $ = (id) => document.getElementById(id);
const LARGEST_FILE = 32 << 20;
const SHORT_PRESS = 300; // milliseconds: a shorter press records until the next one
const NETWORKS = {
  sface: ["SFace", "Best, and done in seconds: it knows faces already, also in masks, and a person is what their faces have in common."],
  face: ["dlib's network", "The same with another network: a little better with a single small photo, much worse with masks."],
  scratch: ["From scratch", "A small network that learns from these faces alone. It needs many of each person, and minutes."],
  vgg16: ["VGG16", "Learns on top of what a large network knows of pictures. Its weights must be here: lookalike weights get vgg16."],
  "vgg16-gap": ["VGG16, averaged", "For few photos, on top of VGG16. Its weights must be here: lookalike weights get vgg16."],
};

// ── the line to the program ──

// The token stands behind '#', which no browser sends anywhere. This window remembers it, the address bar does not.
const token = location.hash.slice(1) || sessionStorage.getItem("token") || "";
sessionStorage.setItem("token", token);
history.replaceState(null, "", location.pathname);

let socket = null;
let tries = 0;
let state = null;
const waiting = { frame: null, photo: null };

function connect() {
  if (!token) return say("Open the address that the terminal shows, with all that stands behind '#'.", true, true);
  socket = new WebSocket(`ws://${location.host}/session`, ["lookalike", token]);
  socket.binaryType = "arraybuffer";
  socket.onmessage = ({ data }) => {
    tries = 0;
    if (typeof data === "string") hear(JSON.parse(data)); else thumbnail(data);
  };
  socket.onclose = ({ code, reason }) => {
    for (const key of Object.keys(waiting)) waiting[key]?.({ problem: "the studio has gone" });
    releaseHold();
    document.body.classList.add("gone");
    if (code === 4001 || code === 1008) return say(`${reason}. Reload this page to use it here.`, true, true);
    if (++tries <= 5) return setTimeout(connect, 300 * tries);
    say("The studio has ended. Start it again with: lookalike studio", true, true);
  };
  socket.onopen = () => document.body.classList.remove("gone");
}

const isOpen = () => socket?.readyState === WebSocket.OPEN;
const ask = (request) => { if (isOpen()) socket.send(JSON.stringify(request)); };

function sendPicture(kind, number, bytes) {
  const message = new Uint8Array(5 + bytes.byteLength);
  message[0] = kind;
  new DataView(message.buffer).setUint32(1, number, true);
  message.set(new Uint8Array(bytes), 5);
  socket.send(message);
}

function hear(event) {
  switch (event.event) {
    case "state": state = event; return showState();
    case "face": return addFace(event.person, event.face);
    case "recording_ended": return held?.id === event.person ? releaseHold() : undefined;
    case "frame": return waiting.frame?.(event);
    case "photo": return waiting.photo?.(event);
    case "features": return showProgress(`Looking at the faces: ${event.done} of ${event.total}`, event.done / event.total);
    case "step": return showProgress(`Epoch ${event.epoch} of at most ${state.training?.epochs ?? "?"}`, event.done / event.all);
    case "epoch": state.training?.curve.push(event); return drawCurves($("curves"), state.training?.curve ?? []);
    case "note": return say(event.text);
    case "problem": return say(event.text, true);
  }
}

// ── what is said ──

function say(text, wrong = false, stays = false) {
  const line = document.createElement("div");
  line.classList.toggle("wrong", wrong);
  const words = document.createElement("span");
  words.textContent = text;
  const close = document.createElement("button");
  close.type = "button";
  close.textContent = "✕";
  close.setAttribute("aria-label", "Close this message");
  close.onclick = () => line.remove();
  line.append(words, close);
  $("said").append(line);
  while ($("said").children.length > 4) $("said").firstChild.remove();
  if (!stays) setTimeout(() => line.remove(), wrong ? 15000 : 6000);
}

// Resolves to the text, or true where none is asked for; null if the user does not want to.
function dialog(title, yes, text) {
  $("ask-title").textContent = title;
  $("ask-yes").textContent = yes;
  $("ask-text").hidden = text === undefined;
  $("ask-text").required = text !== undefined;
  $("ask-text").value = text ?? "";
  $("ask").returnValue = "no";
  $("ask").showModal();
  return new Promise((resolve) => {
    $("ask").onclose = () => {
      if ($("ask").returnValue !== "yes") return resolve(null);
      resolve(text === undefined ? true : $("ask-text").value);
    };
  });
}

// ── people and their faces ──

const cards = new Map(); // person → {element, faces: Map(face → element)}
const pictures = new Map(); // face → address of its small picture

function thumbnail(data) {
  const face = new DataView(data).getUint32(0, true);
  const old = pictures.get(face);
  if (old) URL.revokeObjectURL(old);
  const address = URL.createObjectURL(new Blob([data.slice(4)], { type: "image/jpeg" }));
  pictures.set(face, address);
  for (const card of cards.values()) card.faces.get(face)?.querySelector("img").setAttribute("src", address);
}

function showState() {
  $("device").textContent = state.device;
  showProjects();
  const known = new Set(state.people.map((person) => person.id));
  for (const [id, card] of cards) if (!known.has(id)) { card.element.remove(); cards.delete(id); }
  for (const person of state.people) showPerson(person);
  const faces = new Set(state.people.flatMap((person) => person.faces));
  for (const [face, address] of pictures) if (!faces.has(face)) { URL.revokeObjectURL(address); pictures.delete(face); }
  showTraining();
}

function showPerson({ id, name, faces }) {
  const card = cards.get(id) ?? makeCard(id);
  const field = card.element.querySelector(".name");
  if (document.activeElement !== field) field.value = name;
  field.setAttribute("aria-label", `Name of ${name}`);
  card.element.querySelector(".remove").setAttribute("aria-label", `Remove ${name}`);
  card.element.querySelector(".hold").setAttribute("aria-label", `Hold to record ${name}`);
  card.element.querySelector(".pick").setAttribute("aria-label", `Add photos of ${name}`);
  const wanted = new Set(faces);
  for (const [face, element] of card.faces) if (!wanted.has(face)) { element.remove(); card.faces.delete(face); }
  for (const face of faces) if (!card.faces.has(face)) makeFace(card, face, name);
  count(id);
}

function makeCard(id) {
  const element = $("card").content.firstElementChild.cloneNode(true);
  const card = { element, faces: new Map() };
  const name = element.querySelector(".name");
  name.onchange = () => ask({ do: "rename_person", person: id, name: name.value });
  name.onkeydown = (event) => { if (event.key === "Enter") name.blur(); };
  element.querySelector(".remove").onclick = async () => {
    const faces = card.faces.size;
    const sure = faces === 0 || await dialog(`Remove ${name.value} and ${faces} faces?`, "Remove");
    if (sure) ask({ do: "remove_person", person: id });
  };
  holds(element.querySelector(".hold"), id);
  const files = element.querySelector(".files");
  element.querySelector(".pick").onclick = () => files.click();
  files.onchange = () => { addPhotos(id, [...files.files]); files.value = ""; };
  element.ondragover = (event) => { event.preventDefault(); element.classList.add("over"); };
  element.ondragleave = () => element.classList.remove("over");
  element.ondrop = (event) => {
    event.preventDefault();
    element.classList.remove("over");
    addPhotos(id, [...event.dataTransfer.files]);
  };
  cards.set(id, card);
  $("cards").append(element);
  return card;
}

function makeFace(card, face, name) {
  const item = document.createElement("li");
  const button = document.createElement("button");
  button.type = "button";
  button.setAttribute("aria-label", `Remove face ${face} of ${name}`);
  button.title = "Remove this face";
  button.onclick = () => ask({ do: "remove_face", face });
  const picture = document.createElement("img");
  picture.alt = "";
  if (pictures.has(face)) picture.src = pictures.get(face);
  button.append(picture);
  item.append(button);
  card.faces.set(face, item);
  card.element.querySelector(".faces").prepend(item);
}

function addFace(id, face) {
  const person = state?.people.find((known) => known.id === id);
  if (!person) return;
  person.faces.push(face);
  if (state.model) state.model.current = false;
  makeFace(cards.get(id), face, person.name);
  count(id);
  showTraining();
}

function count(id) {
  const faces = cards.get(id).faces.size;
  cards.get(id).element.querySelector(".count").textContent = faces === 1 ? "1 face" : `${faces} faces`;
}

$("add-person").onsubmit = (event) => {
  event.preventDefault();
  ask({ do: "add_person", name: $("new-name").value });
  $("new-name").value = "";
};

// ── recording ──

let held = null; // {button, id, since, latched}

function press(button, id) {
  if (held?.button === button) return releaseHold(); // a second short press
  releaseHold();
  held = { button, id, since: performance.now(), latched: false };
  button.setAttribute("aria-pressed", "true");
  button.textContent = "Recording…";
  const begin = () => ask({ do: "record", person: id });
  if (camera.isOn) begin(); else turnOn().then(() => { if (held?.button === button) begin(); });
}

function letGo(button) {
  if (held?.button !== button || held.latched) return;
  if (performance.now() - held.since < SHORT_PRESS) held.latched = true; else releaseHold();
}

function releaseHold() {
  if (!held) return;
  held.button.setAttribute("aria-pressed", "false");
  held.button.textContent = "Hold to record";
  held = null;
  ask({ do: "record", person: null });
}

function holds(button, id) {
  const isKey = (event) => event.key === " " || event.key === "Enter";
  button.onpointerdown = (event) => { if (event.button === 0) { button.setPointerCapture(event.pointerId); press(button, id); } };
  button.onpointerup = button.onpointercancel = () => letGo(button);
  button.onkeydown = (event) => { if (isKey(event)) { event.preventDefault(); if (!event.repeat) press(button, id); } };
  button.onkeyup = (event) => { if (isKey(event)) { event.preventDefault(); letGo(button); } };
  button.onclick = (event) => {
    // Screen readers click without pressing anything.
    if (event.detail === 0 && event.pointerType !== "mouse" && !held) { press(button, id); if (held) held.latched = true; }
  };
  button.oncontextmenu = (event) => event.preventDefault();
}

// ── photos from files ──

let photos = Promise.resolve();

function addPhotos(person, files) {
  photos = photos.then(async () => {
    let good = 0;
    for (const file of files) {
      if (!isOpen()) return;
      if (file.size > LARGEST_FILE) { say(`${file.name}: larger than 32 MB; make it smaller`, true); continue; }
      const bytes = await file.arrayBuffer();
      const answered = new Promise((resolve) => { waiting.photo = resolve; });
      sendPicture(2, person, bytes);
      const { problem, note } = await answered;
      waiting.photo = null;
      if (problem) say(`${file.name}: ${problem}`, true); else good++;
      if (note) say(`${file.name}: ${note}`);
    }
    if (files.length > 1) say(`${good} of ${files.length} photos added`);
  });
}

// ── training ──

function showProgress(text, share) {
  $("progress-text").textContent = text;
  $("progress").hidden = share === null;
  if (share !== null) $("progress").value = Number.isFinite(share) ? share : 1;
}

function showTraining() {
  const { training, model, networks, people } = state;
  const ready = people.filter((person) => person.faces.length > 0).length >= 2;
  $("train").disabled = !ready || training !== null;
  $("train").textContent = model && !training ? "Train again" : "Train";
  $("stop").hidden = training === null;
  $("save-faces").hidden = !ready;
  if (training) {
    if ($("progress").hidden) showProgress("Training begins…", 0);
  } else {
    showProgress(ready ? "" : "Record faces of two people to begin.", null);
  }
  if (training || $("curves").dataset.project !== state.project.id) drawCurves($("curves"), training?.curve ?? []);
  $("curves").dataset.project = state.project.id;
  $("model").hidden = model === null || training !== null;
  if (model) {
    $("result").textContent = `${model.people} people learned (${NETWORKS[model.network]?.[0] ?? model.network}). ${model.result}`;
    $("stale").hidden = model.current;
  }
  if ($("network").options.length === 0) {
    for (const { name } of networks) $("network").add(new Option(NETWORKS[name]?.[0] ?? name, name));
    showNetwork();
  }
}

function showNetwork() {
  const name = $("network").value;
  $("about-network").textContent = NETWORKS[name]?.[1] ?? "";
  $("epochs-row").hidden = !state.networks.find((network) => network.name === name)?.epochs;
}

$("network").onchange = showNetwork;
$("train").onclick = () => {
  drawCurves($("curves"), []);
  ask({ do: "train", network: $("network").value, epochs: Math.min(Math.max(Math.round($("epochs").valueAsNumber) || 1, 1), 1000) });
};
$("stop").onclick = () => { ask({ do: "stop_training" }); showProgress("Stopping after this step…", null); };

for (const button of document.querySelectorAll("button[data-file]")) {
  button.onclick = async () => {
    button.disabled = true;
    try {
      const answer = await fetch(`/${button.dataset.file}`, { headers: { Authorization: `Bearer ${token}` } });
      if (!answer.ok) return say(await answer.text(), true);
      const link = document.createElement("a");
      link.href = URL.createObjectURL(await answer.blob());
      link.download = button.dataset.name;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 60000);
    } catch {
      say("The studio does not answer.", true);
    } finally {
      button.disabled = false;
    }
  };
}

// ── projects ──

function showProjects() {
  const { projects, project } = state;
  $("projects").replaceChildren(...projects.map(({ id, title }) => new Option(title, id, false, id === project.id)));
}

$("projects").onchange = () => ask({ do: "open_project", project: $("projects").value });
$("new-project").onclick = async () => {
  const title = await dialog("Title of the new project", "Create", "");
  if (title !== null) ask({ do: "new_project", title });
};
$("rename-project").onclick = async () => {
  const title = await dialog("New title of this project", "Rename", state.project.title);
  if (title !== null) ask({ do: "rename_project", title });
};
$("remove-project").onclick = async () => {
  if (await dialog(`Delete ${state.project.title} with all its faces and its model?`, "Delete")) ask({ do: "remove_project" });
};

// ── the camera ──

const camera = new Camera($("stage"), $("video"), $("boxes"));

async function turnOn() {
  try {
    await camera.start($("cameras").value);
  } catch (problem) {
    return say(`The camera cannot be used (${problem.name}). Allow it for this page, and close other programs that use it.`, true);
  }
  const { current, cameras } = await camera.list();
  $("cameras").replaceChildren(...cameras.map(([id, label]) => new Option(label, id, false, id === current)));
  $("cameras").hidden = cameras.length < 2;
  showCamera();
  watch();
}

function showCamera() {
  $("off").hidden = camera.isOn;
  $("camera").textContent = camera.isOn ? "Turn camera off" : "Turn camera on";
  if (!camera.isOn) { $("numbers").textContent = ""; $("seen").replaceChildren(); }
}

$("camera").onclick = () => { if (camera.isOn) { releaseHold(); camera.stop(); showCamera(); } else turnOn(); };
$("cameras").onchange = turnOn;
$("mirror").onchange = () => $("stage").classList.toggle("mirrored", $("mirror").checked);

// Sends a frame, waits for its answer, then takes the newest: so the picture never lags behind, however slow the device is.
let watching = false;
let number = 0;
async function watch() {
  if (watching) return;
  watching = true;
  let interval = 0, latency = 0, last = null;
  const smooth = (old, now) => (old ? old + 0.15 * (now - old) : now);
  while (camera.isOn) {
    await camera.next();
    if (!isOpen()) { await new Promise((resolve) => setTimeout(resolve, 200)); continue; }
    const began = performance.now();
    const bytes = await camera.frame();
    if (!bytes || !isOpen()) continue;
    number = (number + 1) >>> 0;
    const mine = number;
    const answered = new Promise((resolve) => {
      waiting.frame = (event) => { if (event.problem || event.number === mine) resolve(event); };
    });
    sendPicture(1, mine, bytes);
    const answer = await answered;
    waiting.frame = null;
    if (answer.problem || !camera.isOn) continue;
    const now = performance.now();
    latency = smooth(latency, now - began);
    if (last) interval = smooth(interval, now - last);
    last = now;
    showAnswer(answer);
    if (interval) $("numbers").textContent = `${(1000 / interval).toFixed(1)} frames/s, ${Math.round(latency)} ms from picture to names`;
  }
  watching = false;
  showCamera();
}

const percent = (share) => `${Math.round(100 * share)} %`;
const nameOf = (face) => face.name ?? (face.nearest === null ? "" : `unknown (${face.nearest})`);

function showAnswer({ size, faces }) {
  const surest = (face) => Math.max(...face.confidences.map(([, share]) => share));
  const label = (face) => (face.name === null ? nameOf(face) : `${face.name} ${percent(surest(face))}`);
  camera.draw(size, faces.map((face) => ({ box: face.box, label: label(face) })));
  $("seen").replaceChildren(...faces.filter((face) => face.nearest !== null).map((face) => {
    const item = document.createElement("li");
    const who = document.createElement("p");
    who.className = "who";
    who.textContent = nameOf(face);
    item.append(who);
    const best = [...face.confidences].sort((a, b) => b[1] - a[1]).slice(0, 4);
    for (const [name, share] of best) {
      const row = document.createElement("div");
      row.className = "bar";
      const [left, right] = [document.createElement("span"), document.createElement("span")];
      const bar = document.createElement("progress");
      left.textContent = name;
      right.textContent = percent(share);
      bar.max = 1;
      bar.value = share;
      bar.setAttribute("aria-label", `How sure it is ${name}`);
      row.append(left, bar, right);
      item.append(row);
    }
    return item;
  }));
}

addEventListener("dragover", (event) => event.preventDefault());
addEventListener("drop", (event) => event.preventDefault());
addEventListener("blur", releaseHold);
showCamera();
connect();
