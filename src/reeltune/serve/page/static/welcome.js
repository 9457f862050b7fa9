// The first visit: there is no library until a folder has been brought in.

import { $, make } from "./dom.js";
import { chooser } from "./folders.js";
import { watch, watchAll } from "./jobs.js";

function ended(job) {
  const { result } = job;
  if (!result || !(result.indexed.length || result.unchanged.length)) return;
  const link = make("a", { class: "button main", href: "/" }, "Search these videos");
  $("#jobs").prepend(make("p", {}, link));
  link.focus();
}

chooser($("#folders"), (job) => watch(job, $("#jobs"), ended));
watchAll($("#jobs"), ended).catch(() => {});
