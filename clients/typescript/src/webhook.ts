import { InvalidSecret, InvalidWebhook } from "./errors.js";
import { type NotionInstallEvent, readEvent } from "./events.js";

/** How far the sender's clock and the receiver's may differ: the five minutes of Standard Webhooks. */
const TOLERANCE_SECS = 5 * 60;

export interface WebhookRequest {
  /** The request's headers, as Node (`request.headers`) or `fetch` (`request.headers`) has them. */
  readonly headers: WebhookHeaders;
  /** The body **as it came**: bytes, or the text of them, before anything parses it. */
  readonly body: Uint8Array | string;
  /** The stack's secret (`whsec_…`); two while it is rotated. */
  readonly secrets: string | readonly string[];
  /** Milliseconds since the epoch, for tests. By default, `Date.now`. */
  readonly now?: (() => number) | undefined;
}

export type WebhookHeaders =
  | { get(name: string): string | null }
  | { readonly [name: string]: string | readonly string[] | undefined };

/**
 * Verifies a webhook (Standard Webhooks 1.0), and returns its event.
 *
 * It may come again: do what it asks for once per `id`. An event of a later release has the kind `unknown`: answer it like
 * the others, and ignore it.
 *
 * @throws {@link InvalidWebhook}: answer 401; {@link InvalidSecret}: correct the configuration
 */
export async function verifyWebhook(request: WebhookRequest): Promise<NotionInstallEvent> {
  const { headers, body, secrets, now = Date.now } = request;
  const keys = (typeof secrets === "string" ? [secrets] : secrets).map(keyOf);
  if (keys.length === 0) throw new InvalidSecret();
  const id = header(headers, "webhook-id");
  const timestamp = header(headers, "webhook-timestamp");
  const signatures = header(headers, "webhook-signature");
  if (!/^[0-9]+$/.test(timestamp)) throw new InvalidWebhook("invalid_timestamp");
  const ageSecs = Math.floor(now() / 1000) - Number(timestamp);
  if (ageSecs > TOLERANCE_SECS) throw new InvalidWebhook("too_old");
  if (ageSecs < -TOLERANCE_SECS) throw new InvalidWebhook("too_new");
  const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
  if (!(await isSigned(keys, signed(`${id}.${timestamp}.`, bytes), signatures))) {
    throw new InvalidWebhook("bad_signature");
  }
  const event = readEvent(parsed(bytes));
  if (event === undefined) throw new InvalidWebhook("not_an_event");
  return event;
}

async function isSigned(keys: readonly Uint8Array[], content: Uint8Array, signatures: string): Promise<boolean> {
  const given = signatures.split(" ").flatMap((one) => (one.startsWith("v1,") ? decoded(one.slice(3)) : []));
  for (const key of keys) {
    const hmac = await crypto.subtle.importKey("raw", key, { name: "HMAC", hash: "SHA-256" }, false, ["verify"]);
    for (const signature of given) {
      // It compares in constant time.
      if (await crypto.subtle.verify("HMAC", hmac, signature, content)) return true;
    }
  }
  return false;
}

function parsed(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return undefined;
  }
}

/** Header names have no case. */
function header(headers: WebhookHeaders, name: string): string {
  const found = isHeaders(headers)
    ? headers.get(name)
    : Object.entries(headers).find(([other]) => other.toLowerCase() === name)?.[1];
  const value = typeof found === "string" ? found : found?.[0];
  if (value === undefined) throw new InvalidWebhook("missing_header");
  return value;
}

function isHeaders(headers: WebhookHeaders): headers is { get(name: string): string | null } {
  return typeof headers.get === "function";
}

function signed(prefix: string, body: Uint8Array): Uint8Array {
  const start = new TextEncoder().encode(prefix);
  const all = new Uint8Array(start.length + body.length);
  all.set(start);
  all.set(body, start.length);
  return all;
}

/** Standard Webhooks: 24 to 64 bytes. */
function keyOf(secret: string): Uint8Array {
  const [key] = decoded(secret.replace(/^whsec_/, ""));
  if (key === undefined || key.length < 24 || key.length > 64) {
    throw new InvalidSecret();
  }
  return key;
}

/** The bytes of base64, or nothing. */
function decoded(base64: string): Uint8Array[] {
  try {
    return [Uint8Array.from(atob(base64), (character) => character.charCodeAt(0))];
  } catch {
    return [];
  }
}
