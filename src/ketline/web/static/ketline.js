// What pages do beyond links and forms. Everything here is an addition: without it they submit and read all the same.
"use strict";
document.documentElement.classList.add("js");

const find = (selector, within = document) => within.querySelector(selector);

const LARGE_PROGRAM = 50_000;
const LONGEST_SHARED = 5_000;

// The editor: the text as it is typed lies, transparent, over the same text with its words coloured.
function startEditor() {
  const editor = find("#editor");
  if (!editor || !window.Prism?.languages.openqasm) return;
  const text = find("textarea", editor);
  const shown = find("pre", editor);
  const code = find("code", shown);
  let wrong = [];
  const follow = () => { shown.scrollTop = text.scrollTop; shown.scrollLeft = text.scrollLeft; };
  const show = () => {
    // Colouring takes its time with every key, and an address holds only so much.
    const large = text.value.length > LARGE_PROGRAM;
    editor.classList.toggle("live", !large);
    find("#share").disabled = text.value.length > LONGEST_SHARED;
    if (large) return;
    code.innerHTML = Prism.highlight(text.value, Prism.languages.openqasm, "openqasm") + "\n";
    wrong.forEach(mark);
    follow();
  };
  // Underlines the word at a place of the coloured text, whatever elements it is made of; the whole line without a column.
  const mark = ([number, column]) => {
    const lines = text.value.split("\n");
    const line = lines[number - 1] ?? "";
    const before = lines.slice(0, number - 1).reduce((sum, line) => sum + line.length + 1, 0);
    // Columns count characters, of which some are two units here; what is missing behind a word is shown at its end.
    const units = column ? [...line].slice(0, column - 1).join("").length : 0;
    const from = Math.max(0, Math.min(units, line.length - 1));
    const word = column ? (line.slice(from).match(/^[\p{L}\p{N}_$]+/u)?.[0].length || 1) : line.length;
    const start = before + from;
    const end = start + word;
    const walker = document.createTreeWalker(code, NodeFilter.SHOW_TEXT);
    const nodes = [];
    for (let at = 0, node; (node = walker.nextNode()) && at < end; at += node.length) {
      if (at + node.length > start) nodes.push([node, Math.max(0, start - at), Math.min(node.length, end - at)]);
    }
    for (const [node, from, to] of nodes) {
      if (from >= to) continue;
      const range = document.createRange();
      range.setStart(node, from);
      range.setEnd(node, to);
      range.surroundContents(document.createElement("mark"));
    }
  };
  const diagnosed = () => {
    const places = [...document.querySelectorAll("#preview [data-severity=error]")].map((one) => one.dataset);
    wrong = places.filter((place) => place.line).map((place) => [Number(place.line), Number(place.column)]);
    show();
  };
  text.addEventListener("input", () => { wrong = []; show(); });
  text.addEventListener("scroll", follow);
  new ResizeObserver(follow).observe(text);
  text.addEventListener("keydown", (event) => {
    // Those who may only read have no such button.
    const submit = find("button.main", text.form);
    if (submit && event.key === "Enter" && (event.ctrlKey || event.metaKey)) text.form.requestSubmit(submit);
  });
  document.addEventListener("htmx:after:swap", diagnosed);
  // A browser that goes back puts in again what was typed.
  window.addEventListener("pageshow", diagnosed);
  diagnosed();
}

function goTo(line, column) {
  const text = find("#qc");
  const lines = text.value.split("\n");
  const before = lines.slice(0, line - 1).join("\n").length + (line > 1 ? 1 : 0);
  text.focus();
  text.setSelectionRange(before + column - 1, before + (lines[line - 1] ?? "").length);
  text.scrollTop = Math.max(0, (line - 4) * parseFloat(getComputedStyle(text).lineHeight));
}

async function copy(button, text) {
  const before = button.innerHTML;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Copy failed: the browser forbids it";
  }
  setTimeout(() => { button.innerHTML = before; }, 1500);
}

document.addEventListener("click", (event) => {
  const target = event.target.closest("[data-copy], [data-go], [data-pause], [data-select-all]");
  if (!target) return;
  if ("copy" in target.dataset) copy(target, target.dataset.copy);
  else if ("go" in target.dataset) goTo(Number(target.dataset.go), Number(target.dataset.goColumn));
  else if ("pause" in target.dataset) pause(target);
  else document.querySelectorAll("input[name=task]").forEach((box) => { box.checked = target.checked; });
});

// Live lists: they stand still while they are paused, and while something in them is picked.
let paused = false;
let missed = false;
function pause(button) {
  paused = !paused;
  button.setAttribute("aria-pressed", String(paused));
  button.textContent = paused ? "Resume" : "Pause";
  if (!paused && missed) catchUp();
}
function catchUp() {
  missed = false;
  const list = find("[data-live]");
  if (list) htmx.trigger(list, "refresh");
}
document.addEventListener("htmx:before:request", (event) => {
  const source = event.detail.ctx.sourceElement;
  if (!source.matches("[data-live]")) return;
  if (paused || find("input[name=task]:checked", source)) {
    missed = true;
    event.preventDefault();
  }
});
// What happened between the making of the page and its first event is in no event.
document.addEventListener("htmx:sse:after:connection", catchUp);
document.addEventListener("change", (event) => {
  if (missed && !paused && event.target.matches("input[type=checkbox]") && !find("input[name=task]:checked")) catchUp();
});

// Relative times go on; their exact moment is in the title.
const UNITS = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
function words(seconds) {
  let left = Math.round(seconds);
  const found = UNITS.filter(([, size]) => left >= size).slice(0, 2);
  return (found.length ? found : [["s", 1]]).map(([name, size]) => {
    const part = `${Math.floor(left / size)} ${name}`;
    left %= size;
    return part;
  }).join(" ");
}
function tick() {
  for (const time of document.querySelectorAll("time[data-relative]")) {
    const seconds = (Date.now() - Date.parse(time.dateTime)) / 1000;
    const text = Math.abs(seconds) < 2 ? "now" : seconds > 0 ? `${words(seconds)} ago` : `in ${words(-seconds)}`;
    if (time.textContent !== text) time.textContent = text;
  }
}
setInterval(tick, 5000);

// Whether the service answers.
const offline = (hidden) => { const notice = find("#offline"); if (notice) notice.hidden = hidden; };
document.addEventListener("htmx:error", () => offline(false));
function showTrouble(status) {
  if (!status || status >= 500) offline(false);
  // What is in the page stays: only a link leads to the sign-in.
  if (status === 401) find("#signed-out").hidden = false;
  if (status === 403) find("#former").hidden = false;
}
document.addEventListener("htmx:sse:error", (event) => showTrouble(event.detail.status));
document.addEventListener("htmx:response:error", (event) => showTrouble(event.detail.ctx.response.status));
document.addEventListener("htmx:after:swap", () => { offline(true); find("#signed-out").hidden = find("#former").hidden = true; });

// A form that is sent to a service that is down would be replaced by the browser's own page, and its text lost.
document.addEventListener("submit", async (event) => {
  const { target: form, submitter } = event;
  if (form.id !== "form" || form.dataset.reached) { delete form.dataset.reached; return; }
  event.preventDefault();
  try {
    await fetch(form.action.replace(/ui\/submit$/, "livez"), { cache: "no-store" });
  } catch {
    offline(false);
    find("#offline").scrollIntoView({ block: "nearest" });
    return;
  }
  form.dataset.reached = "yes";
  form.requestSubmit(submitter);
});

// Requests that end because one leaves the page say nothing of the service.
window.addEventListener("pageshow", () => offline(true));

startEditor();
