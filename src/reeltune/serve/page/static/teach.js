// Teaching: what was marked, the tuning by it while it goes on, and what it was worth.

import { get, post, remove, save, thumbnail } from "./api.js";
import { cutOff, resumed } from "./jobs.js";
import { $, base, count, make, name, problem, span } from "./dom.js";

const PAUSE = 500; // ms between two looks
const PAGE = 50;
const ENDED = ["done", "failed", "stopped"];
const KINDS = ["tune", "reindex"];
const VERDICTS = { right: "Right", wrong: "Wrong", caption: "Caption" };
const SAID = { waiting: "Waits for the job before it", stopping: "Stopping; what is complete stays", running: "Starting" };
const [made, status, jobs] = ["#made", "#status", "#jobs"].map($);
let next = 0;

async function facts() {
  const now = await get("/api/teaching");
  const amounts = [["Videos", now.videos], ["To learn from", now.learn], ["To choose by", now.choose], ["To test on", now.test], ["Marked wrong", now.wrong]];
  $("#amounts").replaceChildren(...amounts.map(([term, number]) => make("div", {}, make("dt", {}, term), make("dd", {}, number.toLocaleString("en")))));
  $("#wanted").textContent = wanted(now);
  const out = [[now.without_file, "of videos that are not in the library now"], [now.unsayable, "of videos in an object store, or with names that are not UTF-8"]];
  const said = out.filter(([number]) => number).map(([number, why]) => `${count(number, "mark")} ${why}`);
  if (now.unread) said.push(`${count(now.unread, "line")} of the file of marks that cannot be read`);
  $("#left-out").hidden = !said.length;
  $("#left-out").textContent = `Left out: ${said.join("; ")}.`;
  $("#tune").disabled = now.wanted > 0;
  $("#save").disabled = !now.videos;
  $("#earlier").hidden = !now.tunings.length;
  $("#tunings").replaceChildren(...now.tunings.map(tuning));
}

function wanted(now) {
  const further = (number) => `captions for moments of about ${count(number, "further video")}, or for more moments of those marked already`;
  if (now.wanted) return `Reeltune cannot be taught yet: it needs ${further(now.wanted)}.`;
  if (now.wanted_for_verdict) return `There is enough to teach. For a fair verdict it needs ${further(now.wanted_for_verdict)}: with fewer than 6 held-out moments no gain is beyond chance.`;
  return "There is enough to teach, and to tell whether it helped.";
}

// What a tuning was worth, and the way to use it.
function tuning(one) {
  const link = make("a", { href: `/runs/${one.id}` }, "Curves and figures");
  if (one.state !== "finished") return make("div", { class: "verdict" }, make("p", {}, "A tuning that is not finished. Teach with the same marks, and it goes on."), link);
  const use = one.in_use ? make("p", { class: "quiet" }, "Your library uses this model.") : make("button", { class: one.is_better ? "main" : "plain", type: "button", onclick: (event) => begin(event.target, `/api/tunings/${one.id}/use`) }, "Use it: read all videos again with this model");
  return make(
    "div",
    { class: `verdict ${one.is_better ? "better" : ""}` },
    make("p", {}, one.verdict),
    one.wrong ? make("p", { class: "quiet" }, one.wrong) : null,
    use,
    one.in_use ? null : make("p", { class: "quiet" }, "Until that is done, searches see your library as it is."),
    link,
  );
}

async function begin(button, path) {
  status.replaceChildren();
  button.disabled = true;
  try {
    follow(await post(path, {}));
  } catch (error) {
    status.replaceChildren(problem(error));
    button.disabled = false;
  }
}

// Shows a job until it has ended.
function follow(job) {
  const title = job.kind === "tune" ? "Teaching" : "Reading all videos again";
  const bar = make("progress", { "aria-label": `Progress: ${title}` });
  const said = make("p", { class: "quiet", role: "status" });
  const figures = make("p", { class: "quiet" });
  const curves = make("div", { class: "curves" });
  const stop = make("button", { class: "plain", type: "button" }, "Stop");
  const card = make("article", { class: "job" }, make("div", { class: "line" }, make("h2", {}, title), stop), bar, said, figures, curves);
  jobs.prepend(card);
  stop.addEventListener("click", async () => {
    stop.disabled = true;
    await remove(`/api/jobs/${job.id}`).catch((error) => card.append(problem(error)));
  });
  const look = async () => {
    try {
      const now = await get(`/api/jobs/${job.id}`);
      const isOver = ENDED.includes(now.state);
      if (job.kind === "tune") draw(now, curves, isOver);
      if (isOver) {
        for (const part of [bar, stop, figures]) part.remove();
        said.replaceChildren(outcome(now));
        if (now.state === "stopped") card.append(resumed(now, card, follow));
        await Promise.all([facts(), list()]);
        return;
      }
      progress(now, bar, said, figures);
      setTimeout(look, PAUSE);
    } catch (error) {
      said.textContent = error.message;
      if (error.status !== 404) setTimeout(look, 4 * PAUSE);
    }
  };
  look();
}

function progress(now, bar, said, figures) {
  const { work, size, done, figures: shown } = now.progress;
  if (size) {
    bar.max = size;
    bar.value = done;
  }
  const works = { decoding: "Looking at the moments", training: "Learning" };
  const text = now.state === "running" && size ? works[work] || "Working" : SAID[now.state];
  if (said.textContent !== text) said.textContent = text; // or it would be read out at every look
  const parts = work === "training" ? [`step ${done} of ${size}`] : [];
  if (shown.loss != null) parts.push(`loss ${shown.loss.toFixed(3)}`);
  if (shown["t2v R@1"] != null) parts.push(`found at once in validation: ${shown["t2v R@1"].toFixed(1)}\u202f%`);
  figures.textContent = parts.join(" \u00b7 ");
}

// The curves so far, each asked for again when there is more of it.
function draw(now, place, isOver) {
  const { done, work, figures } = now.progress;
  const wantedCurves = [["loss", "Loss", "loss"], ["validation", "Recall in validation", "t2v R@1"]];
  for (const [curve, title, figure] of wantedCurves) {
    if (figures[figure] == null || !now.wanted.run) continue;
    const address = `/api/runs/${now.wanted.run}/curves/${curve}?steps=${isOver ? "all" : done}`;
    let image = place.querySelector(`[data-curve="${curve}"]`);
    if (!image) {
      image = make("img", { "data-curve": curve, width: 500, height: 250, alt: "" });
      const dark = make("source", { media: "(prefers-color-scheme: dark)" });
      place.append(make("figure", {}, make("figcaption", {}, title), make("picture", {}, dark, image)));
    }
    if (image.getAttribute("src") === address || (work !== "training" && !isOver)) continue;
    image.previousElementSibling.srcset = `${address}&dark=true`;
    image.src = address;
    image.alt = `${title}, now ${figures[figure].toPrecision(3)}`;
  }
}

function outcome(now) {
  if (now.state === "failed") return make("span", { class: "problem" }, now.error);
  if (now.state === "stopped" && now.error) return cutOff(now);
  if (now.state === "stopped") return now.kind === "tune" ? "Stopped. Teach with the same marks, and it goes on where it stopped." : "Stopped. Your library is as it was; use the model again, and it goes on.";
  if (now.kind === "tune") return make("span", { class: "done" }, now.result.verdict);
  const { missing, in_use: isInUse, files } = now.result;
  if (isInUse) return `Done: ${count(files, "video")} can now be searched with the new model.`;
  return `Your library is as it was: ${count(missing.length, "video")} cannot be read now, the first ${missing[0].path} (${missing[0].reason}).`;
}

function entry(mark) {
  const picture = mark.moment ? make("img", { src: thumbnail(mark.moment), alt: "", loading: "lazy", width: 96, height: 54 }) : make("span", { class: "none" });
  const place = mark.path ? [name(base(mark.path)), ` ${span(mark)}`] : ["not in the library now"];
  const row = make(
    "li",
    {},
    picture,
    make("div", {}, make("p", { class: `said ${mark.verdict}` }, name(mark.text)), make("p", { class: "quiet" }, `${VERDICTS[mark.verdict]} \u00b7 `, ...place)),
    make("button", { class: "plain", type: "button", "aria-label": `Remove the mark: ${mark.text}`, onclick: () => takeBack(mark, row) }, "Remove"),
  );
  return row;
}

async function takeBack(mark, row) {
  try {
    await remove(`/api/marks/${mark.id}`);
    const after = row.nextElementSibling || row.previousElementSibling;
    row.remove();
    next = next === null ? null : next - 1;
    (after?.querySelector("button") || $("#main")).focus();
    $("#none").hidden = made.children.length > 0;
    await facts();
  } catch (error) {
    row.append(problem(error));
  }
}

async function list(isMore = false) {
  const page = await get(`/api/marks?start=${isMore ? next : 0}&count=${PAGE}`);
  if (!isMore) made.replaceChildren();
  made.append(...page.items.map(entry));
  next = page.next;
  $("#more").hidden = next === null;
  $("#none").hidden = made.children.length > 0;
}

const failed = (error) => status.replaceChildren(problem(error));
$("#tune").addEventListener("click", (event) => begin(event.target, "/api/tunings"));
$("#save").addEventListener("click", () => save("/api/teaching/captions", null, "captions.csv").catch(failed));
$("#more").addEventListener("click", () => list(true).catch(failed));
Promise.all([facts(), list()]).catch(failed);
get("/api/jobs").then(({ items }) => {
  const own = items.filter((job) => KINDS.includes(job.kind));
  const shown = own.filter((job, place) => !ENDED.includes(job.state) || (!place && job.state === "stopped"));
  shown.reverse().forEach(follow);
}, () => {});
