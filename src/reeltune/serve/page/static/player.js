// Plays a moment where its card is: the video itself from the moment on, or where a browser cannot
// play its format, the moment cut out and encoded anew.

import { clip, get, media, save } from "./api.js";
import { COPY, EXACT } from "./clips.js";
import { base, make, name, problem, span } from "./dom.js";
import { strip } from "./strip.js";

let open = null; // the card that is open, and its panel

export function close(isFocused = true) {
  if (!open) return false;
  open.video.pause();
  open.video.removeAttribute("src");
  open.video.load();
  open.panel.remove();
  open.button.setAttribute("aria-expanded", "false");
  if (isFocused && open.button.isConnected) open.button.focus();
  open = null;
  return true;
}

function sources(hit, video, said) {
  const others = [clip(hit.id, true)];
  let offset = 0; // s, where in the video the source begins
  video.src = `${media(hit.file)}#t=${hit.start.toFixed(2)}`;
  video.addEventListener("loadedmetadata", () => {
    if (!offset && Math.abs(video.currentTime - hit.start) > 0.5) video.currentTime = hit.start;
  });
  video.addEventListener("error", () => {
    const next = others.shift();
    if (!video.hasAttribute("src")) return;
    if (!next) {
      said.textContent = "This video cannot be played. It may have been moved, or changed since it was indexed.";
      return;
    }
    offset = hit.start;
    said.textContent = "Browsers do not play this format, so the moment alone is shown, encoded anew.";
    video.src = next;
    video.play().catch(() => {});
  });
  return () => offset;
}

// A button that saves the moment as a file, and beside it what comes of that.
function saver(hit, exact, label, what) {
  const id = exact ? "saves-exact" : "saves-copy";
  const button = make("button", { class: "plain", type: "button", "aria-describedby": id }, label);
  const file = base(hit.path).replace(/\.[^.]*$/, "");
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      await save(clip(hit.id, exact), `${file} ${hit.start.toFixed(1)}-${hit.end.toFixed(1)} s.mp4`);
    } catch (error) {
      button.closest(".player").append(problem(error));
    }
    button.disabled = false;
  });
  return [make("dt", {}, button), make("dd", { id, class: "quiet" }, what)];
}

export function play(hit, button, words, actions) {
  if (open?.button === button) {
    close();
    return;
  }
  close(false);
  const said = make("p", { class: "quiet", role: "status" });
  const label = `${base(hit.path)}, ${span(hit)}`;
  const video = make("video", { controls: true, playsinline: true, preload: "metadata", "aria-label": label });
  const bars = make("div", { class: "bars" });
  const panel = make(
    "li",
    { class: "player" },
    make(
      "div",
      { class: "line" },
      make("h3", {}, name(base(hit.path)), " ", make("span", { class: "quiet" }, span(hit))),
      make("button", { class: "icon close", type: "button", title: "Close (Escape)", "aria-label": "Close", onclick: () => close() }, "\u2715"),
    ),
    video,
    bars,
    said,
    hit.caption ? make("p", {}, make("bdi", {}, hit.caption)) : null,
    make(
      "div",
      { class: "row" },
      make("button", { class: "plain", type: "button", onclick: () => actions.like(hit) }, "More like this"),
      make("button", { class: "plain", type: "button", onclick: () => actions.inside(hit) }, "Only this video"),
    ),
    make("dl", { class: "savers" }, ...saver(hit, false, "Save fast copy", COPY), ...saver(hit, true, "Save exact clip", EXACT)),
  );
  button.closest("li").after(panel);
  button.setAttribute("aria-expanded", "true");
  open = { button, panel, video };
  const offset = sources(hit, video, said);
  video.play().catch(() => {}); // where a browser wants a click first, the controls are there
  video.focus({ preventScroll: true });
  panel.scrollIntoView({ block: "nearest", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
  if (words) scored(hit, words, bars, video, offset);
}

async function scored(hit, words, place, video, offset) {
  try {
    const { parts } = await get(`/api/files/${hit.file}/scores?text=${encodeURIComponent(words)}`);
    if (parts.length < 2) return;
    const seek = (time) => (video.currentTime = Math.max(0, time - offset()));
    const bars = strip(parts, hit.duration, seek);
    place.replaceChildren(bars.slider);
    video.addEventListener("timeupdate", () => bars.at(video.currentTime + offset()));
    bars.at(hit.start);
  } catch {
    place.remove(); // the video plays without it
  }
}
