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

/** Pictures that come with a session file are added to its conversation. */
async function take(files, address) {
  const isSession = (file) => /\.zip$/i.test(file.name);
  const pictures = files.filter((file) => !isSession(file));
  for (const session of files.filter(isSession)) await openSession(session);
  if (pictures.length) await addPictures(pictures);
  else if (!files.length && address) await addPictures({ url: address.split("\n")[0].trim() });
}
