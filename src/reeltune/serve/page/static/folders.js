// Chooses a folder below those that the server may bring in, and has it indexed.

import { get, post } from "./api.js";
import { base, count, make, name, problem } from "./dom.js";

export async function chooser(place, started) {
  try {
    const top = await get("/api/folders");
    if (!top.folders.length) {
      place.replaceChildren(make("p", {}, "This server may bring in no folder yet. Start it with one: ", make("code", {}, "reeltune serve --root FOLDER")));
      return;
    }
    await enter(top.folders.length === 1 ? top.folders[0] : null, place, started);
  } catch (error) {
    const said = "There is no library yet, and this token may only read. Enter with the one for writing to choose a folder.";
    place.replaceChildren(error.kind === "ReadOnly" ? make("p", {}, said) : problem(error));
  }
}

async function enter(path, place, started, isMoved = false) {
  let here;
  try {
    here = await get(path === null ? "/api/folders" : `/api/folders?path=${encodeURIComponent(path)}`);
  } catch (error) {
    place.append(problem(error));
    return;
  }
  const go = (to) => () => enter(to, place, started, true);
  const title = make("p", { class: "path", tabindex: "-1" }, path === null ? "Choose one of these folders" : name(here.path));
  const list = make("ul", { class: "folders", "aria-label": "Folders" });
  if (path !== null) list.append(item("\u2190 Back", go(here.parent)));
  for (const folder of here.folders) list.append(item(path === null ? name(folder) : name(base(folder)), go(folder)));
  place.replaceChildren(title, list);
  if (here.more) place.append(make("p", { class: "quiet" }, "There are more folders here than are listed."));
  if (path !== null) place.append(start(here, started));
  if (isMoved) title.focus();
}

function item(label, go) {
  return make("li", {}, make("button", { class: "folder", type: "button", onclick: go }, label));
}

function start(here, started) {
  const option = (id, label) => make("label", {}, make("input", { type: "checkbox", name: id }), ` ${label}`);
  const inside = here.videos ? `${count(here.videos, "video")} right in it` : "No video right in it";
  const form = make(
    "form",
    { class: "start" },
    make("p", { class: "quiet" }, `${inside}; folders below it are looked through as well.`),
    make("div", { class: "options" }, option("hear", "Find what is said"), option("read", "Find text in pictures"), make("span", { class: "quiet" }, "Both take longer.")),
    make("button", { class: "main" }, "Index this folder"),
  );
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    form.querySelector(".problem")?.remove();
    const wanted = { kind: "index", paths: [here.path] };
    for (const channel of ["hear", "read"]) if (form[channel].checked) wanted[channel] = true;
    try {
      started(await post("/api/jobs", wanted));
    } catch (error) {
      form.append(problem(error));
    }
  });
  return form;
}
