// The example app at the dev stack, over HTTP: connect, consent, return, claim, list, call Notion, webhook, disconnect.
// @ts-check

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Browser, exampleApp, send, until } from "./stack.mjs";

let app, stack, url;

before(async () => {
  app = await exampleApp();
  ({ stack, url } = app);
});

after(() => app?.stop());

/** What a browser says of a form of the app's own. */
const OWN = { "sec-fetch-site": "same-origin" };

async function loggedIn(user) {
  const browser = new Browser();
  const home = await browser.open(`${url}/login`, { form: { user } });
  assert.match(home.text, new RegExp(`You are ${user}`));
  return browser;
}

/** The page's own words about what was just done. */
function said({ text }) {
  return /<p role="status">([^<]*)<\/p>/.exec(text)?.[1];
}

test("the whole story", async () => {
  const anna = await loggedIn("anna");
  const consent = await anna.open(`${url}/connect`);
  assert.ok(consent.url.startsWith(stack.notionUrl), consent.url);
  const back = await anna.decide(consent, "allow");
  assert.equal(said(back), "Connected to Acme as Ada.");
  // The code and the state are in no address that the browser keeps.
  assert.equal(back.url, `${url}/`);
  assert.match(back.text, /<strong>Acme<\/strong>, Ada \(active\)/);

  const query = /href="\/me\?([^"]*)"/.exec(back.text)?.[1].replaceAll("&#38;", "&");
  assert.equal(said(await anna.open(`${url}/me?${query}`)), "Notion says: Sample app in Acme.");

  await until(async () => assert.match((await anna.open(url)).text, /<li>installation\.claimed<\/li>/));
  const gone = await anna.open(`${url}/disconnect?${query}`, { form: {} });
  assert.equal(said(gone), "Disconnected.");
  assert.match(gone.text, /Nothing is connected/);
  await until(async () => assert.match((await anna.open(url)).text, /<li>installation\.removed<\/li>/));
  assert.equal(said(await anna.open(`${url}/me?${query}`)), "Connect Notion first.");
  assert.doesNotMatch((await loggedIn("ben").then((ben) => ben.open(url))).text, /installation\.|anna/);
});

test("in a window of its own", async () => {
  const ben = await loggedIn("ben");
  const back = await ben.decide(await ben.open(`${url}/connect?popup=1`), "allow");
  assert.equal(said(back), "Connected to Acme as Ada.");
  assert.match(back.text, /new BroadcastChannel\("notion"\)\.postMessage\("done"\)/);
  assert.match(back.text, /window\.close\(\)/);
  // The page that opened it listens to the same channel, and the policy allows exactly its script.
  const home = await ben.open(url);
  assert.match(home.text, /new BroadcastChannel\("notion"\)\.onmessage/);
  assert.match(String(home.headers["content-security-policy"]), /script-src 'sha256-[\w+/]{43}='/);
});

test("who presses Cancel is told", async () => {
  const anna = await loggedIn("anna");
  const back = await anna.decide(await anna.open(`${url}/connect`), "cancel");
  assert.equal(said(back), "Not connected: refused.");
});

test("a link that somebody else has begun links nobody", async () => {
  const mallory = await send(`${url}/login`, { method: "POST", body: "user=mallory", headers: OWN });
  const headers = { cookie: String(mallory.headers["set-cookie"]).split(";")[0] };
  const link = (await send(`${url}/connect`, { headers })).headers.location;
  // Anna opens it, and approves.
  const anna = await loggedIn("anna");
  const back = await anna.decide(await anna.open(link), "allow");
  assert.equal(said(back), "You did not begin this connection here.");
  assert.match(back.text, /Nothing is connected/);
  // Nor does it help that she has begun one herself.
  await anna.open(`${url}/connect`);
  const again = await anna.decide(await anna.open(link), "allow");
  assert.equal(said(again), "You did not begin this connection here.");
});

test("another account than was expected is asked about", async () => {
  const ben = await loggedIn("ben");
  const { text } = await ben.open(url);
  assert.match(text, /, Ada \(/);
  const grace = "62ace000-0000-4000-8000-000000000002";
  const expect = "YWNhZTAwMDAtMDAwMC00MDAwLTgwMDAtMDAwMDAwMDAwMGExL3VzZXIvYWRhMDAwMDAtMDAwMC00MDAwLTgwMDAtMDAwMDAwMDAwMDAx";
  const back = await ben.decide(await ben.open(`${url}/connect?expect=${expect}`), "allow", grace);
  assert.match(said(back) ?? "", /^This is another account: .* in Acme\. Connect it, too\?$/);
  const accepted = await ben.open(`${url}/accept`, { form: {} });
  assert.match(said(accepted) ?? "", /^Connected to Acme as (?!Ada)/);
  assert.equal(accepted.text.match(/<strong>Acme<\/strong>/g)?.length, 2);
});

test("only who is logged in, and only from its own pages", async () => {
  const stranger = await new Browser().open(`${url}/me`);
  assert.match(stranger.text, /Log in as anna/);
  const anna = await send(`${url}/login`, { method: "POST", body: "user=anna", headers: OWN });
  const cookie = String(anna.headers["set-cookie"]).split(";")[0];
  for (const site of ["cross-site", "same-site", "none"]) {
    const headers = { cookie, "sec-fetch-site": site };
    assert.equal((await send(`${url}/disconnect`, { method: "POST", headers })).status, 403);
  }
});

test("a webhook that the stack has not sent is refused", async () => {
  const now = String(Math.floor(Date.now() / 1000));
  const headers = { "webhook-id": "evt_1", "webhook-timestamp": now, "webhook-signature": "v1,AAAA" };
  assert.equal((await send(`${url}/webhooks/notion`, { method: "POST", body: "{}", headers })).status, 401);
});
