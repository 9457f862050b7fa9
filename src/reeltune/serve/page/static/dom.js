// Makes elements and the small texts in them. Text is only ever set as text, never as markup.

export const $ = (selector) => document.querySelector(selector);

export function make(tag, given = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(given)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child != null && child !== false));
  return element;
}

export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (number) => String(number).padStart(2, "0");
  return h ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

export const span = (moment) => `${clock(moment.start)}\u2013${clock(moment.end)}`;
export const sure = (chance) => (chance == null ? "" : `${Math.round(100 * chance)}\u202f% sure`);
export const count = (number, one) => `${number.toLocaleString("en")} ${one}${number === 1 ? "" : "s"}`;
export const base = (path) => path.split("/").pop() || path;
export const day = (date) => (date ? date.slice(0, 10) : "");

// What cannot be seen in a name is shown as its code, so that no name looks like another one.
export function name(text) {
  const hidden = /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;
  const shown = text.replace(hidden, (mark) => `\\u${mark.charCodeAt(0).toString(16).padStart(4, "0")}`);
  return make("bdi", {}, shown);
}

// A phrase with the letters that were looked for marked; places count code points.
export function marked(phrase) {
  const letters = Array.from(phrase.text);
  const text = (from, to) => letters.slice(from, to).join("");
  const out = make("q", { dir: "auto" });
  let at = 0;
  for (const [from, to] of phrase.marks) {
    out.append(text(at, from), make("mark", {}, text(from, to)));
    at = to;
  }
  out.append(text(at));
  return out;
}

export function problem(error) {
  return make("p", { class: "problem", role: "alert" }, error.message);
}
