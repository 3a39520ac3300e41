import { includes, keyOf, type Named } from "./person.js";
import type { Token } from "./token.js";

/** What is cached for a person: their token, or the fingerprint of one that Notion refused, until there is another. */
export type Kept = { readonly token: Token } | { readonly refused: string };

interface Entry {
  readonly whose: Named;
  readonly kept: Kept;
  readonly untilMs: number;
}

/** Tokens by person, each kept for a limited time, up to a maximum number of persons. */
export class Cache {
  readonly #entries = new Map<string, Entry>();
  readonly #maxPersons: number;

  constructor(maxPersons: number) {
    this.#maxPersons = maxPersons;
  }

  get(whose: Named, nowMs: number): Kept | undefined {
    const entry = this.#entries.get(keyOf(whose));
    return entry !== undefined && nowMs < entry.untilMs ? entry.kept : undefined;
  }

  /** Drops expired entries, and the oldest one if the cache is still full. */
  put(whose: Named, kept: Kept, nowMs: number, untilMs: number): void {
    this.remove(whose);
    // An expired token must not stay in memory. Looking at all entries costs little compared to the invocation that
    // brought this token.
    let oldest: string | undefined;
    let oldestUntilMs = Infinity;
    for (const [key, entry] of this.#entries) {
      if (nowMs >= entry.untilMs) {
        this.#entries.delete(key);
      } else if (entry.untilMs < oldestUntilMs) {
        [oldest, oldestUntilMs] = [key, entry.untilMs];
      }
    }
    if (oldest !== undefined && this.#entries.size >= this.#maxPersons) this.#entries.delete(oldest);
    if (nowMs < untilMs) this.#entries.set(keyOf(whose), { whose, kept, untilMs });
  }

  remove(whose: Named): void {
    this.#entries.delete(keyOf(whose));
  }

  forget(whom: Named): void {
    for (const [key, entry] of this.#entries) {
      if (includes(whom, entry.whose)) this.#entries.delete(key);
    }
  }
}
