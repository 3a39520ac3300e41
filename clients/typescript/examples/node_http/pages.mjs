// The pages of the sample app.
// @ts-check

import { createHash } from "node:crypto";

/** @typedef {{ body: string, script: string }} Page its text, and its script's source for the Content-Security-Policy */

// Notion's pages and the stack's cut `window.opener`. A channel of this app's own origin works all the same.
const PARENT = `
new BroadcastChannel("notion").onmessage = () => location.reload();
document.getElementById("connect-popup")?.addEventListener("click", () => {
  window.open("/connect?popup=1", "connect-notion", "popup,width=560,height=760");
});
`;
const POPUP = `
new BroadcastChannel("notion").postMessage("done");
history.replaceState(null, "", "/");
window.close();
`;

/** @param {string | null | undefined} text */
function escaped(text) {
  return (text ?? "").replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
}

/**
 * @param {string} content
 * @param {string} script
 * @returns {Page}
 */
function whole(content, script) {
  const hash = createHash("sha256").update(script).digest("base64");
  return {
    script: `'sha256-${hash}'`,
    body: `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Sample app</title>
<main>
<h1>Sample app</h1>
${content}
</main>
<script>${script}</script>
</html>
`,
  };
}

/** @param {import("notion-install").Installation} its */
function item(its) {
  const { installation, workspace_id, user_id, health, onboarding } = its;
  const query = escaped(String(new URLSearchParams({ workspace: workspace_id, person: user_id ?? "" })));
  const again = health === "needs_reinstall" ? `<a href="/connect?expect=${escaped(installation)}">Connect again</a>` : "";
  const prepared = onboarding?.landing_url ? `<a href="${escaped(onboarding.landing_url)}">Open in Notion</a>` : "";
  return `<li><strong>${escaped(its.workspace_name)}</strong>, ${escaped(its.user_name)} (${escaped(health)}) ${again} ${prepared}
<a href="/me?${query}">Call Notion</a>
<form method="post" action="/disconnect?${query}"><button>Disconnect</button></form></li>`;
}

/**
 * @param {object} has
 * @param {string} [has.user]
 * @param {string} [has.said]
 * @param {boolean} [has.asks] whether the user has to decide about another account
 * @param {readonly import("notion-install").Installation[]} [has.installations]
 * @param {readonly string[]} has.events
 */
export function page({ user, said, asks, installations = [], events }) {
  const status = said === undefined ? "" : `<p role="status">${escaped(said)}</p>`;
  if (user === undefined) {
    const button = `<form method="post" action="/login"><button name="user" value="anna">Log in as anna</button>
<button name="user" value="ben">Log in as ben</button></form>`;
    return whole(status + button, PARENT);
  }
  const accept = asks ? `<form method="post" action="/accept"><button>Connect it, too</button></form>` : "";
  const connected = installations.length === 0 ? "<p>Nothing is connected.</p>" : `<ul>${installations.map(item).join("\n")}</ul>`;
  const happened = events.map((event) => `<li>${escaped(event)}</li>`).join("\n");
  const content = `${status}${accept}
<p>You are ${escaped(user)}.</p>
${connected}
<p><a href="/connect">Connect Notion</a> <button id="connect-popup" type="button">Connect in a window of its own</button></p>
<h2>Webhooks</h2>
<ul>${happened}</ul>`;
  return whole(content, PARENT);
}

/** @param {string} said */
export function popupPage(said) {
  return whole(`<p role="status">${escaped(said)}</p><p>You can close this window.</p>`, POPUP);
}
