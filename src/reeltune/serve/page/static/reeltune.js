"use strict";
// The plain page: words go to the API, and each hit comes back as a picture and its file.
const form = document.querySelector("#search");
if (form) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const answer = await fetch("/api/search", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ words: form.words.value }),
    });
    const found = await answer.json();
    const list = document.querySelector("#hits");
    list.replaceChildren(...(found.hits || []).map((hit) => {
      const item = document.createElement("li");
      const picture = document.createElement("img");
      picture.src = `/api/moments/${hit.id}/thumbnail`;
      picture.alt = "";
      item.append(picture, hit.path);
      return item;
    }));
  });
}
