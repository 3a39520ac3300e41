// The dev stack, and a browser without a window.
// @ts-check

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import http from "node:http";
import net from "node:net";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

export const ADA = "ada00000-0000-4000-8000-000000000001";
export const ACME = "acae0000-0000-4000-8000-0000000000a1";
export const ROADMAP = "4ead0000-0000-4000-8000-0000000000b1";

/** A test that cannot run fails: it is not left out. */
export function devBinary() {
  const dev = process.env.DEV_BINARY;
  assert.ok(dev, "DEV_BINARY is not set: the program `dev` of this repository (cargo build --package dev)");
  return dev;
}

/** The first of so many free ports in a row. */
export async function freePorts(count) {
  const isFree = (port) =>
    new Promise((resolve) => {
      const probe = net.createServer().once("error", () => resolve(false));
      probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(true)));
    });
  const start = 20_000 + (process.pid % 2_000) * 20;
  for (let first = start; first < 65_000; first += count) {
    const free = await Promise.all(Array.from({ length: count }, (_, n) => isFree(first + n)));
    if (free.every(Boolean)) return first;
  }
  throw new Error("no free ports");
}

/** Starts a program, and waits for a line of its output that matches each of these. Returns what they have matched. */
export async function started(program, args, env, ...expected) {
  const child = spawn(program, args, { env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "inherit"] });
  const found = [];
  for await (const line of createInterface({ input: child.stdout })) {
    for (const pattern of expected) {
      const match = pattern.exec(line);
      if (match) found.push(match);
    }
    if (found.length === expected.length) break;
  }
  assert.equal(found.length, expected.length, `${program} ended`);
  // It goes on writing: a full pipe would stop it.
  child.stdout.resume();
  return { found, stop: () => stopped(child) };
}

function stopped(child) {
  return new Promise((resolve) => {
    child.once("exit", resolve);
    child.kill();
  });
}

/** A dev stack without recipe. `env` may have RETURN_DESTINATIONS. */
export async function devStack(port, env, webhookUrl) {
  const args = ["--port", String(port), "--no-recipe", "--webhook-url", webhookUrl];
  const { found, stop } = await started(devBinary(), args, env, /WEBHOOK_SECRET=(\S+)/, /Press Ctrl-C/);
  return {
    webhookSecret: found.map(([, secret]) => secret).find(Boolean),
    url: `http://localhost:${port}`,
    notionUrl: `http://127.0.0.1:${port + 1}`,
    lambdaUrl: `http://127.0.0.1:${port + 2}`,
    stop,
  };
}

/** The example app, and the stack that it connects to. */
export async function exampleApp() {
  const port = await freePorts(4);
  const url = `http://localhost:${port + 3}`;
  const stack = await devStack(port, { RETURN_DESTINATIONS: `app=${url}/back` }, `${url}/webhooks/notion`);
  const env = {
    PORT: String(port + 3),
    INSTALL_URL: `${stack.url}/install`,
    DEV_LAMBDA_URL: stack.lambdaUrl,
    NOTION_URL: stack.notionUrl,
    WEBHOOK_SECRET: stack.webhookSecret,
    CLAIM_FUNCTION: "claim",
    INSTALLATIONS_FUNCTION: "installations",
    TOKEN_FUNCTION: "token",
    UNINSTALL_FUNCTION: "uninstall",
  };
  const main = fileURLToPath(new URL("../examples/node_http/main.mjs", import.meta.url));
  const app = await started(process.execPath, [main], env, /^http:/);
  const stop = async () => {
    await app.stop();
    await stack.stop();
  };
  return { url, stack, stop };
}

/** One request, nothing followed. */
export function send(url, { method = "GET", body = undefined, headers = {} } = {}) {
  return new Promise((resolve, reject) => {
    const request = http.request(url, { method, headers }, (answer) => {
      let text = "";
      answer.setEncoding("utf8").on("data", (more) => (text += more));
      answer.on("end", () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text, url: String(url) }));
    });
    request.on("error", reject).end(body);
  });
}

/** Follows redirects, and keeps cookies by host. */
export class Browser {
  #cookies = new Map();

  /** Goes there, and wherever that leads. The answer has the `url` at which it ended. */
  async open(url, { form = undefined } = {}) {
    let next = new URL(url);
    let posted = form === undefined ? undefined : new URLSearchParams(form).toString();
    for (let hops = 0; hops < 20; hops += 1) {
      const answer = await this.#once(next, posted);
      const { location } = answer.headers;
      if (location === undefined) return answer;
      posted = undefined;
      next = new URL(location, next);
    }
    throw new Error("it redirects for ever");
  }

  async #once(url, body) {
    const headers = { accept: "text/html", "sec-fetch-dest": "document", cookie: this.#cookieHeader(url.host) };
    if (body !== undefined) {
      Object.assign(headers, { "content-type": "application/x-www-form-urlencoded", "sec-fetch-site": "same-origin" });
    }
    const answer = await send(url, { method: body === undefined ? "GET" : "POST", body, headers });
    for (const cookie of answer.headers["set-cookie"] ?? []) this.#keep(url.host, cookie);
    return answer;
  }

  #cookieHeader(host) {
    return [...(this.#cookies.get(host) ?? [])].map(([name, value]) => `${name}=${value}`).join("; ");
  }

  #keep(host, cookie) {
    const [, name, value] = /^([^=]+)=([^;]*)/.exec(cookie) ?? [];
    const jar = this.#cookies.get(host) ?? new Map();
    this.#cookies.set(host, value === "" || /max-age=0/i.test(cookie) ? (jar.delete(name), jar) : jar.set(name, value));
  }

  /** Decides on Notion's consent page, at which `open` has ended. */
  async decide(consent, decision, person = ADA) {
    const url = new URL(consent.url);
    const form = Object.fromEntries(url.searchParams);
    Object.assign(form, { person, workspace: ACME, page: ROADMAP, decision });
    return this.open(url.origin + url.pathname, { form });
  }
}

/** A direct invocation at the dev stack, as an `invoke` of the client. */
export function directly({ lambdaUrl }) {
  return async (functionName, payload, { signal } = {}) => {
    const path = `/2015-03-31/functions/${functionName}/invocations`;
    const init = { method: "POST", body: JSON.stringify(payload), signal };
    const answer = await fetch(lambdaUrl + path, init);
    if (!answer.ok) throw new Error(`HTTP status ${answer.status}`);
    return { payload: await answer.text(), requestId: answer.headers.get("x-amzn-requestid") ?? undefined };
  };
}

/** Tries until it does not throw. */
export async function until(check, withinMs = 30_000) {
  const end = Date.now() + withinMs;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (Date.now() > end) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
