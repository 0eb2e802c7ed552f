/** The HTTP API, as functions. Whatever goes wrong comes out as an ApiError. */

import { readEvents } from "./event_stream.js";

/** A refusal of the server, or no answer at all (`status` 0, `code` "unreachable"). */
export class ApiError extends Error {
  /** `isTranslated`: the message is the page's own, in the language of the page. */
  constructor(status, { message, code, isTranslated = false } = {}, retryAfter = null) {
    super(message ?? `HTTP ${status}`);
    this.status = status;
    this.code = code ?? "unknown";
    this.retryAfter = retryAfter;
    this.isTranslated = isTranslated;
  }
}

/** Set by the page: asks a person for a key; resolves when there is a new one to try. */
export const gate = { askForKey: async () => {} };

/** Call the server; `json` is sent as a body. */
export async function request(path, options = {}) {
  const { json, ...rest } = options;
  const headers = { ...rest.headers };
  if (json !== undefined) {
    headers["Content-Type"] = "application/json";
    rest.body = JSON.stringify(json);
    rest.method ??= "POST";
  }
  let response;
  try {
    response = await fetch(path, { cache: "no-store", ...rest, headers });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, { message: error.message, code: "unreachable" });
  }
  if (response.ok || response.status === 304) return response;
  const refusal = await refusalOf(response);
  if (response.status === 401 && path !== "/v1/login") {
    await gate.askForKey();
    return request(path, options);
  }
  throw refusal;
}

async function refusalOf(response) {
  const wait = Number(response.headers.get("Retry-After")) || null;
  const document = await response.json().catch(() => ({}));
  return new ApiError(response.status, document.error, wait);
}

/** Call the server and read the JSON it answers with. */
export async function read(path, options) {
  return (await request(path, options)).json();
}

const at = (id, rest = "") => `/v1/conversations/${encodeURIComponent(id)}${rest}`;

export const login = (key) => request("/v1/login", { json: { key } });
export const about = () => read("/v1/about");
export const samples = async () => (await read("/v1/samples")).samples;

/** All conversations; with `words`, those that have them all. */
export async function conversations(words = "") {
  const query = words.trim() ? `?q=${encodeURIComponent(words.trim())}` : "";
  return (await read(`/v1/conversations${query}`)).conversations;
}

export const create = () => read("/v1/conversations", { json: {} });
export const rename = (id, title) => read(at(id), { json: { title }, method: "PATCH" });
export const remove = (id) => request(at(id), { method: "DELETE" });
export const open = (id) => read(at(id));

/** The state when it differs from the one given; null when it is the same. */
export async function newer({ id, revision, busy }) {
  const tag = `"${revision}${busy ? "b" : ""}"`;
  const response = await request(at(id), { headers: { "If-None-Match": tag } });
  return response.status === 304 ? null : response.json();
}

/** Open a session file: the zip that the export "session" gave. */
export function importSession(file) {
  return read("/v1/conversations/import", { method: "POST", body: formOf([file]) });
}

/** Add pictures: files, or {sample}, or {url}. */
export function addPictures(id, source) {
  const options = Array.isArray(source) ? { method: "POST", body: formOf(source) } : { json: source };
  return read(at(id, "/images"), options);
}

/** Upload a picture to put behind something; gives its name. */
export async function addBackground(id, file) {
  const options = { method: "POST", body: formOf([file]) };
  return (await read(at(id, "/backgrounds"), options)).name;
}

/** Ask; yields {name, data} as they come. Aborting the signal stops the model. */
export async function* ask(id, question, signal) {
  const response = await request(at(id, "/ask"), { json: { question }, signal });
  for await (const event of unbroken(readEvents(response.body))) {
    if (event.name === "error") throw new ApiError(response.status, event.data.error);
    yield event;
    if (event.name === "done") return;
  }
  throw new ApiError(0, { message: "The reply ended early.", code: "unreachable" });
}

/** Events of a stream; a connection that breaks is a server that cannot be reached. */
async function* unbroken(events) {
  try {
    yield* events;
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new ApiError(0, { message: error.message, code: "unreachable" });
  }
}

/** Let the chat model forget all turns so far. */
export const forget = (id) => read(at(id, "/forget"), { json: {} });
/** Mark what an answer only spoke of. */
export const mark = (id, turn) => read(at(id, `/turns/${turn}/mark`), { json: {} });
export const stop = (id) => request(at(id, "/stop"), { method: "POST" });
export const undo = (id) => read(at(id, "/undo"), { method: "POST" });
export const redo = (id) => read(at(id, "/redo"), { method: "POST" });

/** What a region would be: a new one (`region` null) or one that is refined. Nothing is kept. */
export function preview(id, region, prompt, signal) {
  return keep(id, region, { ...prompt, preview: true }, signal);
}

/** Keep a new region, or change one. */
export function keep(id, region, prompt, signal) {
  if (region === null) return read(at(id, "/regions"), { json: prompt, signal });
  const { image: _, ...change } = prompt;
  return read(at(id, `/regions/${region}`), { json: change, method: "PATCH", signal });
}

/** All that is like what boxes show; with `preview`, nothing is kept. */
export const regionsLike = (id, prompt) => read(at(id, "/regions/like"), { json: prompt });
export const renameRegion = (id, region, phrase) => keep(id, region, { phrase });
export const removeRegion = (id, region) => read(at(id, `/regions/${region}`), { method: "DELETE" });
export const merge = (id, ids, phrase) => read(at(id, "/regions/merge"), { json: { ids, phrase } });

export const edit = (id, step) => read(at(id, "/edits"), { json: step });
/** What an edit would look like. */
export async function editPreview(id, step, signal) {
  const response = await request(at(id, "/edits"), { json: { ...step, preview: true }, signal });
  return createImageBitmap(await response.blob());
}
export const removeEdit = (id, index) => read(at(id, `/edits/${index}`), { method: "DELETE" });

/** A file to save: {blob, name}. */
export async function exported(id, format) {
  const response = await request(at(id, `/export?format=${encodeURIComponent(format)}`));
  const header = response.headers.get("Content-Disposition") ?? "";
  const coded = /filename\*=UTF-8''([^;]+)/i.exec(header)?.[1];
  const name = coded ? decodeURIComponent(coded) : /filename="?([^";]+)"?/.exec(header)?.[1];
  return { blob: await response.blob(), name: name ?? format };
}

export const pictureUrl = (id, index) => at(id, `/images/${index}.png`);
export const thumbnailUrl = (id, index) => at(id, `/images/${index}.png?size=160`);
export const editedUrl = (id, index, revision) => at(id, `/images/${index}/edited.png?whole=true&revision=${revision}`);

/** A picture's bytes as a bitmap. */
export async function bitmap(url, signal) {
  return createImageBitmap(await (await request(url, { signal, cache: "default" })).blob());
}

function formOf(files) {
  const form = new FormData();
  for (const file of files) form.append("file", file, file.name || "picture.png");
  return form;
}
