// Saves the moments on the page as clips, all in one zip; and says what the two kinds of clips are.

import { beginClips, clipsJob, madeClips, saveClips, stopClips } from "./api.js";
import { $, count, make } from "./dom.js";

export const MOST = 200; // clips of a zip
export const COPY = "The stream as it is: quick, and nothing is lost. It begins at the key frame before the moment, which may be some seconds early.";
export const EXACT = "Encoded anew, which takes longer. It begins and ends at the very pictures.";
const JOB = "clips"; // what is stored for this tab: the job whose zip has not been saved yet

// `chosen` gives the moments, and `failed` is told what went wrong.
export function clips(chosen, failed) {
  const [button, dialog] = ["#zip", "#clips"].map($);
  $("#what-copy").textContent = COPY;
  $("#what-exact").textContent = EXACT;
  button.addEventListener("click", () => {
    const number = Math.min(MOST, chosen().length);
    $("#clips-save").textContent = `Save ${count(number, "clip")}`;
    dialog.returnValue = "";
    dialog.showModal();
  });
  dialog.addEventListener("close", () => {
    if (dialog.returnValue !== "save") return;
    const moments = chosen().slice(0, MOST).map((hit) => hit.id);
    const isExact = dialog.querySelector("[name=how]:checked").value === "exact";
    told(moments.length, isExact ? async () => watched(await beginClips(moments)) : () => saveClips(moments), failed);
  });
}

// Takes up what this tab began before it was loaded anew.
export function takeUpClips(failed) {
  const id = sessionStorage.getItem(JOB);
  if (id) told(0, () => found(id), failed);
}

// Says what comes of saving clips, and lets nobody begin again before.
async function told(number, save, failed) {
  $("#zip").disabled = true;
  if (number) tell(cutting(number));
  try {
    const done = await save();
    const rest = done?.leftOut ? ` ${done.leftOut} could not be cut out; clips.json in the zip says why.` : "";
    tell(done ? `${count(done.saved, "clip")} saved as clips.zip.${rest}` : "Stopped. No clips were saved.");
  } catch (error) {
    tell("");
    failed(error);
  }
  $("#zip").disabled = false;
}

function tell(text) {
  if ($("#saving").textContent === text) return; // or it would be read out at every look
  $("#saving").textContent = text;
  $("#saving").hidden = !text;
}

const cutting = (number) => `Cutting ${count(number, "clip")}. The zip is saved when the last one is there.`;

async function found(id) {
  try {
    return await watched(await clipsJob(id));
  } catch (error) {
    if (error.status !== 404) throw error;
    sessionStorage.removeItem(JOB);
    error.message = "The clips that were being cut are gone, as the server was started anew. Save them again.";
    throw error;
  }
}

// Exact clips are a job, which is shown until it ends; null where it was stopped.
async function watched(job) {
  const number = job.wanted.moments.length;
  sessionStorage.setItem(JOB, job.id);
  const bar = make("progress", { "aria-label": "Progress", max: number });
  const stop = make("button", { class: "plain", type: "button" }, "Stop");
  const row = make("div", { class: "row" }, bar, stop);
  $("#saving").after(row);
  stop.onclick = () => ((stop.disabled = true), stopClips(job.id).catch(() => (stop.disabled = false)));
  const states = { waiting: "Waits for the clips before these.", running: cutting(number), stopping: "Stopping." };
  try {
    const done = await madeClips(job, (now) => {
      tell(states[now.state]);
      if (now.state === "running") bar.value = now.progress.done;
    });
    sessionStorage.removeItem(JOB);
    return done;
  } catch (error) {
    if (error.kind === "Failed") sessionStorage.removeItem(JOB);
    throw error;
  } finally {
    row.remove();
  }
}
