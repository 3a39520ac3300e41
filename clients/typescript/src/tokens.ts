import { Cache, type Kept } from "./cache.js";
import { Ambiguous, NeedsReinstall, NotInstalled, RefusedButAlive, Removed, Unclaimed } from "./errors.js";
import { type Fields, optional, required } from "./fields.js";
import { Flights, type Ticket } from "./flight.js";
import type { Named } from "./person.js";
import { Token } from "./token.js";

/** How long a token is kept by default. Not long: its owner may uninstall, and other processes may refresh it. */
const KEPT_FOR_MS = 5 * 60_000;
const MAX_KEPT_FOR_MS = 15 * 60_000;
/** How long before it expires a token is dropped. */
const MARGIN_MS = 60_000;
/** The tokens of how many persons are kept. */
const MAX_PERSONS = 10_000;

/** Asks the function for a person's token: for any, or for another one than the one that Notion refused. */
type Ask = (whose: Named, refused: string | undefined, signal: AbortSignal) => Promise<Fields>;

/** Getting tokens: from the cache, from an invocation in flight, or from the function. */
export class Tokens {
  readonly #ask: Ask;
  readonly #keepForMs: number;
  readonly #now: () => number;
  readonly #cache = new Cache(MAX_PERSONS);
  readonly #flights = new Flights<Token>();

  constructor(ask: Ask, keepForMs = KEPT_FOR_MS, now: () => number = Date.now) {
    this.#ask = ask;
    this.#keepForMs = Math.min(keepForMs, MAX_KEPT_FOR_MS);
    this.#now = now;
  }

  async get(whose: Named, refused: string | undefined, signal: AbortSignal | undefined): Promise<Token> {
    signal?.throwIfAborted();
    const kept = this.#kept(whose, refused);
    if (kept !== undefined && "token" in kept) return kept.token;
    // The function may still have the token that was refused.
    const otherThan = refused ?? kept?.refused;
    return this.#flights.join(whose, otherThan ?? "", (ticket) => this.#fly(whose, otherThan, ticket), signal);
  }

  /** An answer that is under way is not cached either. */
  forget(whom: Named): void {
    this.#flights.forget(whom);
    this.#cache.forget(whom);
  }

  /** What is cached. The refused token is dropped. */
  #kept(whose: Named, refused: string | undefined): Kept | undefined {
    const nowMs = this.#now();
    const kept = this.#cache.get(whose, nowMs);
    if (refused === undefined || kept === undefined || "refused" in kept || kept.token.fingerprint !== refused) {
      return kept;
    }
    const instead = { refused };
    this.#cache.put(whose, instead, nowMs, nowMs + KEPT_FOR_MS);
    return instead;
  }

  async #fly(whose: Named, refused: string | undefined, ticket: Ticket): Promise<Token> {
    try {
      const token = read(await this.#ask(whose, refused, ticket.signal));
      const nowMs = this.#now();
      if (!ticket.isVoid) this.#cache.put(whose, { token }, nowMs, nowMs + this.#keepsForMs(token, nowMs));
      return token;
    } catch (error) {
      // After any other error, what is cached is still valid.
      if (!ticket.isVoid && DROPS_WHAT_IS_CACHED.some((kind) => error instanceof kind)) this.#cache.remove(whose);
      throw error;
    }
  }

  /** Never until it expires. */
  #keepsForMs({ expiresAt }: Token, nowMs: number): number {
    if (expiresAt === undefined) return this.#keepForMs;
    return Math.min(this.#keepForMs, expiresAt * 1000 - MARGIN_MS - nowMs);
  }
}

/** After `RefusedButAlive`, the token that was refused may be had again. */
const DROPS_WHAT_IS_CACHED = [NotInstalled, NeedsReinstall, Removed, Unclaimed, Ambiguous, RefusedButAlive];

function read(fields: Fields): Token {
  return new Token(required(fields["access_token"], "string"), {
    fingerprint: required(fields["fingerprint"], "string"),
    version: required(fields["version"], "number"),
    generation: required(fields["generation"], "number"),
    expiresAt: optional(fields["expires_at"], "number") ?? undefined,
  });
}
