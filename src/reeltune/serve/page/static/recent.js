// The last searches, kept in this browser alone.

import { make } from "./dom.js";

const KEY = "reeltune.recent";
const KEPT = 8;

export function recent() {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY) || "[]");
    return Array.isArray(kept) ? kept.filter((one) => typeof one === "string").slice(0, KEPT) : [];
  } catch {
    return [];
  }
}

function store(words) {
  try {
    localStorage.setItem(KEY, JSON.stringify(words));
  } catch {
    // a browser that keeps nothing
  }
}

export function remember(words) {
  if (words) store([words, ...recent().filter((one) => one !== words)].slice(0, KEPT));
}

export function show(place, choose) {
  const words = recent();
  place.hidden = !words.length;
  const forget = () => {
    store([]);
    place.hidden = true;
  };
  place.replaceChildren(
    make("span", { class: "quiet" }, "Recent"),
    ...words.map((one) => make("button", { class: "chip", type: "button", onclick: () => choose(one) }, make("bdi", {}, one))),
    make("button", { class: "plain small", type: "button", onclick: forget }, "Forget"),
  );
}
