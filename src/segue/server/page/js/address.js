/** The address bar: which conversation is open (#c=…), and the key a server printed (#key=…). */

import { openConversation } from "./actions.js";
import { tried } from "./key_prompt.js";
import { state, watch } from "./store.js";

function parts() {
  return new URLSearchParams(location.hash.slice(1));
}

/** Take the key out of the address, and use it. */
export async function takeKey() {
  const found = parts();
  const key = found.get("key");
  if (!key) return;
  found.delete("key");
  history.replaceState(null, "", found.size ? `#${found}` : location.pathname);
  await tried(key).catch(() => false); // a wrong one shows at the next call
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
