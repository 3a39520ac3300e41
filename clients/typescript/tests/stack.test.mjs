// The client at the dev stack: once by direct invocations, once over the signed routes.
// @ts-check

import assert from "node:assert/strict";
import { createHash, createHmac } from "node:crypto";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import {
  begin,
  InvalidGrant,
  NeedsReinstall,
  NotInstalled,
  NotionInstall,
  NotReached,
  ROUTES,
  signedRoutes,
  verifyWebhook,
} from "notion-install";
import { ACME, ADA, Browser, devStack, directly, freePorts, send, until } from "./stack.mjs";

const VERSION = { "notion-version": "2026-03-11" };

/** @type {any} */
let stack;
let app;
/** What came back to the return destination. */
let returned = new URLSearchParams();
/** The webhooks as they came. */
const webhooks = [];

before(async () => {
  const port = await freePorts(4);
  const url = `http://localhost:${port + 3}`;
  app = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    if (request.method === "POST") webhooks.push({ headers: request.headers, body: Buffer.concat(chunks) });
    else returned = new URL(request.url ?? "/", url).searchParams;
    response.end();
  });
  await new Promise((resolve) => app.listen(port + 3, "127.0.0.1", () => resolve(undefined)));
  stack = await devStack(port, { RETURN_DESTINATIONS: `app=${url}/back` }, `${url}/webhooks`);
});

after(async () => {
  await stack?.stop();
  app.closeAllConnections();
  app.close();
});

/** AWS Signature Version 4, as a signer such as aws4fetch makes it. The dev stack's secret is `local`. */
async function signingFetch(url, init) {
  const { host, pathname, search } = new URL(url);
  const sha256 = (text) => createHash("sha256").update(text).digest("hex");
  const date = new Date().toISOString().replace(/[:-]|\.\d{3}/g, "");
  const scope = `${date.slice(0, 8)}/us-east-1/execute-api/aws4_request`;
  const lines = `host:${host}\nx-amz-date:${date}\n`;
  const request = [init.method, pathname, search.slice(1), lines, "host;x-amz-date", sha256(init.body ?? "")].join("\n");
  const toSign = ["AWS4-HMAC-SHA256", date, scope, sha256(request)].join("\n");
  const key = scope.split("/").reduce((key, part) => createHmac("sha256", key).update(part).digest(), Buffer.from("AWS4local"));
  const signature = createHmac("sha256", key).update(toSign).digest("hex");
  const authorization = `AWS4-HMAC-SHA256 Credential=backend/${scope}, SignedHeaders=host;x-amz-date, Signature=${signature}`;
  return fetch(url, { ...init, headers: { ...init.headers, "x-amz-date": date, authorization } });
}

const TRANSPORTS = {
  "by direct invocation": () => directly(stack),
  "over the signed routes": () => signedRoutes({ stackUrl: stack.url, fetch: signingFetch }),
};

for (const [how, transport] of Object.entries(TRANSPORTS)) {
  test(how, async (t) => {
    const invoke = transport();
    const client = () => new NotionInstall({ invoke, functions: ROUTES, caller: "the tests" });
    const notion = client();
    // With every sign that a signature could stumble over.
    const subject = `ü ser+(*)'~/?&=${how}`;
    const person = { subject };
    const me = async (as) => {
      const asUser = as.fetch(person, { apiUrl: stack.notionUrl });
      const answer = await asUser(`${stack.notionUrl}/v1/users/me`, { headers: VERSION });
      return [answer.status, (await answer.json()).bot?.owner.user.id];
    };

    await t.test("begin, claim", async () => {
      const { url, verifier, state } = await begin(`${stack.url}/install`, "app");
      const browser = new Browser();
      await browser.decide(await browser.open(url), "allow");
      assert.deepEqual([returned.get("state"), returned.get("iss")], [state, stack.url]);
      const code = returned.get("code") ?? "";
      const other = (await begin(`${stack.url}/install`, "app")).verifier;
      await assert.rejects(notion.claim({ code, verifier: other, subject }), InvalidGrant);
      const claimed = await notion.claim({ code, verifier, subject });
      assert.deepEqual([claimed.workspace_id, claimed.user_id, claimed.health], [ACME, ADA, "active"]);
      assert.deepEqual([claimed.subjects, claimed.version, claimed.onboarding], [[subject], null, null]);
      assert.deepEqual(await notion.claim({ code, verifier, subject }), claimed);
      await assert.rejects(notion.claim({ code, verifier, subject: "somebody else" }), InvalidGrant);
    });

    await t.test("installations", async () => {
      for (const of of [person, { workspace_id: ACME }, { workspace_id: ACME.toUpperCase(), user_id: ADA.replaceAll("-", "") }]) {
        const { installations, next } = await notion.installations(of);
        assert.deepEqual([installations.length, installations[0].user_name, next], [1, "Ada", null]);
        assert.ok(Number(installations[0].version) > 0);
      }
      const ofTheWorkspace = await notion.installations({ workspace_id: ACME, user_id: null });
      assert.deepEqual(ofTheWorkspace.installations, []);
    });

    await t.test("a token that another process has had refreshed is replaced once", async () => {
      const held = await notion.token(person);
      assert.deepEqual(await me(notion), [200, ADA]);
      // Somebody forces a refresh; this process still holds the old token.
      await directly(stack)("token", { subject, refresh: true });
      const other = await client().token(person);
      assert.notEqual(other.fingerprint, held.fingerprint);
      assert.deepEqual(await me(notion), [200, ADA]);
      assert.equal((await notion.token(person)).fingerprint, other.fingerprint);
    });

    await t.test("by Notion's ids, and by call", async () => {
      const status = await notion.call({ workspace_id: ACME, user_id: ADA }, async ({ accessToken }) => {
        const headers = { ...VERSION, authorization: `Bearer ${accessToken}` };
        return (await send(`${stack.notionUrl}/v1/users/me`, { headers })).status;
      });
      assert.equal(status, 200);
    });

    await t.test("a thousand at once: one invocation", async () => {
      let asked = 0;
      const counting = new NotionInstall({
        invoke: (...given) => ((asked += 1), invoke(...given)),
        functions: ROUTES,
      });
      const tokens = await Promise.all(Array.from({ length: 1_000 }, () => counting.token(person)));
      assert.deepEqual([asked, new Set(tokens.map(({ fingerprint }) => fingerprint)).size], [1, 1]);
    });

    await t.test("the person has removed it at Notion", async () => {
      await notion.token(person);
      const revoke = new URLSearchParams({ person: ADA, workspace: ACME }).toString();
      const headers = { "content-type": "application/x-www-form-urlencoded" };
      assert.equal((await send(`${stack.notionUrl}/control/revoke`, { method: "POST", body: revoke, headers })).status, 303);
      const error = await me(notion).catch((error) => error);
      assert.ok(error instanceof NeedsReinstall && error.installUrl === `${stack.url}/install`, String(error));
      assert.equal((await notion.installations(person)).installations[0].health, "needs_reinstall");
    });

    await t.test("disconnect", async () => {
      const { removed, generation } = await notion.disconnect(person);
      assert.deepEqual([removed, generation > 0], [true, true]);
      await assert.rejects(notion.token(person), NotInstalled);
      await assert.rejects(notion.disconnect(person), NotInstalled);
      assert.deepEqual((await notion.installations(person)).installations, []);
    });

    await t.test("webhooks", async () => {
      const secrets = ["whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", stack.webhookSecret];
      const verified = () => Promise.all(webhooks.map((request) => verifyWebhook({ ...request, secrets })));
      await until(async () => assert.ok((await verified()).some(({ type }) => type === "installation.removed")));
      const events = await verified();
      assert.ok(events.every(({ kind }) => kind === "installation"));
      const claims = events.filter(({ type }) => type === "installation.claimed");
      assert.deepEqual(claims.map(({ data }) => data.subject), [subject]);
      for (const { body } of webhooks) assert.ok(!body.includes("ntn_"));
      webhooks.length = 0;
    });
  });
}

test("a signature that is wrong is no answer of the function", async () => {
  const invoke = signedRoutes({ stackUrl: stack.url, fetch });
  const notion = new NotionInstall({ invoke, functions: ROUTES });
  const error = await notion.token({ subject: "anna" }).catch((error) => error);
  assert.ok(error instanceof NotReached, String(error));
  assert.equal(/** @type {any} */ (error.cause).status, 403);
});

test("a function that does not exist, and a stack that is not there", async () => {
  const nowhere = new NotionInstall({ invoke: directly(stack), functions: { token: "tokne" } });
  await assert.rejects(nowhere.token({ subject: "anna" }), NotReached);
  const gone = signedRoutes({ stackUrl: "http://127.0.0.1:9", fetch });
  await assert.rejects(new NotionInstall({ invoke: gone, functions: ROUTES }).token({ subject: "anna" }), NotReached);
});
