// What the vectors cannot say: about fetch, the AWS SDK, giving up, and what is shown.
// @ts-check

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { createServer } from "node:http";
import { after, before, beforeEach, test } from "node:test";
import { inspect } from "node:util";
import {
  awsLambda,
  begin,
  Begun,
  FunctionFailed,
  InvalidGrant,
  NeedsReinstall,
  NotConnected,
  NotInstalled,
  NotionInstall,
  NotReached,
  signedRoutes,
  TryLater,
  Unauthorized,
  Unreadable,
  verifyWebhook,
} from "notion-install";

const ANNA = { subject: "anna" };
const TURN = () => new Promise((resolve) => setImmediate(resolve));

/** A function `token` that hands out ntn_1, and another one to whoever reports the last one. */
class Vault {
  /** @type {unknown[]} */
  asked = [];
  #n = 1;

  invoke = async (functionName, payload) => {
    this.asked.push({ functionName, ...payload });
    if (payload.refused_fingerprint === `f${this.#n}`) this.#n += 1;
    const answer = { access_token: `ntn_${this.#n}`, fingerprint: `f${this.#n}`, version: this.#n, generation: 1 };
    return { payload: JSON.stringify(answer) };
  };

  client(options = {}) {
    return new NotionInstall({ invoke: this.invoke, functions: { token: "token" }, ...options });
  }
}

/** A server that notes what it is sent. */
async function listening(answer) {
  const got = [];
  const server = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const { method, url, headers } = request;
    const body = Buffer.concat(chunks).toString();
    got.push({ method, url, authorization: headers.authorization, type: headers["content-type"], body });
    answer({ authorization: headers.authorization, url }, response);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(undefined)));
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  return { got, url: `http://127.0.0.1:${port}`, close: () => (server.closeAllConnections(), server.close()) };
}

let notion, elsewhere, vault, client;
/** The tokens that Notion refuses. */
let dead = [];

before(async () => {
  elsewhere = await listening((_, response) => response.end("{}"));
  notion = await listening(({ authorization, url }, response) => {
    if (url === "/v1/away") return response.writeHead(302, { location: `${elsewhere.url}/stolen` }).end();
    const isDead = dead.some((token) => authorization === `Bearer ${token}`);
    response.writeHead(isDead ? 401 : 200, { "content-type": "application/json" }).end("{}");
  });
});

after(() => {
  notion.close();
  elsewhere.close();
});

beforeEach(() => {
  notion.got.length = elsewhere.got.length = 0;
  dead = [];
  vault = new Vault();
  client = vault.client();
});

test("fetch: a request to Notion has the token, and what the caller has set", async () => {
  const asAnna = client.fetch(ANNA, { apiUrl: notion.url });
  const headers = { "content-type": "application/json", authorization: "Bearer of somebody else" };
  const answer = await asAnna(`${notion.url}/v1/pages`, { method: "POST", headers, body: "{}" });
  assert.equal(answer.status, 200);
  const [{ method, url, authorization, type, body }] = notion.got;
  assert.deepEqual([method, url, authorization, type, body], ["POST", "/v1/pages", "Bearer ntn_1", "application/json", "{}"]);
});

test("fetch: after a 401 the token is reported, and the request repeated with its body", async () => {
  const form = () => {
    const form = new FormData();
    form.append("file", new Blob(["body"]), "a.txt");
    return form;
  };
  const bodies = ["body", new TextEncoder().encode("body"), new TextEncoder().encode("body").buffer, new Blob(["body"]), form()];
  for (const body of [...bodies, new URLSearchParams({ body: "" })]) {
    notion.got.length = 0;
    dead = ["ntn_1"];
    vault = new Vault();
    const asAnna = vault.client().fetch(ANNA, { apiUrl: notion.url });
    assert.equal((await asAnna(new URL(`${notion.url}/v1/pages`), { method: "POST", body })).status, 200);
    assert.deepEqual(notion.got.map(({ authorization }) => authorization), ["Bearer ntn_1", "Bearer ntn_2"]);
    for (const request of notion.got) assert.match(request.body, /body/);
    assert.deepEqual(vault.asked.map((asked) => asked.refused_fingerprint), [undefined, "f1"]);
  }
});

test("fetch: a Request object is repeated, too", async () => {
  dead = ["ntn_1"];
  const asAnna = client.fetch(ANNA, { apiUrl: notion.url });
  const headers = { "notion-version": "2026-03-11", "content-type": "text/plain" };
  const answer = await asAnna(new Request(`${notion.url}/v1/pages`, { method: "PATCH", body: "body", headers }));
  assert.equal(answer.status, 200);
  assert.deepEqual(notion.got.map(({ method, type, body }) => [method, type, body]), Array(2).fill(["PATCH", "text/plain", "body"]));
});

test("fetch: if Notion refuses the other token as well, that is the answer", async () => {
  dead = ["ntn_1", "ntn_2"];
  const answer = await client.fetch(ANNA, { apiUrl: notion.url })(`${notion.url}/v1/users/me`);
  assert.deepEqual([answer.status, notion.got.length, vault.asked.length], [401, 2, 2]);
  assert.equal(await answer.text(), "{}");
});

test("fetch: a stream is not sent twice, but its token is reported", async () => {
  dead = ["ntn_1"];
  const asAnna = client.fetch(ANNA, { apiUrl: notion.url });
  const send = () => {
    const init = { method: "POST", body: new Blob(["body"]).stream(), duplex: "half" };
    return asAnna(`${notion.url}/v1/file_uploads`, init);
  };
  const answer = await send();
  assert.deepEqual([answer.status, await answer.text(), notion.got.length], [401, "{}", 1]);
  assert.equal((await send()).status, 200);
  assert.deepEqual(notion.got.map(({ authorization }) => authorization), ["Bearer ntn_1", "Bearer ntn_2"]);
});

test("fetch: no other host gets the token, neither asked for nor by a redirect", async () => {
  const asAnna = client.fetch(ANNA, { apiUrl: notion.url });
  assert.equal((await asAnna(`${elsewhere.url}/v1/users/me`)).status, 200);
  for (const redirect of [undefined, "follow", "manual"]) {
    const answer = await asAnna(`${notion.url}/v1/away`, { redirect });
    assert.equal(answer.status, 302);
  }
  await assert.rejects(asAnna(`${notion.url}/v1/away`, { redirect: "error" }), TypeError);
  assert.deepEqual(elsewhere.got.map(({ url, authorization }) => [url, authorization]), [["/v1/users/me", undefined]]);
  // The same host on another port or by another scheme is another origin.
  const sent = [];
  const noting = async (url, init) => (sent.push([String(url), init?.headers]), new Response());
  const byDefault = client.fetch(ANNA, { fetch: noting });
  await byDefault("http://api.notion.com/v1/users/me");
  await byDefault("https://api.notion.com:8443/v1/users/me");
  await byDefault("https://api.notion.com.evil.example/v1/users/me");
  assert.ok(sent.every(([, headers]) => headers === undefined));
  await byDefault("https://api.notion.com/v1/users/me");
  assert.equal(sent[3][1].get("authorization"), "Bearer ntn_1");
});

test("fetch: where there is no token, nothing is sent", async () => {
  const invoke = async () => ({ payload: JSON.stringify({ error: "not_installed", install_url: "i" }) });
  const none = new NotionInstall({ invoke, functions: { token: "token" } });
  await assert.rejects(none.fetch(ANNA, { apiUrl: notion.url })(`${notion.url}/v1/users/me`), NotInstalled);
  assert.equal(notion.got.length, 0);
});

test("fetch: if the grant turns out to be dead, the error says so", async () => {
  dead = ["ntn_1"];
  const invoke = async (functionName, payload) =>
    payload.refused_fingerprint
      ? { payload: JSON.stringify({ error: "needs_reinstall", install_url: "i" }) }
      : vault.invoke(functionName, payload);
  const dying = new NotionInstall({ invoke, functions: { token: "token" } });
  await assert.rejects(dying.fetch(ANNA, { apiUrl: notion.url })(`${notion.url}/v1/users/me`), NeedsReinstall);
});

test("fetch: a thousand at once ask for one token, and report it once", async () => {
  dead = ["ntn_1"];
  const sent = [];
  const send = async (_, { headers }) => {
    const token = headers.get("authorization");
    sent.push(token);
    await TURN();
    return new Response("{}", { status: dead.includes(token.slice(7)) ? 401 : 200 });
  };
  const asAnna = client.fetch(ANNA, { fetch: send });
  const all = Array.from({ length: 1_000 }, () => asAnna("https://api.notion.com/v1/users/me"));
  const statuses = (await Promise.all(all)).map(({ status }) => status);
  assert.deepEqual([...new Set(statuses)], [200]);
  assert.deepEqual([vault.asked.length, sent.length], [2, 2_000]);
});

test("fetch: a signal ends the wait for the token", async () => {
  const waiting = new NotionInstall({ invoke: () => new Promise(() => {}), functions: { token: "token" } });
  const controller = new AbortController();
  const asAnna = waiting.fetch(ANNA, { apiUrl: notion.url });
  const answer = asAnna(`${notion.url}/v1/users/me`, { signal: controller.signal });
  const ofARequest = asAnna(new Request(`${notion.url}/v1/users/me`, { signal: controller.signal }));
  await TURN();
  controller.abort(new Error("enough"));
  await assert.rejects(answer, /enough/);
  await assert.rejects(ofARequest, /enough/);
});

test("when all have given up, the invocation is aborted, and the next caller starts another one", async () => {
  const signals = [];
  const invoke = (_, __, { signal }) =>
    new Promise((_, reject) => {
      signals.push(signal);
      signal.addEventListener("abort", () => reject(signal.reason));
    });
  const waiting = new NotionInstall({ invoke, functions: { token: "token" } });
  const [one, other] = [new AbortController(), new AbortController()];
  const callers = [one, other].map(({ signal }) => waiting.token(ANNA, { signal }));
  one.abort(new Error("one"));
  await assert.rejects(callers[0], /one/);
  assert.deepEqual(signals.map(({ aborted }) => aborted), [false]);
  other.abort(new Error("other"));
  await assert.rejects(callers[1], /other/);
  assert.deepEqual(signals.map(({ aborted }) => aborted), [true]);
  const third = new AbortController();
  const again = waiting.token(ANNA, { signal: third.signal });
  assert.equal(signals.length, 2);
  third.abort(new Error("third"));
  await assert.rejects(again, /third/);
  await assert.rejects(waiting.token(ANNA, { signal: AbortSignal.abort(new Error("before")) }), /before/);
  assert.equal(signals.length, 2);
  const claim = waiting.claim({ code: "c", verifier: "v", subject: "s" });
  await assert.rejects(claim, new TypeError("no name for the function claim"));
});

test("an abandoned invocation that does not end is nobody's any more, and its late answer is not kept", async () => {
  let answerLate = () => {};
  const late = new Promise((resolve) => {
    const answer = { access_token: "ntn_late", fingerprint: "late", version: 0, generation: 1 };
    answerLate = () => resolve({ payload: JSON.stringify(answer) });
  });
  let asked = 0;
  const invoke = (...given) => (asked++ === 0 ? late : vault.invoke(...given));
  const hanging = new NotionInstall({ invoke, functions: { token: "token" } });
  const controller = new AbortController();
  const abandoned = hanging.token(ANNA, { signal: controller.signal });
  controller.abort(new Error("enough"));
  await assert.rejects(abandoned, /enough/);
  assert.equal((await hanging.token(ANNA)).accessToken, "ntn_1");
  answerLate();
  await TURN();
  assert.equal((await hanging.token(ANNA)).accessToken, "ntn_1");
  assert.equal(asked, 2);
});

test("the workspace itself is another person than whoever it is in the workspace", async () => {
  const inWorkspace = { subject: "anna", workspace_id: "w" };
  await client.token(inWorkspace);
  await client.token({ ...inWorkspace, user_id: null });
  await client.token({ ...inWorkspace, user_id: "u" });
  assert.equal(vault.asked.length, 3);
});

test("disconnect: the kept token is nobody's from the beginning, and what was asked for meanwhile is not kept", async () => {
  let disconnected = () => {};
  const invoke = (functionName, payload) =>
    functionName === "token"
      ? vault.invoke(functionName, payload)
      : new Promise((resolve) => (disconnected = () => resolve({ payload: '{"removed":true,"revoked":true,"generation":1}' })));
  const both = new NotionInstall({ invoke, functions: { token: "token", uninstall: "uninstall" } });
  await both.token(ANNA);
  const disconnect = both.disconnect(ANNA);
  await both.token(ANNA);
  assert.equal(vault.asked.length, 2);
  disconnected();
  await disconnect;
  await both.token(ANNA);
  assert.equal(vault.asked.length, 3);
});

test("claim: another account is accepted only if it is said to be", async () => {
  const accepted = [];
  const invoke = async (_, payload) => (accepted.push(payload.accept_different_account), { payload: '{"error":"invalid_grant"}' });
  const claiming = new NotionInstall({ invoke, functions: { claim: "claim" } });
  for (const acceptDifferentAccount of [undefined, false, true]) {
    const claim = claiming.claim({ code: "c", verifier: "v", subject: "s", acceptDifferentAccount });
    await assert.rejects(claim, InvalidGrant);
  }
  assert.deepEqual(accepted, [undefined, undefined, true]);
});

test("call: an error of the caller's own is passed on, with one attempt", async () => {
  let attempts = 0;
  const own = new Error("own");
  await assert.rejects(client.call(ANNA, () => (attempts++, Promise.reject(own))), own);
  assert.equal(attempts, 1);
  const refused = Object.assign(new Error("API token is invalid."), { status: 401 });
  const error = await client.call(ANNA, () => Promise.reject(refused)).catch((error) => error);
  assert.ok(error instanceof Unauthorized && error.cause === refused);
  // Not only the global Response: other libraries have their own.
  const answered = ({ accessToken }) => ({ status: accessToken === "ntn_2" ? 200 : 401 });
  assert.deepEqual(await vault.client().call(ANNA, answered), { status: 200 });
});

test("ten thousand persons are kept; then the oldest goes", async () => {
  let nowMs = 0;
  const many = vault.client({ now: () => nowMs });
  for (let n = 0; n <= 10_000; n += 1) {
    nowMs = n;
    await many.token({ subject: `user-${n}` });
  }
  const asked = async (subject) => {
    const before = vault.asked.length;
    await many.token({ subject });
    return vault.asked.length - before;
  };
  assert.deepEqual([await asked("user-1"), await asked("user-10000"), await asked("user-0")], [0, 0, 1]);
});

test("the return: the answer to this connect, and to no other", async () => {
  const begun = Begun.fromSession(JSON.parse(JSON.stringify((await begin("https://s.example/install", "app")).toSession())));
  const { state } = begun;
  const iss = "https://s.example";
  const good = { code: "nic_1", state, iss };
  assert.equal(begun.codeFrom(good), "nic_1");
  assert.equal(begun.codeFrom(new URLSearchParams(good)), "nic_1");
  const other = (await begin("https://s.example/install", "app")).state;
  const bad = [
    {},
    { ...good, state: undefined },
    { ...good, state: "" },
    { ...good, state: other },
    { ...good, state: state.slice(1) },
    { ...good, state: `${state}A` },
    { ...good, state: [state, state] },
    { ...good, iss: undefined },
    { ...good, iss: "https://s.example/" },
    { ...good, iss: "https://evil.example" },
    { state, iss },
    { error: "access_denied", error_description: "refused", state: other, iss },
    new URLSearchParams([...Object.entries(good), ["state", state]]),
    new URLSearchParams([...Object.entries(good), ["code", "nic_2"]]),
  ];
  for (const nothing of [undefined, null]) assert.throws(() => Begun.fromSession(nothing), new InvalidGrant());
  for (const query of bad) assert.throws(() => begun.codeFrom(query), new InvalidGrant(), inspect(query));
  const refused = { error: "access_denied", error_description: "refused", state, iss };
  assert.throws(() => begun.codeFrom(refused), new NotConnected("access_denied", "refused"));
});

/** Everything that a program may print of it. */
function printed(value) {
  const options = { depth: 20, showHidden: true, getters: true };
  return [String(value), JSON.stringify(value), inspect(value, options), value?.stack, `${value?.message}`].join("\n");
}

test("nothing shows a token, a verifier, or who is cached", async () => {
  const token = await client.token(ANNA);
  const begun = await begin("https://connect.example.com/install", "app");
  assert.equal(token.accessToken, "ntn_1");
  const { url, verifier, state } = begun;
  assert.ok(verifier.length === 43 && url.includes(state));
  for (const value of [token, begun, client, [token], { begun }, client.fetch(ANNA)]) {
    for (const secret of ["ntn_1", verifier, state, "anna"]) assert.ok(!printed(value).includes(secret), inspect(value));
  }
  assert.deepEqual([JSON.stringify(begun), { ...begun }], ["{}", {}]);
  assert.equal(inspect(token), 'Token { fingerprint: "f1", version: 1 }');
  assert.equal(JSON.stringify(token), '{"fingerprint":"f1","version":1,"generation":1}');
});

test("webhooks: headers of every kind, a body as text, and what is missing is null", async () => {
  const key = Buffer.alloc(32, 7);
  const data = { installation: "i", workspace_id: "w", generation: 1, version: 2, health: "active", subjects: ["anna"] };
  const body = JSON.stringify({ id: "evt_1", type: "installation.claimed", timestamp: "2026-11-29T05:41:55Z", data });
  const now = () => 1_796_000_000_000;
  const signature = createHmac("sha256", key).update(`evt_1.1796000000.${body}`).digest("base64");
  const headers = { "webhook-id": "evt_1", "webhook-timestamp": "1796000000", "webhook-signature": `v1,${signature}` };
  const inLists = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value]]));
  const missing = { user_id: null, bot_id: null, previous_health: null, duplicated_template_id: null, subject: null };
  for (const each of [headers, inLists, new Headers(headers)]) {
    const event = await verifyWebhook({ headers: each, body, secrets: `whsec_${key.toString("base64")}`, now });
    assert.deepEqual(event.data, { ...missing, ...data });
  }
});

/** The AWS SDK's client and command, as far as they matter here. */
function sdk(send) {
  class InvokeCommand {
    constructor(input) {
      this.input = input;
    }
  }
  const invoke = awsLambda({ client: { send: async (command, options) => send(command, options) }, InvokeCommand });
  return new NotionInstall({ invoke, functions: { token: "arn:token", claim: "arn:claim" } });
}

test("AWS SDK: the command, the answer and the signal", async () => {
  let sent, options;
  const answer = { access_token: "ntn_1", fingerprint: "f1", version: 1, generation: 1 };
  const notionInstall = sdk((command, given) => {
    [sent, options] = [command, given];
    return { StatusCode: 200, Payload: new TextEncoder().encode(JSON.stringify(answer)), $metadata: { requestId: "r" } };
  });
  assert.equal((await notionInstall.token(ANNA)).accessToken, "ntn_1");
  assert.equal(sent.constructor.name, "InvokeCommand");
  assert.equal(sent.input.FunctionName, "arn:token");
  assert.deepEqual(JSON.parse(new TextDecoder().decode(sent.input.Payload)), { subject: "anna" });
  assert.ok(options.abortSignal instanceof AbortSignal);
});

test("AWS SDK: what goes wrong", async () => {
  const failing = sdk(() => ({ FunctionError: "Unhandled", Payload: new Uint8Array(), $metadata: { requestId: "r-1" } }));
  await assert.rejects(failing.token(ANNA), new FunctionFailed("r-1"));
  await assert.rejects(sdk(() => ({ $metadata: {} })).token(ANNA), Unreadable);
  await assert.rejects(sdk(() => undefined).token(ANNA), Unreadable);

  const throttled = Object.assign(new Error("Rate Exceeded."), { name: "TooManyRequestsException" });
  const notReached = await sdk(() => Promise.reject(throttled)).token(ANNA).catch((error) => error);
  assert.ok(notReached instanceof NotReached && notReached.cause === throttled);

  // An answer that the SDK cannot read is quoted in its error.
  const quoting = Object.assign(new Error("ntn_1 is not valid JSON"), { $responseBodyText: "ntn_1" });
  for (const quoted of [new SyntaxError("Unexpected token 'n', \"ntn_1\" is not valid JSON"), quoting]) {
    const error = await sdk(() => Promise.reject(quoted)).token(ANNA).catch((error) => error);
    assert.ok(error instanceof Unreadable && !printed(error).includes("ntn_1"), printed(error));
  }
});

test("routes: API Gateway's own answers are none of the function's", async () => {
  const over = (status, body) => {
    const fetch = async () => new Response(body, { status });
    return new NotionInstall({ invoke: signedRoutes({ stackUrl: "https://s.example", fetch }), functions: { token: "token" } });
  };
  for (const [status, body] of [[403, '{"message":"Forbidden"}'], [429, ""], [503, "<html>"], [302, ""]]) {
    const error = await over(status, body).token(ANNA).catch((error) => error);
    assert.ok(error instanceof NotReached, printed(error));
    assert.equal(/** @type {any} */ (error.cause).status, status);
  }
  const busy = JSON.stringify({ error: "try_later", retry_after_secs: 3, reason: "store" });
  await assert.rejects(over(503, busy).token(ANNA), new TryLater(3, "store"));
  await assert.rejects(over(200, "ntn_1").token(ANNA), Unreadable);
});

test("routes: a list is asked for by GET, sorted, with every sign escaped", async () => {
  const urls = [];
  const fetch = async (url, init) => {
    urls.push([init.method, url]);
    return new Response(JSON.stringify({ installations: [], next: null }));
  };
  const invoke = signedRoutes({ stackUrl: "https://s.example/v1/", fetch });
  const stack = new NotionInstall({ invoke, functions: { installations: "installations" }, caller: "my app" });
  await stack.installations({ subject: "ü/(1)" }, { after: "a+b=" });
  await stack.installations({ workspace_id: "w", user_id: null });
  assert.deepEqual(urls, [
    ["GET", "https://s.example/v1/installations?after=a%2Bb%3D&caller=my%20app&subject=%C3%BC%2F%281%29"],
    ["GET", "https://s.example/v1/installations?caller=my%20app&user_id=&workspace_id=w"],
  ]);
});
