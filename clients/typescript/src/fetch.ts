import type { CallOptions } from "./invoke.js";
import type { Person } from "./person.js";
import type { Token } from "./token.js";

/** `fetch`, as far as this package calls it. */
export type Fetch = (input: string | URL | Request, init?: RequestInit) => Promise<Response>;

export interface FetchOptions {
  /** The API whose requests get the token: its origin counts. By default `https://api.notion.com`. */
  readonly apiUrl?: string | URL | undefined;
  /** Sends the requests. By default the global `fetch`. */
  readonly fetch?: Fetch | undefined;
}

interface Tokens {
  token(person: Person, options: CallOptions): Promise<Token>;
  refused(person: Person, token: Token, options: CallOptions): Promise<Token>;
}

/**
 * A `fetch` that calls Notion as a person.
 *
 * - Only requests to the API's origin get a token. Others are passed on as they are.
 * - A redirect is not followed but returned, so that no token follows it.
 * - If Notion answers 401, the token is reported, and the request is repeated once with another one. What comes then is
 *   the answer. A stream cannot be sent twice: then the 401 is the answer, and the next request has the other token.
 * - Where there is no token, it throws what {@link TokenClient.token} throws.
 */
export function authorizingFetch(tokens: Tokens, person: Person, options: FetchOptions): Fetch {
  const api = new URL(options.apiUrl ?? "https://api.notion.com").origin;
  return async (input, init = {}) => {
    const send: Fetch = options.fetch ?? fetch;
    const request = input instanceof Request ? input : undefined;
    if (new URL(request?.url ?? String(input)).origin !== api) return send(input, init);

    const signal = init.signal ?? request?.signal;
    const attempt = (token: Token): Promise<Response> => {
      const headers = new Headers(init.headers ?? request?.headers);
      headers.set("authorization", `Bearer ${token.accessToken}`);
      const redirect = init.redirect === "error" ? "error" : "manual";
      // The original stays unread for the repetition.
      return send(request?.clone() ?? input, { ...init, headers, redirect });
    };

    const token = await tokens.token(person, { signal });
    const answer = await attempt(token);
    if (answer.status !== 401) return answer;
    const other = await tokens.refused(person, token, { signal });
    if (!isRepeatable(init.body)) return answer;
    await answer.body?.cancel();
    return attempt(other);
  };
}

function isRepeatable(body: unknown): boolean {
  if (body === undefined || body === null || typeof body === "string" || ArrayBuffer.isView(body)) return true;
  return [ArrayBuffer, Blob, FormData, URLSearchParams].some((kind) => body instanceof kind);
}
