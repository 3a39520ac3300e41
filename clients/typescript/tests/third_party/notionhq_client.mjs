// Notion's own JavaScript library with the client's `fetch`, at the dev stack: it is never given a token. CI does not run
// it, because it does not reach npm. In an empty folder:
//
//   npm pack PATH_TO_REPOSITORY/clients/typescript
//   npm install @notionhq/client@5.26.0 ./notion-install-0.1.0.tgz
//   cp -R PATH_TO_REPOSITORY/clients/typescript/tests .
//   node tests/third_party/notionhq_client.mjs PATH_TO_REPOSITORY/target/debug/dev
//
// It ends with 0 if everything is as it should be, with 1 if not, and with 2 if the library is not installed.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { begin, NeedsReinstall, NotInstalled, NotionInstall, ROUTES } from "notion-install";

if (!process.argv[2]) {
  console.error("usage: node notionhq_client.mjs PATH_TO_DEV");
  process.exit(1);
}
process.env.DEV_BINARY = process.argv[2];
const { ACME, ADA, Browser, devStack, directly, freePorts, send } = await import("../stack.mjs");

async function library() {
  try {
    return await import("@notionhq/client");
  } catch (error) {
    if (error.code !== "ERR_MODULE_NOT_FOUND") throw error;
    console.error("@notionhq/client is not installed beside this program: npm install @notionhq/client@5.26.0");
    process.exit(2);
  }
}

const { Client, collectPaginatedAPI, LogLevel } = await library();
const subject = "user-4711";
const ok = (text) => console.log(`ok: ${text}`);

let returned = new URLSearchParams();
const port = await freePorts(4);
const app = createServer((request, response) => {
  if (request.method === "GET") returned = new URL(request.url, "http://localhost").searchParams;
  response.end();
});
await new Promise((resolve) => app.listen(port + 3, "127.0.0.1", resolve));
const url = `http://localhost:${port + 3}`;
const stack = await devStack(port, { RETURN_DESTINATIONS: `app=${url}/back` }, `${url}/webhooks`);
const control = (path, form) =>
  send(`${stack.notionUrl}/control/${path}`, {
    method: "POST",
    body: new URLSearchParams(form).toString(),
    headers: { "content-type": "application/x-www-form-urlencoded" },
  });

/** The invocations of `token`, as this process has made them. */
const asked = [];

try {
  const invoke = (functionName, payload, options) => {
    if (functionName === "token") asked.push(payload);
    return directly(stack)(functionName, payload, options);
  };
  const install = new NotionInstall({ invoke, functions: ROUTES });
  const { url: link, verifier } = await begin(`${stack.url}/install`, "app");
  const browser = new Browser();
  await browser.decide(await browser.open(link), "allow");
  await install.claim({ code: returned.get("code"), verifier, subject });

  const options = { baseUrl: stack.notionUrl, notionVersion: "2026-03-11", logLevel: LogLevel.ERROR };
  const notion = new Client({ ...options, fetch: install.fetch({ subject }, { apiUrl: stack.notionUrl }) });

  const me = await notion.users.me({});
  assert.deepEqual([me.type, me.bot.workspace_name, me.bot.owner.user.id], ["bot", "Acme", ADA]);
  ok("users.me: no token was given to the library");

  const found = await collectPaginatedAPI(notion.search, { page_size: 1 });
  assert.ok(found.length > 0);
  const parent = { page_id: found[0].id };
  const title = [{ text: { content: "By the library" } }];
  const page = await notion.pages.create({ parent, properties: { title: { title } } });
  assert.equal((await notion.pages.retrieve({ page_id: page.id })).id, page.id);
  ok(`search, pages.create, pages.retrieve: ${found.length} found by pages of one`);
  assert.equal(asked.length, 1);
  ok("one invocation for all of that");

  // Another process has the token refreshed: this process still has the old one, which is dead at Notion.
  await directly(stack)("token", { subject, refresh: true });
  const after = await notion.pages.update({ page_id: page.id, properties: { title: { title } } });
  assert.equal(after.id, page.id);
  assert.deepEqual(asked.map((payload) => "refused_fingerprint" in payload), [false, true]);
  ok("a PATCH with a body after the token was refreshed elsewhere: reported once, repeated once");

  await directly(stack)("token", { subject, refresh: true });
  const plain = new Client(options);
  const user = await install.call({ subject }, ({ accessToken }) => plain.users.me({ auth: accessToken }));
  assert.equal(user.id, me.id);
  assert.equal(asked.length, 3);
  ok("call, with `auth` by request: the library's error of a 401 is understood");

  await assert.rejects(notion.pages.retrieve({ page_id: "5a1a0000-0000-4000-8000-0000000000b3" }), { code: "object_not_found" });
  assert.equal(asked.length, 3);
  ok("a page that is not shared is the library's own error, and no report");

  await control("faults", { endpoint: "get_page", fault: '{"status":{"status":429,"retry_after":"0"}}' });
  assert.equal((await notion.pages.retrieve({ page_id: page.id })).id, page.id);
  ok("429: the library itself repeats it, with the same token");

  await control("revoke", { person: ADA, workspace: ACME });
  await assert.rejects(notion.users.me({}), NeedsReinstall);
  ok("the person has removed it at Notion: the library passes NeedsReinstall on");
  await install.disconnect({ subject });
  await assert.rejects(notion.users.me({}), NotInstalled);
  ok("disconnected: NotInstalled");
} finally {
  await stack.stop();
  app.closeAllConnections();
  app.close();
}
