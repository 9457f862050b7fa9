// Asks the server; an answer that is an error is thrown as its sentence.

export class Problem extends Error {
  constructor(said, status, kind) {
    super(said);
    this.status = status;
    this.kind = kind;
  }
}

async function answered(path, options) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem("The server does not answer. Is it still running?", 0, "NoServer");
  }
  if (answer.ok) return answer;
  const said = await answer.json().catch(() => ({}));
  throw new Problem(said.error || `The server answered with ${answer.status}.`, answer.status, said.kind);
}

function asJson(body, more) {
  return { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body), ...more };
}

export const get = async (path, more) => (await answered(path, more)).json();
export const remove = async (path) => (await answered(path, { method: "DELETE" })).json();
export const post = async (path, body, more) => (await answered(path, asJson(body, more))).json();

function asForm(query, picture, more) {
  const form = new FormData();
  form.set("picture", picture);
  form.set("query", JSON.stringify(query));
  for (const [name, value] of Object.entries(more)) form.set(name, value);
  return { method: "POST", body: form };
}

export async function search(query, picture, signal) {
  if (!picture) return post("/api/search", query, { signal });
  return (await answered("/api/search/picture", { ...asForm(query, picture, {}), signal })).json();
}

// The hits of a search as a file, json or csv.
export async function saveHits(query, picture, format) {
  const asked = picture ? ["/api/export/picture", asForm(query, picture, { format })] : ["/api/export", asJson({ query, format })];
  await keep(await answered(...asked), `moments.${format}`);
}

export const save = async (path, name) => keep(await answered(path), name);

// Moments as a zip of copied clips; says how many are in it, and how many could not be cut out.
export async function saveClips(moments) {
  const answer = await answered("/api/export/clips", asJson({ moments, exact: false }));
  await keep(answer, "clips.zip");
  return { saved: Number(answer.headers.get("clips")), leftOut: Number(answer.headers.get("left-out")) };
}

// A job that makes a zip of exact clips, and one that was begun before the page was loaded.
export const beginClips = (moments) => post("/api/clips", { moments, exact: true });
export const clipsJob = (id) => get(`/api/clips/${id}`);

// Saves the zip of a job when it is made; `look` is shown the job while it goes on. Null if it was stopped.
export async function madeClips(job, look) {
  while (["waiting", "running", "stopping"].includes(job.state)) {
    look(job);
    await new Promise((resolve) => setTimeout(resolve, 500));
    job = await clipsJob(job.id).catch((error) => {
      if (error.status) throw error;
      return job; // the server may answer again
    });
  }
  if (job.state === "failed") throw new Problem(job.error, 0, "Failed");
  if (job.state === "stopped") return null;
  fetched(`/api/clips/${job.id}/zip`, "clips.zip");
  return { saved: job.result.clips, leftOut: job.result.left_out };
}

export const stopClips = (id) => remove(`/api/clips/${id}`);

function fetched(address, name) {
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
}

async function keep(answer, name) {
  const address = URL.createObjectURL(await answer.blob());
  fetched(address, name);
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

export const thumbnail = (moment) => `/api/moments/${moment}/thumbnail`;
export const media = (file) => `/api/files/${file}/media`;
export const clip = (moment, exact) => `/api/moments/${moment}/clip?exact=${exact}`;
