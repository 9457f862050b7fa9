// What a person says of moments: whether the words that were looked for are right, and captions.

import { get, post, remove } from "./api.js";
import { $, base, count, make, problem, span } from "./dom.js";

const PAGE = 500;
const OPERATORS = /["@\u201c\u201d]|(^|\s)[+-](\s|$)|^-/; // of words that describe no single thing
const marks = new Map(); // by moment and words
const plain = (words) => words.normalize("NFC").split(/\s+/).filter(Boolean).join(" ");
const key = (moment, words) => JSON.stringify([moment.file, moment.start, moment.end, plain(words)]);
const ready = load();

async function load() {
  for (let start = 0; start !== null; ) {
    const page = await get(`/api/marks?start=${start}&count=${PAGE}`);
    for (const mark of page.items) marks.set(key(mark, mark.text), mark);
    start = page.next;
  }
  tell();
}

// Says what marks are for, and how many there are.
function tell() {
  const place = $("#teaching");
  if (!place) return;
  const link = make("a", { href: "/teach" }, marks.size ? count(marks.size, "mark") : "How this works");
  place.replaceChildren("Mark moments right or wrong, or write what they show, to teach Reeltune your videos. ", link);
  place.hidden = false;
}

async function set(moment, words, verdict) {
  const mark = await post("/api/marks", { moment: moment.id, text: words, verdict });
  marks.set(key(moment, words), mark);
  tell();
}

async function unset(moment, words) {
  await remove(`/api/marks/${marks.get(key(moment, words)).id}`);
  marks.delete(key(moment, words));
  tell();
}

function captionOf(moment) {
  const own = [...marks.values()].filter((mark) => mark.verdict === "caption" && mark.file === moment.file);
  return own.find((mark) => mark.start === moment.start && mark.end === moment.end) || null;
}

// The controls below a card; `words` are those that were looked for, empty where there are none.
export function marker(moment, words) {
  const where = `${base(moment.path)}, ${span(moment)}`;
  const isPlain = plain(words) && !OPERATORS.test(plain(words));
  const place = make("div", { class: "marks", role: "group", "aria-label": `Teach: ${where}` });
  const toggles = isPlain ? ["right", "wrong"].map((verdict) => toggle(moment, words, verdict, place)) : [];
  const write = make("button", { class: "mark write", type: "button", "aria-expanded": "false" }, "Caption");
  write.addEventListener("click", () => editor(moment, place, write, where));
  place.append(...toggles, write);
  const show = () => {
    for (const button of toggles) {
      const verdict = marks.get(key(moment, words))?.verdict;
      button.setAttribute("aria-pressed", String(verdict === button.dataset.verdict || (verdict === "caption" && button.dataset.verdict === "right")));
    }
    const caption = captionOf(moment);
    write.classList.toggle("has", Boolean(caption));
    write.title = caption ? `Your caption: ${caption.text}` : "Write what this moment shows";
  };
  place.addEventListener("marked", show);
  ready.then(show, () => {}); // the search says what is wrong
  show();
  return place;
}

function toggle(moment, words, verdict, place) {
  const [sign, is] = verdict === "right" ? ["\u2713", "shows"] : ["\u2717", "does not show"];
  const button = make(
    "button",
    { class: `mark ${verdict}`, type: "button", "aria-pressed": "false", "data-verdict": verdict, title: `This moment ${is} \u201c${plain(words)}\u201d` },
    make("span", { "aria-hidden": "true" }, sign),
    make("span", { class: "unseen" }, verdict === "right" ? "Right" : "Wrong"),
  );
  button.addEventListener("click", () => {
    const isPressed = button.getAttribute("aria-pressed") === "true";
    attempt(place, () => (isPressed ? unset(moment, words) : set(moment, words, verdict)));
  });
  return button;
}

async function attempt(place, change) {
  place.querySelector(".problem")?.remove();
  try {
    await ready;
    await change();
    place.dispatchEvent(new Event("marked"));
    return true;
  } catch (error) {
    place.append(problem(error));
    return false;
  }
}

function editor(moment, place, button, where) {
  const open = place.querySelector("form");
  if (open) {
    shut(open, button);
    return;
  }
  const before = captionOf(moment);
  const text = make("textarea", { name: "text", rows: 2, maxlength: 1000, dir: "auto", "aria-label": `What is seen in ${where}?`, placeholder: "What is seen in this moment?" });
  text.value = before?.text || "";
  const form = make(
    "form",
    { class: "caption" },
    text,
    make("div", { class: "row" }, make("button", { class: "main" }, "Save"), make("button", { class: "plain", type: "button", onclick: () => shut(form, button) }, "Cancel"), before ? make("button", { class: "plain", type: "button", onclick: () => change("") }, "Delete") : null),
  );
  const change = async (words) => {
    const isDone = await attempt(place, async () => {
      if (before && plain(words) !== before.text) await unset(before, before.text);
      if (plain(words)) await set(moment, words, "caption");
    });
    if (isDone) shut(form, button);
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    change(text.value);
  });
  form.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.key === "Escape") shut(form, button);
    else if (event.key === "Enter" && !event.shiftKey && event.target === text) {
      event.preventDefault();
      form.requestSubmit();
    }
  });
  place.append(form);
  button.setAttribute("aria-expanded", "true");
  text.focus();
}

function shut(form, button) {
  form.remove();
  button.setAttribute("aria-expanded", "false");
  button.focus();
}
