/** The HTTP API of a review, as functions. */

import { read, request } from "../api.js";

const at = (index, rest = "") => `/v1/review/pictures/${index}${rest}`;

export const overview = () => read("/v1/review");

/** A part of the queue: {entries, total}. */
export function queue({ state, label }, offset, limit) {
  const query = new URLSearchParams({ offset, limit });
  if (state) query.set("state", state);
  if (label) query.set("label", label);
  return read(`/v1/review/queue?${query}`);
}

export const updates = (since) => read(`/v1/review/updates?since=${since}`);
export const picture = (index) => read(at(index));
/** Write a change; an ApiError with the code "conflict" says that it was kept and not applied. */
export const change = (index, body) => read(at(index, "/changes"), { json: body });
export const segment = (index, prompt) => read(at(index, "/segment"), { json: prompt });
export const imageUrl = (index) => at(index, "/image");
export const thumbnailUrl = (index) => at(index, "/thumbnail?size=160");

/** Fetch a picture into the browser's cache, so that it is there when its turn comes. */
export async function prefetch(index) {
  const response = await request(imageUrl(index), { cache: "default", priority: "low" });
  await response.arrayBuffer();
}
