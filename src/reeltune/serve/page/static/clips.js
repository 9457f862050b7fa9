// Saves the moments on the page as clips, all in one zip; and says what the two kinds of clips are.

import { saveClips } from "./api.js";
import { $, count } from "./dom.js";

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
    tell(`Cutting ${count(moments.length, "clip")}. The zip is saved when the last one is there.`);
    try {
      const { saved, leftOut } = await saveClips(moments, dialog.querySelector("[name=how]:checked").value === "exact");
      const rest = leftOut ? ` ${leftOut} could not be cut out; clips.json in the zip says why.` : "";
      tell(`${count(saved, "clip")} saved as clips.zip.${rest}`);
    } catch (error) {
      tell("");
      failed(error);
    }
    button.disabled = false;
  });
}
