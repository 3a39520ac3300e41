import { HttpError } from "./errors.js";
import { isFields } from "./fields.js";
import type { Invoke, Json, Payload } from "./invoke.js";

/** The functions by the names of their routes: the `functions` of a client that asks over {@link signedRoutes}. */
export const ROUTES = {
  claim: "claim",
  installations: "installations",
  token: "token",
  uninstall: "uninstall",
} as const;

export interface SignedRoutesOptions {
  /** The output `InstallUrl` without `/install`. */
  readonly stackUrl: string;
  /**
   * Sends a request signed with AWS Signature Version 4, service `execute-api`. The `fetch` of an `AwsClient` of
   * aws4fetch does: `(url, init) => aws.fetch(url, init)`, with `retries: 0`, since `TryLater` says when to ask again.
   */
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>;
}

/** Asks over the routes of the stack, for a backend outside AWS. Use it with {@link ROUTES}. */
export function signedRoutes({ stackUrl, fetch }: SignedRoutesOptions): Invoke {
  const base = stackUrl.replace(/\/+$/, "");
  return async (route, payload, { signal }) => {
    const init: RequestInit = { redirect: "manual", ...(signal === undefined ? {} : { signal }) };
    const response =
      route === ROUTES.installations
        ? await fetch(`${base}/${route}?${query(payload)}`, { ...init, method: "GET" })
        : await fetch(`${base}/${route}`, {
            ...init,
            method: "POST",
            headers: { "content-type": "application/json" },
            body: JSON.stringify(payload),
          });
    const text = await response.text();
    // API Gateway's own answers (a wrong signature, throttling, a function that ended) have no `error`.
    if (!response.ok && !saysError(text)) throw new HttpError(response.status);
    const requestId = response.headers.get("apigw-requestid") ?? undefined;
    return { payload: text, requestId };
  };
}

function saysError(text: string): boolean {
  try {
    const answer: unknown = JSON.parse(text);
    return isFields(answer) && "error" in answer;
  } catch {
    return false;
  }
}

/** Sorted, and with %20 for a space, as the signature wants it. */
function query(payload: Payload): string {
  const parameters = Object.entries(payload).flatMap(([name, value]): [string, Json][] => {
    if (value !== null) return [[name, value]];
    // What the workspace owns has an empty user_id.
    return name === "user_id" ? [[name, ""]] : [];
  });
  return parameters
    .map((parameter) => parameter.map((part) => rfc3986(String(part))).join("="))
    .sort()
    .join("&");
}

function rfc3986(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);
}
