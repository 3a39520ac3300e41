/** A live access token. Whatever prints, serializes or copies it shows everything but the token itself. */
export class Token {
  readonly #accessToken: string;
  /** Identifies the token without revealing it; may be logged. */
  readonly fingerprint: string;
  /** How often the installation has changed. */
  readonly version: number;
  /** How often it has been installed. */
  readonly generation: number;
  /** When the token expires, in seconds since the epoch, if Notion said so. Today it does not. */
  readonly expiresAt: number | undefined;

  /** @internal */
  constructor(
    accessToken: string,
    facts: { fingerprint: string; version: number; generation: number; expiresAt: number | undefined },
  ) {
    this.#accessToken = accessToken;
    this.fingerprint = facts.fingerprint;
    this.version = facts.version;
    this.generation = facts.generation;
    this.expiresAt = facts.expiresAt;
  }

  /** The token itself. Use it only in the `Authorization` header. */
  get accessToken(): string {
    return this.#accessToken;
  }

  /** @internal Node shows getters if it is told to. */
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return `Token { fingerprint: "${this.fingerprint}", version: ${this.version} }`;
  }
}
