// The search: what is wanted stands in the address, so that going back and bookmarks work.

import { get, saveHits, search, thumbnail } from "./api.js";
import { clips, takeUpClips } from "./clips.js";
import { $, base, count, make, problem } from "./dom.js";
import { all, neighbour } from "./hits.js";
import { marker } from "./marks.js";
import { pictures } from "./picture.js";
import { close, play } from "./player.js";
import { remember, show as showRecent } from "./recent.js";

const PAUSE = 150; // ms without a key until words are searched for
const TOP = 24; // moments of a page
const FILE = /^[0-9a-f]{32}$/; // the id of a video
const FIELDS = ["inside", "length", "after", "before", "channel"];
const form = $("#search");
const [hits, notice, status, tools, more] = ["#hits", "#notice", "#status", "#tools", "#more"].map($);
let picture = null; // a File, which no address can hold
let found = []; // the moments that are on the page
let fair = 0; // how sure the server is at least of what it takes for more than the nearest
let page = 1;
let going = null; // the search that is on its way, or was the last

function query() {
  const wanted = { top: TOP, page };
  const words = form.words.value.trim();
  const rules = [];
  if (words) wanted.words = words;
  if (form.dataset.like) wanted.like = form.dataset.like;
  if (form.inside.value) wanted.inside = form.inside.value;
  if (form.channel.value) wanted.in = [form.channel.value];
  if (form.length.value) rules.push(form.length.value);
  if (form.after.value) rules.push(`date >= '${form.after.value}'`);
  if (form.before.value) rules.push(`date <= '${form.before.value}T23:59:59Z'`);
  if (rules.length) wanted.where = rules.join(" and ");
  if ($("#sort").value !== "match") wanted.sort = $("#sort").value;
  return wanted;
}

function address() {
  const said = new URLSearchParams();
  if (form.words.value.trim()) said.set("q", form.words.value.trim());
  if (form.dataset.like) said.set("like", form.dataset.like);
  for (const field of FIELDS) if (form[field].value) said.set(field, form[field].value);
  if ($("#group").checked) said.set("group", "1");
  if ($("#sort").value !== "match") said.set("sort", $("#sort").value);
  return said.size ? `/?${said}` : "/";
}

function restore() {
  const said = new URLSearchParams(location.search);
  form.words.value = said.get("q") || said.get("words") || ""; // the form by itself says `words`
  form.dataset.like = said.get("like") || "";
  for (const field of FIELDS) choose(form[field], said.get(field) || "");
  $("#group").checked = said.has("group");
  $("#sort").value = said.get("sort") || "match";
  $("#filters").open ||= FIELDS.some((field) => form[field].value);
}

// A select has no value that it does not list, as a single video is not among the folders, which
// themselves come later than the address is read.
function choose(field, value) {
  const isMissing = field.tagName === "SELECT" && ![...field.options].some((one) => one.value === value);
  if (isMissing) list(field, value, FILE.test(value) ? "Only one video" : value);
  field.value = value;
}

function list(field, value, label) {
  const there = [...field.options].find((one) => one.value === value);
  if (there) there.textContent = label;
  else field.append(make("option", { value }, label));
}

function given() {
  const chips = [];
  const chip = (image, said, undo) =>
    make("span", { class: "chip" }, image, make("span", {}, said), make("button", { class: "plain small", type: "button", "aria-label": `Remove: ${said}`, onclick: undo }, "\u2715"));
  if (form.dataset.like) {
    const image = make("img", { src: thumbnail(form.dataset.like), alt: "", width: 48, height: 27 });
    chips.push(chip(image, "Like this moment", () => { form.dataset.like = ""; run(true); }));
  }
  if (picture) {
    const image = make("img", { src: URL.createObjectURL(picture), alt: "", width: 48, height: 27, onload: () => URL.revokeObjectURL(image.src) });
    chips.push(chip(image, "Like this picture", () => { picture = null; run(true); }));
  }
  $("#given").replaceChildren(...chips);
  const set = FIELDS.filter((field) => form[field].value).length;
  $("#filters summary").textContent = set ? `Filters (${set})` : "Filters";
}

async function run(isMeant, isMore = false) {
  page = isMore ? page + 1 : 1;
  const wanted = query();
  given();
  if (isMeant && !isMore && address() !== location.pathname + location.search) history.pushState(null, "", address());
  if (isMeant && isAsked(wanted)) return void mean(wanted);
  going?.stop.abort();
  const own = (going = { stop: new AbortController(), wanted: JSON.stringify(wanted), picture, isMeant });
  if (!wanted.words && !wanted.like && !picture) return browse(own);
  if (isMeant) mean(wanted);
  $("#recent").hidden = true;
  hits.setAttribute("aria-busy", "true");
  try {
    const answer = await search(wanted, picture, own.stop.signal);
    if (own === going) showAnswer(answer, isMore);
  } catch (error) {
    own.isRefused = true;
    if (error.name !== "AbortError" && own === going) failed(error, own.isMeant);
  }
  if (own === going) hits.removeAttribute("aria-busy");
}

// Whether what is meant now was asked while it was written, so that Enter need not ask again.
function isAsked(wanted) {
  const isFor = going && going.wanted === JSON.stringify(wanted) && going.picture === picture;
  return isFor && !going.isMeant && !going.isRefused && !!wanted.words;
}

function mean(wanted) {
  going.isMeant = true;
  remember(wanted.words);
}

function failed(error, isMeant) {
  if (!isMeant && error.status === 400) return; // words that are still being written
  found = [];
  close(false);
  hits.replaceChildren();
  tools.hidden = more.hidden = true;
  status.textContent = "";
  notice.replaceChildren(problem(error));
}

function showAnswer(answer, isMore) {
  const before = isMore ? found.length : 0;
  found = isMore ? [...found, ...answer.hits] : answer.hits;
  const time = answer.seconds < 0.01 ? "0.01" : answer.seconds.toFixed(2);
  status.textContent = found.length ? `${count(found.length, "moment")} in ${time} s` : "";
  notice.replaceChildren();
  if (!isMore && !$("#zip").disabled) $("#saving").hidden = true;
  if (!found.length) {
    notice.append(make("div", { class: "notice", role: "status" }, make("h2", {}, "Nothing found"), make("p", {}, "No moment passes these filters. Clear some, or say it in other words.")));
  } else if (!answer.matches_well) {
    notice.append(make("div", { class: "notice", role: "status" }, make("h2", {}, "Nothing matches well"), make("p", {}, "These are the nearest moments. Other words may find more: say what can be seen.")));
  }
  fair = answer.fair;
  more.hidden = !answer.more;
  tools.hidden = !found.length;
  draw();
  if (isMore) cards()[before]?.focus();
}

function draw() {
  close(false);
  hits.replaceChildren(...(found.length ? all(found, $("#group").checked, actions, fair) : []));
}

// Without anything that is looked for, the first moment of each video is shown, or all of one.
async function browse(own) {
  tools.hidden = more.hidden = true;
  notice.replaceChildren();
  showRecent($("#recent"), (words) => { form.words.value = words; run(true); });
  const { inside, where } = query();
  const isFile = FILE.test(inside || "");
  const wanted = new URLSearchParams({ count: 500, first: !isFile, ...(where && { where }), ...(isFile && { file: inside }) });
  try {
    const [facts, { items }] = await Promise.all([get("/api/library"), get(`/api/moments?${wanted}`, { signal: own.stop.signal })]);
    if (own !== going) return;
    const first = new Map();
    const isWanted = (moment) => isFile || !inside || moment.location.startsWith(`${inside}/`);
    for (const moment of items.filter(isWanted)) {
      const key = isFile ? moment.id : moment.file;
      if (!first.has(key)) first.set(key, moment);
    }
    found = [...first.values()].slice(0, isFile ? 500 : TOP).map((moment) => ({ ...moment, confidence: null, parts: {} }));
    status.textContent = isFile ? count(found.length, "moment") : `${count(facts.files, "video")}, ${count(facts.moments, "moment")} to search in`;
    draw();
  } catch (error) {
    if (error.name !== "AbortError" && own === going) failed(error, true);
  }
}

const actions = {
  play: (hit, button) => {
    remember(form.words.value.trim());
    play(hit, button, form.words.value.trim(), actions);
  },
  like: (hit) => {
    picture = null;
    form.words.value = "";
    form.dataset.like = hit.id;
    run(true);
    scrollTo({ top: 0 });
    form.words.focus();
  },
  marks: (hit) => marker(hit, picture || form.dataset.like ? "" : form.words.value),
  inside: (hit) => {
    list(form.inside, hit.file, `Only ${base(hit.path)}`);
    form.inside.value = hit.file;
    $("#filters").open = true;
    run(true);
    scrollTo({ top: 0 });
  },
};

const cards = () => [...hits.querySelectorAll(".play")];

function keys(event) {
  const isWriting = event.target.matches("input:not([type=checkbox]), select, textarea");
  if (event.ctrlKey || event.metaKey || event.altKey || $("dialog[open]")) return;
  if (event.key === "/" && !isWriting) {
    event.preventDefault();
    form.words.focus();
    form.words.select();
  } else if (event.key === "Escape" && close()) {
    event.preventDefault();
  } else if (event.key === "ArrowDown" && event.target === form.words && cards().length) {
    event.preventDefault();
    cards()[0].focus();
  } else if (event.key.startsWith("Arrow") && event.target.matches(".play")) {
    const next = neighbour(cards(), event.target, event.key) || (event.key === "ArrowUp" && form.words);
    event.preventDefault();
    next?.focus();
  }
}

async function fillFolders() {
  const { folders } = await get("/api/library");
  for (const { path, files } of folders) list(form.inside, path, `${path} (${files})`);
}

function exporting(format) {
  const wanted = { ...query(), page: 1, top: Math.min(200, found.length) };
  return saveHits(wanted, picture, format).catch(said);
}

let waiting;
form.addEventListener("submit", (event) => { event.preventDefault(); clearTimeout(waiting); run(true); });
form.words.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(() => run(false), PAUSE); });
$("#filters").addEventListener("change", () => run(true));
form.addEventListener("reset", (event) => {
  event.preventDefault();
  for (const field of FIELDS) form[field].value = "";
  run(true);
});
$("#sort").addEventListener("change", () => run(true));
$("#group").addEventListener("change", () => { history.replaceState(null, "", address()); draw(); });
more.addEventListener("click", () => run(true, true));
$("#json").addEventListener("click", () => exporting("json"));
$("#csv").addEventListener("click", () => exporting("csv"));
const said = (error) => notice.replaceChildren(problem(error));
clips(() => found, said);
document.addEventListener("keydown", keys);
addEventListener("popstate", () => { picture = null; restore(); run(false); });
pictures((file) => { picture = file; form.dataset.like = ""; run(true); });
restore();
run(false).finally(() => takeUpClips(said));
fillFolders().catch(() => {}); // the search says what is wrong
