// The example app in Chromium: connecting in a window of its own. It needs `chromium` and `chromedriver` on the path.
// @ts-check

import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { ACME, ADA, exampleApp, ROADMAP, started, until } from "./stack.mjs";

const ARGUMENTS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage"];
/** How WebDriver writes an element's id. */
const ELEMENT = "element-6066-11e4-a52e-4f735466cecf";

let app, driver, session, profile;

/** A command of WebDriver. */
async function command(method, path, body = {}) {
  const init = method === "GET" ? { method } : { method, body: JSON.stringify(body) };
  const { value } = await (await fetch(session + path, init)).json();
  if (value?.error) throw new Error(`${value.error}: ${value.message}`);
  return value;
}

const find = async (css) => (await command("POST", "/element", { using: "css selector", value: css }))[ELEMENT];
const click = (css) => until(async () => command("POST", `/element/${await find(css)}/click`));
const textOf = async (css) => command("GET", `/element/${await find(css)}/text`);
const see = (css, text) => until(async () => assert.match(await textOf(css), text));

before(async () => {
  app = await exampleApp();
  profile = await mkdtemp(join(tmpdir(), "notion-install-"));
  driver = await started("chromedriver", ["--port=0"], {}, /started successfully on port (\d+)/);
  session = `http://127.0.0.1:${driver.found[0][1]}/session`;
  const args = [...ARGUMENTS, `--user-data-dir=${profile}`];
  const capabilities = {
    alwaysMatch: { "goog:chromeOptions": { args }, "goog:loggingPrefs": { browser: "ALL" } },
  };
  session += `/${(await command("POST", "", { capabilities })).sessionId}`;
});

after(async () => {
  if (session) await command("DELETE", "").catch(() => {});
  await driver?.stop();
  await app?.stop();
  // The browser may still be writing.
  if (profile) await rm(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
});

test("the popup connects, tells the page that has opened it, and closes", async () => {
  await command("POST", "/url", { url: app.url });
  await click('button[value="anna"]');
  await see("main", /Nothing is connected/);
  const own = await command("GET", "/window");
  await click("#connect-popup");
  const popup = await until(async () => {
    const other = (await command("GET", "/window/handles")).find((handle) => handle !== own);
    assert.ok(other);
    return other;
  });
  await command("POST", "/window", { handle: popup });
  await click(`#account-${ADA}-${ACME}`);
  await click("#continue");
  await see("#consent", /Pages to share/);
  const page = await find(`[id="page-${ROADMAP}"]`);
  if (!(await command("GET", `/element/${page}/selected`))) await command("POST", `/element/${page}/click`);
  await click("#allow");
  await command("POST", "/window", { handle: own });
  // It has reloaded by itself.
  await see("main li", /Acme, Ada \(active\)/);
  await until(async () => assert.deepEqual(await command("GET", "/window/handles"), [own]));

  const logged = await command("POST", "/se/log", { type: "browser" });
  const refused = logged.filter(({ message }) => /Content Security Policy/.test(message));
  assert.deepEqual(refused, [], "the policy refuses something of the page's own");
});
