/** The settings of an edit, with a preview on the picture; and the list of edits made. */

import * as api from "./api.js";
import { changeWith, showTrouble } from "./actions.js";
import { Latest } from "./coalescing_task.js";
import { byId, element, icon, refill } from "./dom.js";
import { t } from "./i18n.js";
import { regionOf, set, state, watch } from "./store.js";
import { nameOf } from "./viewer.js";

/** Open the settings of an edit of the chosen regions. */
export function beginEdit(operation) {
  const image = regionOf([...state.chosen][0]).image;
  set({ editing: { operation, regions: [...state.chosen], parameters: first(operation) }, trial: null, image, before: 0 });
}

/** Leave the settings without doing anything. */
export function endEdit() {
  set({ editing: null, trial: null });
}

/** Show the settings and the list, and keep them right. */
export function showEdits() {
  const form = byId("edit-form");
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    applyEdit();
  });
  let shown = null;
  watch(["editing", "language"], () => {
    const { editing } = state;
    form.hidden = editing === null;
    if (editing && editing.operation !== shown) fill(form, editing);
    shown = editing?.operation ?? null;
    if (editing) trials.run();
  });
  watch(["conversation", "chosen"], () => {
    if (state.editing && !state.editing.regions.every((id) => state.chosen.has(id))) endEdit();
  });
  watch(["conversation", "image", "language"], showList);
  watch(["conversation", "image", "trial", "editing"], () => {
    byId("compare").hidden = editsHere().length === 0 && state.trial === null;
  });
  byId("before").addEventListener("input", (event) => set({ before: event.target.value / 100 }));
  watch(["before"], () => (byId("before").value = Math.round(state.before * 100)));
}

function editsHere() {
  return state.conversation?.edits.filter((step) => step.image === state.image) ?? [];
}

function first(operation) {
  const { width, height } = state.conversation.images[state.image];
  const unit = Math.sqrt(width * height);
  if (operation === "blur") return { strength: Math.max(1, Math.round(unit / 40)), where: "object" };
  if (operation === "recolour") return { colour: "#2b8a6b", amount: 1, where: "object" };
  if (operation === "background") return { colour: "#f2efe6" };
  if (operation === "erase") return { grow: Math.max(3, Math.round(unit / 120)) };
  return {};
}

function change(parameters) {
  set({ editing: { ...state.editing, parameters: { ...state.editing.parameters, ...parameters } } });
}

const trials = new Latest(async () => {
  const { editing, conversation } = state;
  if (!editing) return;
  try {
    const whole = { ...editing, parameters: { ...editing.parameters, crop: null } }; // to lie on the picture
    const trial = await api.editPreview(conversation.id, stepOf(whole));
    if (state.editing?.operation === editing.operation) set({ trial });
  } catch (error) {
    showTrouble(error);
  }
});

function stepOf({ operation, regions, parameters }) {
  const given = Object.entries(parameters).filter(([, value]) => value !== null);
  return { operation, regions, parameters: Object.fromEntries(given) };
}

/** Whether the picture for a background that was chosen last has arrived at the server. */
let arrival = Promise.resolve(true);

async function applyEdit() {
  const hasArrived = await arrival;
  arrival = Promise.resolve(true);
  const { editing, conversation } = state;
  if (!editing || !hasArrived) return; // its trouble is shown: nothing else is applied in its place
  const said = t("editDone", t(editing.operation));
  if (await changeWith(() => api.edit(conversation.id, stepOf(editing)), said)) endEdit();
}

function fill(form, { operation, parameters }) {
  const cancel = element("button", { type: "button", on: { click: endEdit } }, t("cancel"));
  const apply = element("button", { type: "submit", class: "primary" }, t("apply"));
  refill(
    form,
    element("strong", {}, t(operation)),
    element("p", {}, t(`${operation}Text`)),
    element("div", { class: "row" }, FIELDS[operation](parameters)),
    element("div", { class: "row" }, apply, cancel),
  );
  form.querySelector("input, select, button").focus();
}

const FIELDS = {
  cut_out: ({ crop }) => [cropField(crop)],
  blur: ({ strength, where }) => [slider("strength", strength, 1, Math.max(60, 2 * strength), 1), whereField(where)],
  recolour: ({ colour, amount, where }) => [...colourOrGrey(colour), slider("amount", amount, 0, 1, 0.05), whereField(where)],
  erase: ({ grow }) => [slider("grow", grow, 0, Math.max(40, 3 * grow), 1)],
  background: ({ colour }) => [colourField("backgroundColour", colour, (value) => change({ colour: value, picture: null })), pictureField()],
};

function labelled(words, field) {
  return element("label", { class: "setting" }, element("span", {}, t(words)), field);
}

function slider(name, value, min, max, step) {
  const input = (event) => change({ [name]: Number(event.target.value) });
  return labelled(name, element("input", { type: "range", name, value, min, max, step, on: { input } }));
}

function whereField(where) {
  const option = (value, words) => element("option", { value, selected: value === where }, t(words));
  const input = (event) => change({ where: event.target.value });
  const field = element("select", { name: "where", on: { input } }, option("object", "whereObject"), option("rest", "whereRest"));
  return labelled("where", field);
}

function cropField(crop) {
  const input = (event) => change({ crop: event.target.checked || null });
  const box = element("input", { type: "checkbox", name: "crop", checked: crop, on: { input } });
  return element("label", { class: "setting check" }, box, element("span", {}, t("crop")));
}

function colourField(words, value, take) {
  return labelled(words, element("input", { type: "color", value, on: { input: (event) => take(event.target.value) } }));
}

function colourOrGrey(colour) {
  const picker = colourField("colour", colour, (value) => {
    grey.checked = false;
    change({ colour: value });
  });
  const input = () => change({ colour: grey.checked ? null : picker.querySelector("input").value });
  const grey = element("input", { type: "checkbox", on: { input } });
  return [picker, element("label", { class: "setting check" }, grey, element("span", {}, t("grey")))];
}

function pictureField() {
  const send = async (file) => {
    try {
      const picture = await api.addBackground(state.conversation.id, file);
      if (state.editing?.operation === "background") change({ colour: null, picture });
      return true;
    } catch (error) {
      showTrouble(error);
      return false;
    }
  };
  const input = (event) => {
    const [file] = event.target.files;
    if (file) arrival = send(file);
  };
  return labelled("backgroundPicture", element("input", { type: "file", accept: "image/*", on: { input } }));
}

function showList() {
  const list = byId("edits");
  const steps = editsHere();
  list.hidden = steps.length === 0;
  refill(list, steps.length ? element("span", {}, t("edits")) : null, steps.map((step) => {
    const regions = step.regions.map((id) => nameOf(regionOf(id) ?? { id, phrase: id })).join(", ");
    const words = t("editOf", t(step.operation), regions);
    const click = () => changeWith(() => api.removeEdit(state.conversation.id, step.index));
    const label = t("removeEdit", words);
    return element("button", { type: "button", title: label, "aria-label": label, on: { click } }, words, icon("close"));
  }));
}
