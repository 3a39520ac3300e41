// What must compile for whoever uses the package, and what must not. It is compiled, never run.
/// <reference path="./modules.d.ts" />

import { InvokeCommand, LambdaClient } from "@aws-sdk/client-lambda";
import { Client } from "@notionhq/client";
import {
  Ambiguous,
  awsLambda,
  begin,
  Begun,
  type BegunInSession,
  type Installation,
  type Invoke,
  type KnownEvent,
  NotionInstall,
  type NotionInstallEvent,
  type Person,
  ROUTES,
  signedRoutes,
  TryLater,
  type Token,
  verifyWebhook,
} from "notion-install";

const invoke: Invoke = awsLambda({ client: new LambdaClient({}), InvokeCommand });
const functions = { claim: "c", installations: "i", token: "t", uninstall: "u" };
const notion = new NotionInstall({ invoke, functions, caller: "my app" });
new NotionInstall({ invoke: async (name, payload) => ({ payload: `${name}${JSON.stringify(payload)}` }), functions: ROUTES });
new NotionInstall({ invoke: signedRoutes({ stackUrl: "https://s", fetch: (url, init) => fetch(url, init) }), functions: ROUTES });
// A worker that only needs tokens.
new NotionInstall({ invoke, functions: { token: process("TOKEN_FUNCTION") } });
declare function process(name: string): string | undefined;

export async function compiles(request: Request): Promise<string> {
  const begun = await begin("https://connect.example.com/install", "app", { uiLocales: "de-AT en" });
  const { url, verifier, state } = begun;
  const session: { notion?: BegunInSession } = { notion: begun.toSession() };
  const code: string = Begun.fromSession(session.notion).codeFrom(new URL(request.url).searchParams);
  begun.codeFrom({ code: "code", state: ["as", "Express", { has: "it" }] });
  const its: Installation = await notion.claim({ code, verifier, subject: "user 1" });
  // An installation is a person, by Notion's ids.
  await notion.disconnect(its, { generation: its.generation, forget: true });
  const person: Person = { subject: "user 1", workspace_id: its.workspace_id };
  new Client({ fetch: notion.fetch(person) });
  const globalFetch: typeof fetch = notion.fetch(person, { apiUrl: "http://127.0.0.1:3001", fetch });
  await globalFetch(new Request("https://api.notion.com/v1/users/me"), { signal: request.signal });
  const name: string = await notion.call(person, async ({ accessToken }) => accessToken);
  const page = await notion.installations({ workspace_id: "w" }, { after: "next" });
  const next: string | null = page.next;
  try {
    const token: Token = await notion.token(person, { signal: request.signal });
    await notion.refused(person, token);
    await notion.refused(person, { fingerprint: token.fingerprint });
  } catch (error) {
    if (error instanceof Ambiguous) return error.installations.map(({ workspace_name }) => workspace_name ?? "").join();
    if (error instanceof TryLater) return `${error.retryAfterSecs + 1} ${error.reason}`;
    throw error;
  }
  const event = await verifyWebhook({ headers: request.headers, body: await request.text(), secrets: ["whsec_", "whsec_"] });
  return url + state + name + next + told(event) + (await narrowed(event));
}

/** By type, once it is known: every branch has the fields of its event. */
function told(event: NotionInstallEvent): string {
  if (event.kind === "unknown") return event.id;
  switch (event.type) {
    case "installation.claimed":
      return event.data.subject;
    case "installation.needs_reinstall":
      return event.data.subjects.join();
    case "installation.forgotten":
      return event.data.installation_hash;
    case "install.failed":
      return event.data.reason;
    case "onboarding.completed":
      return event.data.landing_url ?? event.data.resources.map(({ resource_id }) => resource_id).join();
    case "onboarding.failed":
      return event.data.step ?? event.data.capability ?? event.data.reason;
    case "installation.installed":
      // @ts-expect-error only .claimed and .unlinked are about one subject
      return event.data.subject;
    case "install.refused":
      // @ts-expect-error it is always "refused"
      return event.data.reason === "not_allowed" ? "" : event.id;
    // @ts-expect-error there is no such type
    case "installation.moved":
      return "";
    default:
      return event.id;
  }
}

/** By kind: what is not known has nothing that is known of it. */
async function narrowed(event: NotionInstallEvent): Promise<string> {
  if (event.kind === "unknown") {
    const type: string = event.type;
    // @ts-expect-error nothing is known of its data
    const installation: string = event.data["installation"];
    return type + installation;
  }
  const known: KnownEvent = event;
  if (event.kind === "installation") {
    notion.forget(event.data);
    return event.data.installation;
  }
  // @ts-expect-error an install that failed has no installation
  if (event.kind === "install") return event.data.installation;
  return known.type;
}

/** Every kind is handled, or it does not compile. */
export function exhaustive(event: NotionInstallEvent): string {
  switch (event.kind) {
    case "installation":
    case "forgotten":
    case "install":
    case "onboarding":
      return event.type;
    case "unknown":
      return "";
    default: {
      const never: never = event;
      return never;
    }
  }
}

export async function doesNotCompile(token: Token): Promise<void> {
  // @ts-expect-error nobody is named
  await notion.token({});
  // @ts-expect-error Notion's ids are both needed
  await notion.token({ workspace_id: "w" });
  // @ts-expect-error the names are those of the answers
  await notion.token({ workspaceId: "w", userId: "u" });
  // @ts-expect-error a subject is a string
  await notion.token({ subject: 4711 });
  // @ts-expect-error without verifier
  await notion.claim({ code: "code", subject: "user 1" });
  // @ts-expect-error only begin makes one, or what a session has kept
  new Begun({ url: "", verifier: "", state: "" });
  // @ts-expect-error the verifier is missing
  Begun.fromSession({ url: "", state: "" });
  // @ts-expect-error a token is not a string: its text has to be asked for
  const text: string = token;
  // @ts-expect-error it cannot be changed
  token.fingerprint = text;
  // @ts-expect-error nor made
  new token.constructor("ntn_");
  // @ts-expect-error no invoke
  new NotionInstall({ functions });
  // @ts-expect-error no such function
  new NotionInstall({ invoke, functions: { refresh: "r" } });
  // @ts-expect-error the SDK's command is missing
  awsLambda({ client: new LambdaClient({}) });
  // @ts-expect-error a parsed body cannot be verified
  await verifyWebhook({ headers: {}, body: { id: "evt_" }, secrets: "whsec_" });
  // @ts-expect-error without secret
  await verifyWebhook({ headers: {}, body: "" });
}
