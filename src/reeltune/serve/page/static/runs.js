"use strict";
// A run that goes on is asked for again every few seconds, until it has ended.
const PAUSE = 3000;

async function renew() {
  const shown = document.querySelector("#run[data-live]");
  if (!shown) return;
  try {
    const answer = await fetch(location.href);
    if (answer.ok) {
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.querySelector("#run");
      const open = shown.querySelector("details")?.open;
      if (fresh) {
        if (open) fresh.querySelector("details")?.setAttribute("open", "");
        shown.replaceWith(fresh);
      }
    }
  } catch {
    // The server may come back.
  }
  setTimeout(renew, PAUSE);
}

setTimeout(renew, PAUSE);
