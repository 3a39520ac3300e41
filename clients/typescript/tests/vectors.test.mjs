// Replays clients/vectors. Whatever this program does not know there, it fails on.
// @ts-check

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { inspect } from "node:util";
import { begin, Begun, NotionInstall, NotionInstallError, verifyWebhook } from "notion-install";

const FOLDER = process.env.VECTORS ? new URL(process.env.VECTORS) : new URL("../../vectors/", import.meta.url);
/** The areas that this program knows. */
const KNOWN = [
  "begin",
  "caching",
  "claim",
  "disconnect",
  "errors",
  "installations",
  "refused",
  "returns",
  "single_flight",
  "token",
  "webhooks",
];
const FUNCTIONS = { claim: "claim", installations: "installations", token: "token", uninstall: "uninstall" };
const TURN = () => new Promise((resolve) => setImmediate(resolve));

/** The fields of this object; fails if there are others. */
function only(object, ...known) {
  const unknown = Object.keys(object).filter((field) => !known.includes(field));
  assert.deepEqual(unknown, [], `fields that this program does not know: ${unknown}`);
  return object;
}

/** Plays the transport: answers what the step says, in its order. */
class Transport {
  #expected = [];
  #gate = Promise.resolve();

  /** Runs `step` while these are the invocations, none of which is answered before `gate`. */
  async during(expected, gate, step) {
    const outer = [this.#expected, this.#gate];
    [this.#expected, this.#gate] = [[...expected], gate];
    const result = await step();
    assert.deepEqual(this.#expected, [], "invocations that were not made");
    [this.#expected, this.#gate] = outer;
    return result;
  }

  invoke = async (functionName, payload) => {
    const expected = this.#expected.shift();
    assert.ok(expected, `an invocation too many: ${functionName} ${JSON.stringify(payload)}`);
    only(expected, "function", "payload", "answer", "answer_text", "function_error", "not_reached", "request_id");
    assert.deepEqual({ function: functionName, payload }, { function: expected.function, payload: expected.payload });
    await this.#gate;
    if (expected.not_reached) throw new Error("no network");
    const requestId = expected.request_id;
    if (expected.function_error) return { payload: "{}", functionError: expected.function_error, requestId };
    // Once as bytes, once as text.
    if (expected.answer_text !== undefined) return { payload: expected.answer_text, requestId };
    return { payload: new TextEncoder().encode(JSON.stringify(expected.answer)), requestId };
  };
}

class Replayer {
  #transport = new Transport();
  #nowMs;
  #random;
  #client;

  constructor(given) {
    const { now_ms, random_hex = "", caller, keep_for_ms } = only(given, "now_ms", "random_hex", "caller", "keep_for_ms");
    this.#nowMs = now_ms;
    this.#random = Buffer.from(random_hex, "hex");
    this.#client = new NotionInstall({
      invoke: this.#transport.invoke,
      functions: FUNCTIONS,
      caller,
      keepForMs: keep_for_ms,
      now: this.#now,
    });
  }

  #now = () => this.#nowMs;

  #fillRandom = (bytes) => {
    assert.ok(this.#random.length >= bytes.length, "more randomness than the vector has");
    bytes.set(this.#random.subarray(0, bytes.length));
    this.#random = this.#random.subarray(bytes.length);
  };

  async step(step) {
    if ("advance_ms" in step) {
      this.#nowMs += only(step, "advance_ms").advance_ms;
      return;
    }
    only(step, "call", "arguments", "invocations", "result", "error", "used", "concurrent", "gives_up", "meanwhile");
    const { concurrent = 1, gives_up = 0, invocations = [], meanwhile = [] } = step;
    let open = () => {};
    const gate = new Promise((resolve) => (open = () => resolve(undefined)));
    await this.#transport.during(invocations, gate, async () => {
      const callers = Array.from({ length: concurrent }, () => {
        const [controller, used] = [new AbortController(), []];
        const settled = this.#call(step.call, step.arguments, controller.signal, used).then(
          (result) => ({ result }),
          (error) => ({ error }),
        );
        return { controller, used, settled };
      });
      await TURN();
      callers.slice(0, gives_up).forEach(({ controller }) => controller.abort(new Error("gives up")));
      for (const { settled } of callers.slice(0, gives_up)) {
        assert.equal((await settled).error?.message, "gives up");
      }
      for (const other of meanwhile) await this.#transport.during([], Promise.resolve(), () => this.step(other));
      open();
      for (const { settled, used } of callers.slice(gives_up)) {
        compare(await settled, step);
        if (step.used !== undefined) assert.deepEqual(used, step.used);
      }
    });
  }

  async #call(call, given, signal, used) {
    const client = this.#client;
    switch (call) {
      case "begin": {
        const { install_url, return_to, expect, ui_locales } = only(given, "install_url", "return_to", "expect", "ui_locales");
        const options = { expect, uiLocales: ui_locales, fillRandom: this.#fillRandom };
        const { url, verifier, state } = await begin(install_url, return_to, options);
        return { url, verifier, state };
      }
      case "code_from": {
        const { url, state, query } = only(given, "url", "state", "query");
        const begun = Begun.fromSession({ url, state, verifier: "not asked for" });
        const code = begun.codeFrom(query);
        assert.equal(begun.codeFrom(new URLSearchParams(query)), code);
        return { code };
      }
      case "claim": {
        const { code, verifier, subject, accept_different_account } = only(
          given,
          "code",
          "verifier",
          "subject",
          "accept_different_account",
        );
        return client.claim({ code, verifier, subject, acceptDifferentAccount: accept_different_account }, { signal });
      }
      case "installations": {
        const { after, ...of } = only(given, "subject", "workspace_id", "user_id", "after");
        return client.installations(of, { after, signal });
      }
      case "disconnect": {
        const { person, generation, forget } = only(given, "person", "generation", "forget");
        return client.disconnect(personOf(person), { generation, forget, signal });
      }
      case "token":
        return shown(await client.token(personOf(only(given, "person").person), { signal }));
      case "refused": {
        const { person, token } = only(given, "person", "token");
        return shown(await client.refused(personOf(person), token, { signal }));
      }
      case "call": {
        const { person, notion } = only(given, "person", "notion");
        const answers = (token) => {
          used.push(token.accessToken);
          const status = notion[token.accessToken];
          assert.ok(status, `Notion is called with ${token.accessToken}`);
          // Both ways of saying it.
          if (status === 401 && used.length === 1) throw Object.assign(new Error("unauthorized"), { status });
          return new Response("{}", { status });
        };
        return { status: (await client.call(personOf(person), answers, { signal })).status };
      }
      case "forget":
        client.forget(personOf(only(given, "person").person));
        return undefined;
      case "verify_webhook": {
        const { secrets, headers, body } = only(given, "secrets", "headers", "body");
        return verifyWebhook({ secrets, headers, body: new TextEncoder().encode(body), now: this.#now });
      }
      default:
        return assert.fail(`a call that this program does not know: ${call}`);
    }
  }
}

function personOf(person) {
  return only(person, "subject", "workspace_id", "user_id");
}

function shown(token) {
  const { accessToken, fingerprint, version, generation, expiresAt = null } = token;
  assert.ok(!printed(token).includes(accessToken), "the token is shown");
  return { access_token: accessToken, fingerprint, version, generation, expires_at: expiresAt };
}

/** The fields of an error by its name. */
const ERRORS = {
  NotInstalled: (error) => ({ install_url: error.installUrl ?? null }),
  NeedsReinstall: (error) => ({ install_url: error.installUrl }),
  Removed: (error) => ({ install_url: error.installUrl }),
  Unclaimed: () => ({}),
  Ambiguous: (error) => ({ installations: error.installations }),
  RefusedButAlive: (error) => ({ message: error.hint }),
  InvalidGrant: () => ({}),
  TooManySubjects: () => ({}),
  NotConnected: (error) => ({ error: error.error, reason: error.reason }),
  DifferentAccount: (error) => ({ expected: error.expected ?? null, actual: error.actual }),
  OtherGeneration: (error) => ({ generation: error.generation }),
  TryLater: (error) => ({ retry_after_secs: error.retryAfterSecs, reason: error.reason }),
  InvalidRequest: (error) => ({ message: error.hint }),
  Misconfigured: () => ({}),
  FunctionFailed: (error) => ({ request_id: error.requestId ?? null }),
  NotReached: (error) => (assert.ok(error.cause, "the cause"), {}),
  Unreadable: () => ({}),
  Unauthorized: () => ({}),
  InvalidWebhook: (error) => ({ reason: error.reason }),
  InvalidSecret: () => ({}),
};

function compare({ result, error }, step) {
  if (step.error === undefined) {
    if (error) throw error;
    if (step.result === undefined) assert.equal(result, undefined);
    else if (step.call === "verify_webhook") assert.deepEqual(listed(result, step.result), step.result);
    else assert.deepEqual(result, step.result);
    return;
  }
  assert.ok(error instanceof NotionInstallError, `no error, or another one: ${inspect(error ?? result)}`);
  assert.ok(Object.hasOwn(ERRORS, step.error.name), `an error that this program does not know: ${step.error.name}`);
  const { installations, expected, actual, ...fields } = step.error;
  const got = { name: error.name, ...ERRORS[error.name](error) };
  assert.deepEqual(Object.keys(got).sort(), Object.keys(step.error).sort());
  for (const name of Object.keys(fields)) assert.deepEqual(got[name], fields[name]);
  // Of an installation in an error, the facts that are listed count.
  if (installations) assert.deepEqual(got.installations.map((each, n) => listed(each, installations[n])), installations);
  if (expected) assert.deepEqual(listed(got.expected, expected), expected);
  else if (expected === null) assert.equal(got.expected, null);
  if (actual) assert.deepEqual(listed(got.actual, actual), actual);
  for (const secret of secretsOf(step)) assert.ok(!printed(error).includes(secret), "a secret is shown");
}

/** The fields of `got` that `wanted` has, at the first level and in `data`. */
function listed(got, wanted) {
  const pick = (from, names) => Object.fromEntries(Object.keys(names).map((name) => [name, from?.[name]]));
  const picked = pick(got, wanted);
  if (wanted.data !== undefined) picked.data = wanted.kind === "unknown" ? got.data : pick(got.data, wanted.data);
  return picked;
}

/** What must never be seen. */
function secretsOf({ arguments: given, invocations = [] }) {
  const tokens = JSON.stringify(invocations).match(/ntn_[a-z0-9_]+/g) ?? [];
  return [...tokens, given.code, given.verifier, ...(given.secrets ?? [])].filter((secret) => secret?.length > 10);
}

function printed(value) {
  const texts = [String(value), JSON.stringify(value), inspect(value, { depth: 9, showHidden: true, getters: true })];
  return [...texts, value?.message, value?.stack].join("\n");
}

let replayed = 0;

for (const file of readdirSync(FOLDER).filter((name) => name.endsWith(".json") && name !== "schema.json")) {
  const { area, vectors } = JSON.parse(readFileSync(new URL(file, FOLDER), "utf8"));
  test(area, async (t) => {
    assert.ok(KNOWN.includes(area) && file === `${area}.json`, `an area that this program does not know: ${file}`);
    assert.ok(vectors.length > 0);
    for (const vector of vectors) {
      const { name, given, steps } = only(vector, "name", "given", "steps");
      await t.test(name, async () => {
        const replayer = new Replayer(given);
        for (const step of steps) await replayer.step(step);
        replayed += 1;
      });
    }
  });
}

test("how many", () => {
  console.log(`replayed ${replayed} vectors`);
  assert.ok(replayed >= 255, "some are missing");
});
