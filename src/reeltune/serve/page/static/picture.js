// A picture to search by: chosen, dropped anywhere on the page, or pasted.

import { $ } from "./dom.js";

const hasFile = (event) => [...(event.dataTransfer?.types || [])].includes("Files");
const first = (files) => [...files].find((file) => file.type.startsWith("image/"));

export function pictures(found) {
  const [chosen, veil] = [$("#picture"), $("#drop")];
  const take = (file) => file && found(file);
  chosen.addEventListener("change", () => {
    take(chosen.files[0]);
    chosen.value = "";
  });
  document.addEventListener("dragover", (event) => {
    if (!hasFile(event)) return;
    event.preventDefault();
    veil.hidden = false;
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) veil.hidden = true;
  });
  document.addEventListener("drop", (event) => {
    if (!hasFile(event)) return;
    event.preventDefault();
    veil.hidden = true;
    take(first(event.dataTransfer.files));
  });
  document.addEventListener("paste", (event) => take(first(event.clipboardData.files)));
}
