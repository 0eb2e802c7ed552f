/** The address bar: which conversation is open (#c=…). */

import { openConversation } from "./actions.js";
import { state, watch } from "./store.js";

function parts() {
  return new URLSearchParams(location.hash.slice(1));
}

/** Open the conversation that the address names, and keep the two in step. */
export async function followAddress() {
  const named = parts().get("c");
  if (named) await openConversation(named);
  watch(["conversation"], () => {
    const id = state.conversation?.id ?? null;
    if (id === parts().get("c")) return;
    history.pushState(null, "", id ? `#c=${id}` : location.pathname);
  });
  window.addEventListener("popstate", () => {
    const id = parts().get("c");
    if (id !== (state.conversation?.id ?? null)) openConversation(id);
  });
}
