// A small app whose users connect Notion: the whole story, with Node's own HTTP server and no dependency but the client.
//
// Each handler takes Node's request and response, so Express takes them, too: in your app,
//
//   for (const [route, handler] of Object.entries(routes(options))) {
//     const [method, path] = route.split(" ");
//     app[method.toLowerCase()](path, (request, response, next) => handler(request, response).catch(next));
//   }
//
// before any `express.json()`: a webhook is verified byte for byte, so its handler reads the body itself.
// @ts-check

import { randomBytes } from "node:crypto";
import {
  Ambiguous,
  begin,
  Begun,
  DifferentAccount,
  InvalidGrant,
  InvalidWebhook,
  NeedsReinstall,
  NotConnected,
  NotInstalled,
  Removed,
  TryLater,
  verifyWebhook,
} from "notion-install";
import { page, popupPage } from "./pages.mjs";

/** It is somebody else's connect that has come back, or the session's is over. */
const NOT_HERE = "You did not begin this connection here.";

/**
 * @typedef {import("node:http").IncomingMessage} Request
 * @typedef {import("node:http").ServerResponse} Response
 * @typedef {(request: Request, response: Response) => Promise<void>} Handler
 *
 * What a session has. A real app has its own sessions, and its own login.
 * @typedef {object} Session
 * @property {string} user this app's own name for who is logged in: the `subject`
 * @property {import("notion-install").BegunInSession} [begun] the connect that has begun. It never leaves the session
 * @property {boolean} [popup] whether it is in a window of its own
 * @property {string} [code] of a claim that the user has to decide about
 * @property {string} [said] what the next page says
 *
 * @typedef {object} Options
 * @property {import("notion-install").NotionInstall} notion
 * @property {string} installUrl the stack's output `InstallUrl`
 * @property {string} webhookSecret
 * @property {string | undefined} [notionUrl] only to call another Notion than the real one
 */

/**
 * The routes of the app: handlers by method and path.
 *
 * @param {Options} options
 * @returns {Record<string, Handler>}
 */
export function routes({ notion, installUrl, webhookSecret, notionUrl = "https://api.notion.com" }) {
  /** @type {Map<string, Session>} by cookie */
  const sessions = new Map();
  /**
   * What the webhooks said, by the event's id. In production: a table, with a unique id.
   *
   * @type {Map<string, import("notion-install").InstallationEvent>}
   */
  const events = new Map();

  /** @param {Request} request */
  const sessionOf = (request) => sessions.get(/(?:^|; )session=([\w-]+)/.exec(request.headers.cookie ?? "")?.[1] ?? "");

  /**
   * Only for who is logged in, and, if it changes something, only from this app's own pages.
   *
   * @param {(request: Request, response: Response, session: Session) => Promise<void>} handler
   * @returns {Handler}
   */
  const signedIn = (handler) => async (request, response) => {
    const session = sessionOf(request);
    if (session === undefined) return redirect(response, "/");
    if (request.method === "POST" && !isOwn(request)) return html(response, 403, "Not from here.");
    return handler(request, response, session);
  };

  /**
   * Links what has come back to the user who is logged in.
   *
   * @param {Response} response
   * @param {Session} session
   * @param {string} code
   * @param {boolean} acceptDifferentAccount
   */
  async function claim(response, session, code, acceptDifferentAccount) {
    const { begun, user: subject } = session;
    if (begun === undefined) return finish(response, session, NOT_HERE);
    try {
      const its = await notion.claim({ code, verifier: begun.verifier, subject, acceptDifferentAccount });
      delete session.code;
      return finish(response, session, `Connected to ${its.workspace_name} as ${its.user_name}.`, true);
    } catch (error) {
      if (error instanceof InvalidGrant) return finish(response, session, "Not connected: please connect again.");
      if (error instanceof TryLater) return finish(response, session, "Not connected yet: please reload this page.");
      if (!(error instanceof DifferentAccount)) throw error;
      session.code = code;
      const { workspace_name, user_name } = error.actual;
      return finish(response, session, `This is another account: ${user_name} in ${workspace_name}. Connect it, too?`);
    }
  }

  /**
   * Back to the app. In a window of its own, that window tells the app's page, and closes if all is well.
   *
   * @param {Response} response
   * @param {Session} session
   * @param {string} said
   */
  async function finish(response, session, said, isDone = false) {
    if (session.popup && isDone) return html(response, 200, popupPage(said));
    session.said = said;
    // Another address, so that the code is in none that the browser keeps.
    return redirect(response, "/");
  }

  return {
    "GET /": async (request, response) => {
      const session = sessionOf(request);
      if (session === undefined) return html(response, 200, page({ events: [] }));
      const { said, code, user } = session;
      delete session.said;
      const { installations } = await notion.installations({ subject: user });
      // Nobody sees what is about others.
      const own = [...events.values()].filter(({ data }) => data.subjects.includes(user)).map(({ type }) => type);
      return html(response, 200, page({ user, said, asks: code !== undefined, installations, events: own }));
    },

    // Your own login.
    "POST /login": async (request, response) => {
      const user = (await form(request)).get("user") ?? "";
      if (!isOwn(request) || !/^[\w-]{1,64}$/.test(user)) return html(response, 400, "Who are you?");
      const cookie = randomBytes(32).toString("base64url");
      sessions.set(cookie, { user });
      // Lax: Notion sends the browser back by a cross-site navigation. Over https, add Secure.
      response.setHeader("set-cookie", `session=${cookie}; Path=/; HttpOnly; SameSite=Lax`);
      return redirect(response, "/");
    },

    // The button "Connect Notion". `expect` is the installation that it is to renew.
    "GET /connect": signedIn(async (request, response, session) => {
      const query = queryOf(request);
      const expect = query.get("expect") ?? undefined;
      const begun = await begin(installUrl, "app", { expect });
      Object.assign(session, { begun: begun.toSession(), popup: query.has("popup"), code: undefined });
      return redirect(response, begun.url);
    }),

    // The return destination.
    "GET /back": signedIn(async (request, response, session) => {
      let code;
      try {
        code = Begun.fromSession(session.begun).codeFrom(queryOf(request));
      } catch (error) {
        if (error instanceof InvalidGrant) return finish(response, session, NOT_HERE);
        if (error instanceof NotConnected) return finish(response, session, `Not connected: ${error.reason}.`);
        throw error;
      }
      return claim(response, session, code, false);
    }),

    // "Yes, connect the other account, too."
    "POST /accept": signedIn(async (request, response, session) => {
      if (session.code === undefined) return redirect(response, "/");
      return claim(response, session, session.code, true);
    }),

    // Calls Notion as the user. `@notionhq/client` takes the same fetch: new Client({ fetch: notion.fetch(person) }).
    "GET /me": signedIn(async (request, response, session) => {
      const workspace_id = queryOf(request).get("workspace") ?? undefined;
      try {
        const asUser = notion.fetch({ subject: session.user, workspace_id }, { apiUrl: notionUrl });
        const answer = await asUser(`${notionUrl}/v1/users/me`, { headers: { "notion-version": "2026-03-11" } });
        const me = await answer.json();
        session.said = answer.ok ? `Notion says: ${me.name} in ${me.bot.workspace_name}.` : `Notion says: ${me.code}.`;
      } catch (error) {
        session.said = whatToDo(error);
      }
      return redirect(response, "/");
    }),

    "POST /disconnect": signedIn(async (request, response, session) => {
      const [workspace_id, user_id] = ["workspace", "person"].map((name) => queryOf(request).get(name) ?? undefined);
      try {
        // The workspace's own installation has no person.
        await notion.disconnect({ subject: session.user, workspace_id, user_id: user_id === "" ? null : user_id });
        session.said = "Disconnected.";
      } catch (error) {
        // It was disconnected before.
        if (!(error instanceof NotInstalled)) throw error;
      }
      return redirect(response, "/");
    }),

    "POST /webhooks/notion": async (request, response) => {
      const body = await bytes(request);
      try {
        const event = await verifyWebhook({ headers: request.headers, body, secrets: webhookSecret });
        // Ignore what you do not know, and what you had before: the id is the same for every delivery.
        if (event.kind === "installation") {
          if (event.type === "installation.removed") notion.forget(event.data);
          events.set(event.id, event);
        }
        response.writeHead(204).end();
      } catch (error) {
        if (!(error instanceof InvalidWebhook)) throw error;
        response.writeHead(401).end();
      }
    },
  };
}

/**
 * The server: answers 500 where a handler fails.
 *
 * @param {Record<string, Handler>} handlers
 * @returns {(request: Request, response: Response) => Promise<void>}
 */
export function listener(handlers) {
  return async (request, response) => {
    const handler = handlers[`${request.method} ${new URL(request.url ?? "/", "http://localhost").pathname}`];
    if (handler === undefined) return html(response, 404, "There is nothing here.");
    try {
      await handler(request, response);
    } catch (error) {
      // No error of the client has a secret in it. The address of /back has: do not log it.
      console.error(error);
      html(response, 500, "This did not work. Please try again.");
    }
  };
}

/** @param {unknown} error */
function whatToDo(error) {
  if (error instanceof NotInstalled || error instanceof Removed) return "Connect Notion first.";
  if (error instanceof NeedsReinstall) return "Notion no longer knows this connection: please connect again.";
  if (error instanceof Ambiguous) return "You have several workspaces: choose one.";
  if (error instanceof TryLater) return `Please try again in ${error.retryAfterSecs} seconds.`;
  throw error;
}

/**
 * Whether a page of this app has sent the form. Browsers say so (over https, and on localhost); the Origin would be `null`,
 * because of the Referrer-Policy.
 *
 * @param {Request} request
 */
function isOwn(request) {
  return request.headers["sec-fetch-site"] === "same-origin";
}

/** @param {Request} request */
function queryOf(request) {
  return new URL(request.url ?? "/", "http://localhost").searchParams;
}

/** @param {Request} request */
async function bytes(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** @param {Request} request */
async function form(request) {
  return new URLSearchParams((await bytes(request)).toString());
}

/**
 * @param {Response} response
 * @param {string} location
 */
function redirect(response, location) {
  response.writeHead(303, { location, "cache-control": "no-store", "referrer-policy": "no-referrer" }).end();
}

/**
 * @param {Response} response
 * @param {number} status
 * @param {string | { body: string, script: string }} content a page, and the hash of its script
 */
function html(response, status, content) {
  const { body, script } = typeof content === "string" ? { body: content, script: "'none'" } : content;
  response.writeHead(status, {
    "content-type": "text/html; charset=utf-8",
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "content-security-policy": `default-src 'none'; script-src ${script}; form-action 'self'; frame-ancestors 'none'`,
  });
  response.end(body);
}
