// Saves the moments on the page as clips, all in one zip; and says what the two kinds of clips are.

import { exactClips, saveClips, stopClips } from "./api.js";
import { $, count, make } from "./dom.js";

export const MOST = 200; // clips of a zip
export const COPY = "The stream as it is: quick, and nothing is lost. It begins at the key frame before the moment, which may be some seconds early.";
export const EXACT = "Encoded anew, which takes longer. It begins and ends at the very pictures.";

// `chosen` gives the moments, and `failed` is told what went wrong.
export function clips(chosen, failed) {
  const [button, dialog, said] = ["#zip", "#clips", "#saving"].map($);
  $("#what-copy").textContent = COPY;
  $("#what-exact").textContent = EXACT;
  button.addEventListener("click", () => {
    const number = Math.min(MOST, chosen().length);
    $("#clips-save").textContent = `Save ${count(number, "clip")}`;
    dialog.returnValue = "";
    dialog.showModal();
  });
  dialog.addEventListener("close", async () => {
    if (dialog.returnValue !== "save") return;
    const moments = chosen().slice(0, MOST).map((hit) => hit.id);
    const tell = (text) => ((said.textContent = text), (said.hidden = !text));
    button.disabled = true;
    tell(cutting(moments.length));
    try {
      const isExact = dialog.querySelector("[name=how]:checked").value === "exact";
      const done = await (isExact ? watched(moments, tell) : saveClips(moments));
      const rest = done?.leftOut ? ` ${done.leftOut} could not be cut out; clips.json in the zip says why.` : "";
      tell(done ? `${count(done.saved, "clip")} saved as clips.zip.${rest}` : "Stopped. No clips were saved.");
    } catch (error) {
      tell("");
      failed(error);
    }
    button.disabled = false;
  });
}

const cutting = (number) => `Cutting ${count(number, "clip")}. The zip is saved when the last one is there.`;

// Exact clips are a job, which is shown until it ends; null where it was stopped.
async function watched(moments, tell) {
  const bar = make("progress", { "aria-label": "Progress", max: moments.length });
  const stop = make("button", { class: "plain", type: "button", disabled: true }, "Stop"); // until there is a job
  const row = make("div", { class: "row" }, bar, stop);
  $("#saving").after(row);
  const states = { waiting: "Waits for the clips before these.", running: cutting(moments.length), stopping: "Stopping." };
  try {
    return await exactClips(moments, (job) => {
      if (!stop.onclick) stop.disabled = false;
      stop.onclick = () => ((stop.disabled = true), stopClips(job.id).catch(() => (stop.disabled = false)));
      if ($("#saving").textContent !== states[job.state]) tell(states[job.state]); // or it would be read out at every look
      if (job.state === "running") bar.value = job.progress.done;
    });
  } finally {
    row.remove();
  }
}
