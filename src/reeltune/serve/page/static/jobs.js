// Shows jobs that bring in videos while they go on, and what became of them.

import { get, post, remove } from "./api.js";
import { base, count, make, name, problem } from "./dom.js";

const PAUSE = 500; // ms between two looks
const ENDED = ["done", "failed", "stopped"];
const WORK = { "": "Looking at", hearing: "Listening to", reading: "Reading in" };

function megabytes(bytes) {
  return `${(bytes / 1e6).toLocaleString("en", { maximumFractionDigits: 1 })} MB`;
}

export function watch(job, place, ended) {
  const title = make("h3", {}, make("bdi", {}, job.wanted.paths.map(base).join(", ")));
  const bar = make("progress", { "aria-label": "Progress" });
  const said = make("p", { class: "quiet", role: "status" });
  const file = make("p", { class: "quiet file" });
  const stop = make("button", { class: "plain", type: "button" }, "Stop");
  const card = make("article", { class: "job" }, make("div", { class: "line" }, title, stop), bar, said, file);
  place.prepend(card);
  stop.addEventListener("click", async () => {
    stop.disabled = true;
    await remove(`/api/jobs/${job.id}`).catch((error) => card.append(problem(error)));
  });
  const look = async () => {
    let now;
    try {
      now = await get(`/api/jobs/${job.id}`);
    } catch (error) {
      said.textContent = error.message;
      if (error.status !== 404) setTimeout(look, 4 * PAUSE);
      return;
    }
    if (ENDED.includes(now.state)) {
      bar.remove();
      file.remove();
      stop.remove();
      said.replaceChildren(outcome(now));
      card.append(...troubles(now));
      if (now.state === "stopped") card.append(resumed(now, card, (next) => watch(next, place, ended)));
      ended?.(now);
      return;
    }
    show(now, bar, said, file);
    setTimeout(look, PAUSE);
  };
  look();
}

// A button that has a stopped job go on, in the place of its card.
export function resumed(now, card, follow) {
  const again = make("button", { class: "plain", type: "button" }, "Go on");
  again.addEventListener("click", async () => {
    again.disabled = true;
    try {
      follow(await post(`/api/jobs/${now.id}/resume`, {}));
      card.remove();
    } catch (error) {
      again.replaceWith(problem(error));
    }
  });
  return again;
}

export const cutOff = (now) => `Stopped: ${now.error}.`;

function show(now, bar, said, file) {
  const { files, size, done, path, work } = now.progress;
  if (size) {
    bar.max = size;
    bar.value = done;
  }
  const states = { waiting: "Waits for the job before it", stopping: "Stopping; what is complete stays", running: "Starting" };
  const amount = `${WORK[work] ?? "Working on"} ${count(files, "file")}`;
  const text = now.state === "running" && files ? amount : states[now.state];
  if (said.textContent !== text) said.textContent = text; // or it would be read out at every look
  file.replaceChildren(...(size ? [`${megabytes(done)} of ${megabytes(size)} `, path ? name(base(path)) : ""] : []));
}

function outcome(now) {
  const result = now.result;
  if (now.state === "failed") return make("span", { class: "problem" }, now.error);
  if (!result) return now.error ? cutOff(now) : now.state === "stopped" ? "Stopped. What was complete stays." : "Done.";
  const parts = [
    ["new", result.indexed], ["moved", result.moved], ["already there", result.unchanged],
    ["copies of others", result.copies], ["failed", result.failed], ["still being written", result.waiting],
  ].filter(([, list]) => list.length);
  const counts = parts.map(([what, list]) => `${list.length.toLocaleString("en")} ${what}`).join(", ");
  return `${now.state === "stopped" ? "Stopped" : "Done"}: ${counts || "no video was found"}.${result.error ? ` ${result.error}` : ""}`;
}

function troubles(now) {
  const result = now.result;
  if (!result) return [];
  const failed = [...result.failed, ...result.unheard, ...result.unread, ...result.uncaptioned, ...result.kept];
  const noted = result.indexed.filter((one) => one.note).map((one) => ({ path: one.path, reason: one.note }));
  const list = (title, items, open) =>
    items.length ? make("details", { open }, make("summary", {}, title), make("ul", { class: "reasons" }, ...items.map((one) => make("li", {}, name(one.path), make("span", { class: "quiet" }, ` ${one.reason}`))))) : null;
  const passed = result.passed_over.map((one) => make("li", {}, `${count(one.count, one.what)} (${one.reason})`));
  return [
    list(`${count(failed.length, "file")} not fully in the library, and why`, failed, true),
    list(`${count(noted.length, "file")} with a note`, noted, false),
    passed.length ? make("details", {}, make("summary", {}, "Passed over"), make("ul", { class: "reasons" }, ...passed)) : null,
  ].filter(Boolean);
}

// The jobs that the server remembers: those that go on, and the last one that has ended.
export async function watchAll(place, ended) {
  const { items } = await get("/api/jobs");
  const jobs = items.filter((job) => job.kind === "index");
  const going = jobs.filter((job) => !ENDED.includes(job.state));
  const last = jobs.find((job) => ENDED.includes(job.state));
  if (last) watch(last, place);
  for (const job of going.reverse()) watch(job, place, ended);
}
