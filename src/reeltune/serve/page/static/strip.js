// How well each part of a video matches, as bars over its whole length, to seek by.

import { clock, make, sure } from "./dom.js";

const SVG = "http://www.w3.org/2000/svg";

function drawn(tag, attributes) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

export function strip(parts, duration, seek) {
  const scores = parts.map((part) => part.score);
  const [least, most] = [Math.min(...scores), Math.max(...scores)];
  const level = (score) => (most > least ? 0.15 + (0.85 * (score - least)) / (most - least) : 1);
  const picture = drawn("svg", { viewBox: "0 0 1000 40", preserveAspectRatio: "none", "aria-hidden": "true" });
  for (const part of parts) {
    const [x, height] = [(1000 * part.start) / duration, 40 * level(part.score)];
    const width = Math.max(2, (1000 * (part.end - part.start)) / duration - 2);
    picture.append(drawn("rect", { x, y: 40 - height, width, height, rx: 2, opacity: level(part.score) }));
  }
  const now = drawn("line", { x1: 0, x2: 0, y1: 0, y2: 40, class: "now" });
  picture.append(now);
  const slider = make(
    "div",
    {
      class: "strip", role: "slider", tabindex: "0", title: "Where in the video it matches",
      "aria-label": "Where in the video it matches", "aria-valuemin": "0",
      "aria-valuemax": Math.round(duration),
    },
    picture,
  );
  const at = (time) => {
    now.setAttribute("x1", (1000 * time) / duration);
    now.setAttribute("x2", (1000 * time) / duration);
    const part = parts.findLast((one) => one.start <= time + 0.01) || parts[0];
    slider.setAttribute("aria-valuenow", Math.round(time));
    slider.setAttribute("aria-valuetext", `${clock(time)}, ${sure(part.confidence)}`);
    return parts.indexOf(part);
  };
  let here = at(0);
  slider.addEventListener("click", (event) => {
    const box = slider.getBoundingClientRect();
    seek((duration * (event.clientX - box.left)) / box.width);
  });
  slider.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
    const part = step && parts[here + step];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    if (part) seek(part.start);
  });
  return { slider, at: (time) => (here = at(time)) };
}
