/** A connect that has begun. Whatever prints or serializes it shows nothing: `state` and `verifier` are the session's. */
export class Begun {
  readonly #url: string;
  readonly #verifier: string;
  readonly #state: string;

  /** @internal */
  constructor(url: string, verifier: string, state: string) {
    this.#url = url;
    this.#verifier = verifier;
    this.#state = state;
  }

  /** The link for the browser. */
  get url(): string {
    return this.#url;
  }

  /**
   * Proves in the claim that this backend has begun the connect. Keep it in the session of the user who is logged in,
   * and nowhere else.
   */
  get verifier(): string {
    return this.#verifier;
  }

  /** Comes back to the return destination. Compare it with the one in the session. */
  get state(): string {
    return this.#state;
  }

  /** @internal Node shows getters if it is told to. */
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return "Begun {}";
  }
}

export interface BeginOptions {
  /**
   * To renew this installation ({@link Installation.id}). If another person or workspace comes back, the claim says so
   * before anything is linked.
   */
  readonly expect?: string | undefined;
  /** Languages for the person, best first: BCP 47 tags, as in OpenID Connect's `ui_locales`. */
  readonly uiLocales?: readonly string[] | undefined;
  /** Fills an array with random bytes, for tests. By default, `crypto.getRandomValues`. */
  readonly fillRandom?: ((bytes: Uint8Array) => void) | undefined;
}

/**
 * Begins a connect: an authorization request to the stack (RFC 6749 §4.1.1) with PKCE (RFC 7636).
 *
 * Keep `verifier` and `state` in the session of the user who is logged in, and send the browser to `url`.
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
    ...(options.uiLocales === undefined ? [] : [["ui_locales", options.uiLocales.join(" ")]]),
  ];
  const query = parameters.map((parameter) => parameter.map(encodeURIComponent).join("=")).join("&");
  return new Begun(`${installUrl}?${query}`, verifier, state);
}

/** Without padding (RFC 4648 §5). */
function base64Url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
