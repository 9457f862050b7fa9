// The grid of moments: a card for each, groups by video, and moving among them by arrow keys.

import { thumbnail } from "./api.js";
import { base, count, make, marked, name, span, sure } from "./dom.js";

const SURE = 0.5; // the chance from which on a moment is a match; from the `fair` one on it may be

const isPoor = (hit, fair) => hit.confidence != null && hit.confidence < fair;

function why(hit, fair) {
  const reasons = [];
  for (const channel of ["said", "shown"]) {
    if (hit[channel]) reasons.push(make("span", {}, make("b", {}, channel), " ", marked(hit[channel])));
  }
  if (!reasons.length && hit.parts?.seen && !isPoor(hit, fair)) reasons.push(make("span", {}, make("b", {}, "seen")));
  return reasons.length ? make("span", { class: "why" }, ...reasons) : null;
}

function certainty(hit, fair) {
  if (hit.confidence == null) return null;
  const level = isPoor(hit, fair) ? "low" : hit.confidence >= SURE ? "high" : "fair";
  return make("span", { class: `sure ${level}` }, sure(hit.confidence));
}

export function card(hit, actions, fair) {
  const picture = make("img", { src: thumbnail(hit.id), alt: "", loading: "lazy", decoding: "async", width: 320, height: 180 });
  const play = make(
    "button",
    { class: "play", type: "button", "aria-expanded": "false", onclick: () => actions.play(hit, play) },
    make("span", { class: "shot" }, picture, make("span", { class: "time" }, span(hit))),
    make("span", { class: "line" }, make("span", { class: "name", title: hit.path }, name(base(hit.path))), certainty(hit, fair)),
    why(hit, fair),
  );
  const like = make(
    "button",
    { class: "like", type: "button", title: "More like this moment", onclick: () => actions.like(hit) },
    make("span", { class: "unseen" }, `More like this moment, ${span(hit)}`),
    make("span", { "aria-hidden": "true" }, "\u2248"),
  );
  const similar = hit.similar ? make("span", { class: "similar" }, `and ${hit.similar.toLocaleString("en")} more like it`) : null;
  return make("li", { class: isPoor(hit, fair) ? "hit faint" : "hit", "data-id": hit.id }, play, like, similar, actions.marks?.(hit));
}

const grid = (hits, actions, fair) => make("ol", { class: "grid" }, ...hits.map((hit) => card(hit, actions, fair)));

// Moments that are less sure than `fair` are merely the nearest, and are drawn faint.
export function all(hits, isGrouped, actions, fair) {
  if (!isGrouped) return [grid(hits, actions, fair)];
  const videos = Map.groupBy ? Map.groupBy(hits, (hit) => hit.file) : grouped(hits);
  return [...videos.values()].map((own) =>
    make(
      "section",
      { class: "video" },
      make("h2", {}, name(base(own[0].path)), make("span", { class: "quiet" }, ` ${count(own.length, "moment")}`)),
      grid([...own].sort((one, other) => one.start - other.start), actions, fair),
    ),
  );
}

function grouped(hits) {
  const videos = new Map();
  for (const hit of hits) videos.set(hit.file, [...(videos.get(hit.file) || []), hit]);
  return videos;
}

// Where an arrow key leads from a card: the next in reading order, or the nearest in the row above
// or below.
export function neighbour(cards, here, key) {
  const at = cards.indexOf(here);
  if (key === "ArrowRight") return cards[at + 1];
  if (key === "ArrowLeft") return cards[at - 1];
  const own = here.getBoundingClientRect();
  const isBelow = key === "ArrowDown";
  let best = null;
  for (const card of cards) {
    const box = card.getBoundingClientRect();
    const down = isBelow ? box.top - own.top : own.top - box.top;
    if (down < own.height / 3) continue;
    const far = 1000 * down + Math.abs(box.left - own.left);
    if (!best || far < best.far) best = { card, far };
  }
  return best?.card;
}
