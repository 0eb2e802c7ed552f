/** The HTTP API of films, as functions. */

import { ApiError, gate, read, request } from "../api.js";
import { readEvents } from "../event_stream.js";

const at = (id, rest = "") => `/v1/videos/${encodeURIComponent(id)}${rest}`;

export const films = async () => (await read("/v1/videos")).videos;
export const film = (id) => read(at(id, "?times=true"));
export const remove = (id) => request(at(id), { method: "DELETE" });
export const frameUrl = (id, number) => at(id, `/frames/${number}`);
export const thumbnailUrl = (id) => at(id, "/frames/0?size=160");
/** The masks of what is pointed at on a frame: `what` has phrases or targets. */
export const pointOut = (id, number, what) => read(at(id, `/frames/${number}/segment`), { json: what });
/** Undo the last correction or addition of a track; `where` has its frame. */
export const undo = (id, run, where) => read(at(id, `/tracks/${run}/undo`), { json: where });
export const stored = (id, run) => read(at(id, `/tracks/${run}`));

/** A frame as a bitmap. */
export async function frame(id, number, signal) {
  const response = await request(frameUrl(id, number), { cache: "default", signal });
  return createImageBitmap(await response.blob());
}

/** Send a film; `told` hears the share that is sent, from 0 to 1. fetch() cannot tell it. */
export async function send(file, told) {
  const { status, answer } = await new Promise((resolve) => {
    const call = new XMLHttpRequest();
    call.open("POST", "/v1/videos");
    call.responseType = "json";
    call.upload.addEventListener("progress", (event) => event.lengthComputable && told(event.loaded / event.total));
    call.upload.addEventListener("load", () => told(1));
    call.addEventListener("loadend", () => resolve({ status: call.status, answer: call.response }));
    const form = new FormData();
    form.append("file", file, file.name);
    call.send(form);
  });
  if (status === 401) {
    await gate.askForKey();
    return send(file, told);
  }
  if (status === 0) throw new ApiError(0, { message: "The film was not taken.", code: "unreachable" });
  if (status >= 400) throw new ApiError(status, answer?.error);
  return answer;
}

/** Follow; yields {name, data} as they come. Aborting the signal stops it; what was done is kept. */
export const follow = (id, body, signal) => streamed(at(id, "/tracks"), body, signal);
/** Ask about the film or a frame; yields {name, data} as they come. Aborting the signal stops the model. */
export const ask = (id, body, signal) => streamed(at(id, "/ask"), body, signal);

async function* streamed(path, body, signal) {
  const response = await request(path, { json: { ...body, stream: true }, signal });
  try {
    for await (const event of readEvents(response.body)) {
      if (event.name === "error") throw new ApiError(response.status, event.data.error);
      yield event;
      if (event.name === "done") return;
    }
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new ApiError(0, { message: error.message, code: "unreachable" });
  }
  throw new ApiError(0, { message: "The stream ended early.", code: "unreachable" });
}

/** A file of a run to save: {blob, name}. */
export async function exported(id, run, file) {
  const response = await request(at(id, `/tracks/${run}/${file}`));
  const coded = /filename\*=UTF-8''([^;]+)/i.exec(response.headers.get("Content-Disposition") ?? "")?.[1];
  return { blob: await response.blob(), name: coded ? decodeURIComponent(coded) : file };
}
