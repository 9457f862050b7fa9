// The library: its size, folders to bring in, and its videos, which can be taken out.

import { get, remove } from "./api.js";
import { $, base, clock, count, day, make, name, problem } from "./dom.js";
import { chooser } from "./folders.js";
import { watch, watchAll } from "./jobs.js";

const PAGE = 100;
let next = 0;
let mayWrite = true; // until the server says that this token is for reading alone

async function facts() {
  const said = await get("/api/library");
  mayWrite = said.may_write;
  $("#remarks").replaceChildren(...said.remarks.map((remark) => make("p", { class: "notice" }, remark)));
  const words = [["phrase", said.phrases_said, "said"], ["phrase", said.phrases_shown, "shown"]];
  const parts = [count(said.files, "video"), count(said.moments, "moment"), `${clock(said.seconds)} in all`];
  for (const [one, number, how] of words) if (number) parts.push(`${count(number, one)} ${how}`);
  $("#facts").textContent = said.there ? parts.join(" \u00b7 ") : "There is no library yet. Add a folder of videos.";
  return said.there;
}

function video(file) {
  const about = [clock(file.duration), `${file.width}\u00d7${file.height}`, day(file.taken || file.modified), count(file.moments, "moment")];
  const row = make(
    "li",
    {},
    make("div", {}, make("a", { href: `/?inside=${file.id}` }, name(base(file.path))), make("p", { class: "quiet" }, name(file.path)), make("p", { class: "quiet" }, about.join(" \u00b7 ")), file.note ? make("p", { class: "note" }, file.note) : null),
    mayWrite && make("button", { class: "plain", type: "button", "aria-label": `Remove ${file.path}`, onclick: () => takeOut(file, row) }, "Remove"),
  );
  return row;
}

function takeOut(file, row) {
  const dialog = $("#sure");
  $("#sure-name").replaceChildren(name(file.path));
  dialog.returnValue = "";
  dialog.onclose = async () => {
    if (dialog.returnValue !== "yes") return;
    try {
      await remove(`/api/files/${file.id}`);
      const after = row.nextElementSibling || row.previousElementSibling;
      row.remove();
      next -= 1;
      $("#status").textContent = "The video was taken out.";
      (after?.querySelector("button") || $("#main")).focus();
      await facts();
    } catch (error) {
      row.append(problem(error));
    }
  };
  dialog.showModal();
}

async function videos(isMore = false) {
  const page = await get(`/api/files?start=${isMore ? next : 0}&count=${PAGE}`);
  if (!isMore) $("#videos").replaceChildren();
  $("#videos").append(...page.items.map(video));
  next = page.next;
  $("#more").hidden = page.next === null;
}

async function refresh() {
  try {
    if (await facts()) await videos();
  } catch (error) {
    $("#status").replaceChildren(problem(error));
  }
}

$("#more").addEventListener("click", () => videos(true));
await refresh();
if (mayWrite) {
  chooser($("#folders"), (job) => watch(job, $("#jobs"), refresh));
  watchAll($("#jobs"), refresh).catch(() => {});
} else {
  $("#folders").closest("section").hidden = true;
}
