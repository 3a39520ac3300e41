import { InvalidGrant, NotConnected } from "./errors.js";
import { optional } from "./fields.js";

/** What the session of the user who is logged in keeps of a connect, as JSON can have it: the verifier in the clear. */
export interface BegunInSession {
  readonly url: string;
  readonly verifier: string;
  readonly state: string;
}

/** The query with which the browser came back, decoded: `URLSearchParams`, or as Express has it. */
export type Query = URLSearchParams | { readonly [name: string]: unknown };

/** A connect that has begun. Whatever prints or serializes it shows nothing: `state` and `verifier` are the session's. */
export class Begun {
  readonly #url: string;
  readonly #verifier: string;
  readonly #state: string;

  private constructor({ url, verifier, state }: BegunInSession) {
    this.#url = url;
    this.#verifier = verifier;
    this.#state = state;
  }

  /**
   * What {@link toSession} has given.
   *
   * @throws {@link InvalidGrant} if the session has none: its user has begun nothing, as when somebody else's link is opened
   */
  static fromSession(kept: BegunInSession | null | undefined): Begun {
    if (kept === null || kept === undefined) throw new InvalidGrant();
    return new Begun(kept);
  }

  /** Keep it in the session of the user who is logged in, and nowhere else. */
  toSession(): BegunInSession {
    return { url: this.#url, verifier: this.#verifier, state: this.#state };
  }

  /** The link for the browser. */
  get url(): string {
    return this.#url;
  }

  /** Proves in the claim that this backend has begun the connect. */
  get verifier(): string {
    return this.#verifier;
  }

  /** Comes back to the return destination. */
  get state(): string {
    return this.#state;
  }

  /**
   * The code that the browser has brought to the return destination, for the claim.
   *
   * @throws {@link InvalidGrant} if it is not the answer to this connect: `state` or `iss` (RFC 9207) is another one;
   *   {@link NotConnected} if the person has pressed Cancel, or the install has failed
   */
  codeFrom(query: Query): string {
    const isOurs = areEqual(only(query, "state") ?? "", this.#state) && only(query, "iss") === new URL(this.#url).origin;
    if (!isOurs) throw new InvalidGrant();
    const error = only(query, "error");
    if (error !== undefined) throw new NotConnected(error, only(query, "error_description") ?? "");
    const code = only(query, "code");
    if (code === undefined) throw new InvalidGrant();
    return code;
  }

  /** @internal Node shows getters if it is told to. */
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return "Begun {}";
  }
}

/** A parameter that is there once (RFC 6749 §3.1). */
function only(query: Query, name: string): string | undefined {
  if (!(query instanceof URLSearchParams)) return optional(query[name], "string") ?? undefined;
  const [value, ...more] = query.getAll(name);
  return more.length === 0 ? value : undefined;
}

/** In constant time. */
function areEqual(one: string, other: string): boolean {
  let difference = one.length ^ other.length;
  for (let n = 0; n < other.length; n += 1) difference |= one.charCodeAt(n) ^ other.charCodeAt(n);
  return difference === 0;
}

export interface BeginOptions {
  /**
   * To renew this installation ({@link Installation.installation}). If another person or workspace comes back, the claim says so
   * before anything is linked.
   */
  readonly expect?: string | undefined;
  /** Languages for the person, best first, as in OpenID Connect: BCP 47 tags separated by spaces, `de-AT en`. */
  readonly uiLocales?: string | undefined;
  /** Fills an array with random bytes, for tests. By default, `crypto.getRandomValues`. */
  readonly fillRandom?: ((bytes: Uint8Array) => void) | undefined;
}

/**
 * Begins a connect: an authorization request to the stack (RFC 6749 §4.1.1) with PKCE (RFC 7636).
 *
 * Keep it in the session of the user who is logged in ({@link Begun.toSession}), and send the browser to its `url`.
 *
 * @param installUrl the stack's output `InstallUrl`
 * @param returnTo the key of one of its `ReturnDestinations`
 */
export async function begin(installUrl: string, returnTo: string, options: BeginOptions = {}): Promise<Begun> {
  const fillRandom = options.fillRandom ?? ((bytes: Uint8Array): void => void crypto.getRandomValues(bytes));
  const random = (length: number): string => {
    const bytes = new Uint8Array(length);
    fillRandom(bytes);
    return base64Url(bytes);
  };
  const verifier = random(32);
  const state = random(16);
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier));
  const parameters = [
    ["return_to", returnTo],
    ["code_challenge", base64Url(new Uint8Array(hash))],
    ["state", state],
    ...(options.expect === undefined ? [] : [["expect", options.expect]]),
    ...(options.uiLocales === undefined ? [] : [["ui_locales", options.uiLocales]]),
  ];
  const query = parameters.map((parameter) => parameter.map(encodeURIComponent).join("=")).join("&");
  return Begun.fromSession({ url: `${installUrl}?${query}`, verifier, state });
}

/** Without padding (RFC 4648 §5). */
function base64Url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
