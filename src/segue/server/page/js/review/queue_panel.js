/** The list of pictures: thumbnails, states, filters, progress. */

import { byId, element, keyedChildren } from "../dom.js";
import { t } from "../i18n.js";
import { showTrouble } from "./connection.js";
import { filterBy, loadMore, openPicture } from "./queue.js";
import { thumbnailUrl } from "./review_api.js";
import { state, watch } from "./store.js";

export const STATES = ["todo", "accepted", "corrected", "rejected"];

/** Fill the panel and keep it right. */
export function showQueue() {
  const list = byId("queue");
  byId("filter-state").addEventListener("change", (event) => filterBy({ state: event.target.value }));
  byId("filter-class").addEventListener("change", (event) => filterBy({ label: event.target.value }));
  const more = new IntersectionObserver((seen) => {
    if (seen.some((one) => one.isIntersecting)) loadMore().catch(showTrouble);
  }, { root: list, rootMargin: "300px" });

  const fill = keyedChildren(list, (entry) => [entry.index, entry.state, entry.n_conflicts, state.language], row);
  const end = element("li", { class: "more", "aria-hidden": "true" });
  watch(["entries", "total", "language"], () => {
    const { entries, total } = state;
    fill(entries, entries.length ? end : element("li", { class: "empty" }, t("review.queueEmpty")));
    more.disconnect();
    if (entries.length < total) more.observe(end);
    mark();
  });
  watch(["picture"], mark);
  watch(["overview", "language", "filter"], () => {
    if (!state.overview) return;
    showFilters();
    showProgress();
  });
}

let marked = null;

function mark() {
  const index = state.picture?.index ?? null;
  for (const node of byId("queue").querySelectorAll("button[data-index]")) {
    const is = Number(node.dataset.index) === index;
    if (is) node.setAttribute("aria-current", "true");
    else node.removeAttribute("aria-current");
    if (is && index !== marked) node.scrollIntoView({ block: "nearest", inline: "nearest" });
  }
  marked = index;
}

function row(entry) {
  const doubts = entry.doubts.map((kind) => t(`review.doubt.${kind}`)).join(t("review.comma"));
  const picture = entry.has_file
    ? element("img", { src: thumbnailUrl(entry.index), alt: "", loading: "lazy", decoding: "async", width: 64, height: 48 })
    : element("span", { class: "blank", "aria-hidden": "true" });
  return element(
    "li",
    {},
    element(
      "button",
      { type: "button", class: "entry", title: entry.name, data: { key: String(entry.index), index: entry.index, state: entry.state }, on: { click: () => openPicture(entry.index) } },
      picture,
      element(
        "span",
        { class: "text" },
        element("span", { class: "name" }, entry.name),
        element("small", { class: `state ${entry.state}` }, t(`review.state.${entry.state}`)),
        element("small", { class: "doubts" }, entry.n_conflicts ? t("review.conflicts", entry.n_conflicts) : doubts),
      ),
    ),
  );
}

function showFilters() {
  const { classes, counts } = state.overview;
  const choice = (value, words, chosen) => element("option", { value, selected: value === chosen }, words);
  byId("filter-state").replaceChildren(
    choice("", t("review.allStates"), state.filter.state),
    ...STATES.map((name) => choice(name, `${t(`review.state.${name}`)} (${counts[name]})`, state.filter.state)),
  );
  byId("filter-class").replaceChildren(
    choice("", t("review.allClasses"), state.filter.label),
    ...classes.filter(Boolean).map((name) => choice(name, name, state.filter.label)),
  );
}

function showProgress() {
  const { counts, order } = state.overview;
  const total = STATES.reduce((sum, name) => sum + counts[name], 0);
  const done = total - counts.todo;
  byId("review-progress").max = total;
  byId("review-progress").value = done;
  byId("progress-words").textContent = t("review.progress", done, total);
  byId("order-words").textContent = t(order === "doubt" ? "review.byDoubt" : "review.byFile");
}
