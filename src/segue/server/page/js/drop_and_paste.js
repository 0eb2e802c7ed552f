/** Pictures that are dropped or pasted, anywhere on the page. */

import { addPictures, openSession } from "./actions.js";
import { byId } from "./dom.js";

/** Follow drag and drop, and paste. */
export function followIntake() {
  let depth = 0;
  const carries = (event) => [...(event.dataTransfer?.types ?? [])].some((type) => type === "Files" || type === "text/uri-list");
  const show = (shown) => {
    byId("drop").hidden = !shown;
    if (!shown) depth = 0;
  };
  window.addEventListener("dragenter", (event) => {
    if (!carries(event)) return;
    depth++;
    show(true);
  });
  window.addEventListener("dragleave", () => --depth <= 0 && show(false));
  window.addEventListener("dragover", (event) => carries(event) && event.preventDefault());
  window.addEventListener("drop", (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    show(false);
    take([...event.dataTransfer.files], event.dataTransfer.getData("text/uri-list"));
  });
  window.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (!files.length) return;
    event.preventDefault();
    take(files, "");
  });
}

function take(files, address) {
  const session = files.find((file) => file.name.endsWith(".zip"));
  if (session) openSession(session);
  else if (files.length) addPictures(files);
  else if (address) addPictures({ url: address.split("\n")[0].trim() });
}
