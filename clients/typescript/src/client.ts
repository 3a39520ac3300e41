import { Unauthorized } from "./errors.js";
import { authorizingFetch, type Fetch, type FetchOptions } from "./fetch.js";
import { readInstallation, readInstallations } from "./facts.js";
import { type Fields, optional, required } from "./fields.js";
import type { Installation } from "./installation.js";
import { ask, type CallOptions, type Invoke, type Payload } from "./invoke.js";
import { type Filter, type Named, named, type Person } from "./person.js";
import { refusal } from "./refusal.js";
import type { Token } from "./token.js";
import { Tokens } from "./tokens.js";

export interface NotionInstallOptions {
  /** Invokes the functions: {@link awsLambda}, {@link signedRoutes}, or another one. */
  readonly invoke: Invoke;
  /** The functions that you call. Over the routes: {@link ROUTES}. */
  readonly functions: Functions;
  /** This backend's name in the audit log: printable ASCII, at most 256 characters. */
  readonly caller?: string | undefined;
  /**
   * How long a token is kept: five minutes by default, at most fifteen. Zero keeps none. A removed installation is
   * noticed only when the function is asked again.
   */
  readonly keepForMs?: number | undefined;
  /** Milliseconds since the epoch, for tests. By default, `Date.now`. */
  readonly now?: (() => number) | undefined;
}

/**
 * Functions by name or ARN: the stack's outputs `ClaimFunctionName`, `InstallationsFunctionName`, `TokenFunctionName`
 * and `UninstallFunctionName`.
 */
export interface Functions {
  readonly claim?: string | undefined;
  readonly installations?: string | undefined;
  readonly token?: string | undefined;
  readonly uninstall?: string | undefined;
}

/** What the return destination got, and what the user's session has. */
export interface Claim {
  /** The `code` that the browser brought. */
  readonly code: string;
  /** The verifier from the session of the user who is logged in. */
  readonly verifier: string;
  /** This backend's own name for that user: 1 to 256 bytes. */
  readonly subject: string;
  /** Also if another person or workspace came back than was expected. */
  readonly acceptDifferentAccount?: boolean | undefined;
}

export interface ListOptions extends CallOptions {
  /** The `next` of the page before. */
  readonly after?: string | undefined;
}

/** A page of installations. */
export interface Page {
  readonly installations: readonly Installation[];
  /** Where the next page begins; null on the last one. */
  readonly next: string | null;
}

export interface DisconnectOptions extends CallOptions {
  /** With Notion's ids: only this one, so that a late message does not remove a later install. */
  readonly generation?: number | undefined;
  /** If the installation is removed, nothing about the person is kept. */
  readonly forget?: boolean | undefined;
}

/** What a disconnect has done. */
export interface Disconnected {
  /** Whether the installation was removed. Otherwise others are linked to it. */
  readonly removed: boolean;
  /** Whether Notion has revoked its tokens already. Otherwise the stack keeps trying. */
  readonly revoked: boolean;
  /** Which one it was; 0: nobody was installed. */
  readonly generation: number;
}

/**
 * A notion-install stack. Create one per process: all callers share its cache of tokens, and its invocations.
 *
 * Each call may be refused with one of the errors of this package ({@link NotionInstallError}).
 */
export class NotionInstall {
  readonly #invoke: Invoke;
  readonly #functions: Functions;
  readonly #caller: string | undefined;
  readonly #tokens: Tokens;

  constructor({ invoke, functions, caller, keepForMs, now }: NotionInstallOptions) {
    this.#invoke = invoke;
    this.#functions = functions;
    this.#caller = caller;
    const asking = (whose: Named, refused: string | undefined, signal: AbortSignal): Promise<Fields> =>
      this.#ask("token", { ...whose, ...(refused === undefined ? {} : { refused_fingerprint: refused }) }, signal);
    this.#tokens = new Tokens(asking, keepForMs, now);
  }

  /**
   * Links an install to one of this backend's users. Safe to repeat: the same claim gets the same answer.
   *
   * @throws {@link InvalidGrant}: begin again; {@link DifferentAccount}, {@link TooManySubjects}
   */
  async claim(claim: Claim, options: CallOptions = {}): Promise<Installation> {
    const { code, verifier, subject, acceptDifferentAccount } = claim;
    const input = {
      code,
      code_verifier: verifier,
      subject,
      ...(acceptDifferentAccount === true ? { accept_different_account: true } : {}),
    };
    return readInstallation(await this.#ask("claim", input, options.signal));
  }

  /** What is connected: of a subject, of a person by Notion's ids, or in a workspace. */
  async installations(of: Filter, options: ListOptions = {}): Promise<Page> {
    const { after, signal } = options;
    const input = { ...named(of), ...(after === undefined ? {} : { after }) };
    const answer = await this.#ask("installations", input, signal);
    return { installations: readInstallations(answer["installations"]), next: optional(answer["next"], "string") };
  }

  /**
   * Disconnects, and drops the tokens that were kept. A subject is unlinked, and if it was the last one, the grant goes
   * back to Notion. By Notion's ids, the installation is removed for everybody.
   *
   * @throws {@link NotInstalled} if the subject was disconnected before; {@link Ambiguous}, {@link OtherGeneration}
   */
  async disconnect(person: Person, options: DisconnectOptions = {}): Promise<Disconnected> {
    const { generation, forget, signal } = options;
    const input = {
      ...named(person),
      ...(generation === undefined ? {} : { generation }),
      ...(forget === true ? { forget } : {}),
    };
    // Before, so that nobody is given a token meanwhile; and afterwards, for who has asked for one meanwhile.
    this.forget(person);
    try {
      const answer = await this.#ask("uninstall", input, signal);
      return {
        removed: required(answer["removed"], "boolean"),
        revoked: required(answer["revoked"], "boolean"),
        generation: required(answer["generation"], "number"),
      };
    } finally {
      this.forget(person);
    }
  }

  /**
   * A person's token, from the cache or from the function. The `signal` ends only this caller's wait.
   *
   * @throws {@link NotInstalled}, {@link NeedsReinstall}, {@link Removed}, {@link Unclaimed}: let the user connect;
   *   {@link Ambiguous}: name the workspace; {@link TryLater}
   */
  async token(person: Person, options: CallOptions = {}): Promise<Token> {
    return this.#tokens.get(named(person), undefined, options.signal);
  }

  /**
   * A token to replace this one, which Notion answered with 401 (not 403 or 404: those say nothing about the token). If
   * another caller has already reported it, both get the result of that report.
   *
   * @throws {@link RefusedButAlive}, and what {@link token} throws
   */
  async refused(person: Person, token: Pick<Token, "fingerprint">, options: CallOptions = {}): Promise<Token> {
    return this.#tokens.get(named(person), token.fingerprint, options.signal);
  }

  /**
   * Runs `use` with a token, and once more with another one if Notion answers 401. `use` says so by throwing an error
   * whose `status` is 401, as `@notionhq/client` does, or by returning an answer with that status, as `fetch` does.
   *
   * @throws {@link Unauthorized} if Notion refuses the other token as well; what `use` throws; what {@link token} and
   *   {@link refused} throw
   */
  async call<T>(person: Person, use: (token: Token) => Promise<T> | T, options: CallOptions = {}): Promise<T> {
    const token = await this.token(person, options);
    const first = await attempt(use, token);
    if (!("refused" in first)) return first.result;
    const second = await attempt(use, await this.refused(person, token, options));
    if (!("refused" in second)) return second.result;
    throw new Unauthorized(second.refused);
  }

  /** A `fetch` that calls Notion as this person: for the option `fetch` of `@notionhq/client`, or by itself. */
  fetch(person: Person, options: FetchOptions = {}): Fetch {
    return authorizingFetch(this, person, options);
  }

  /**
   * Drops a person's token, and what is under way. By a subject alone: all tokens that were asked for by the subject, in
   * whatever workspace.
   */
  forget(person: Person): void {
    this.#tokens.forget(named(person));
  }

  async #ask(which: keyof Functions, input: Payload, signal: AbortSignal | undefined): Promise<Fields> {
    const functionName = this.#functions[which];
    if (functionName === undefined) throw new TypeError(`no name for the function ${which}`);
    const payload = this.#caller === undefined ? input : { ...input, caller: this.#caller };
    const { fields, requestId } = await ask(this.#invoke, functionName, payload, signal);
    const error = refusal(fields, requestId);
    if (error !== undefined) throw error;
    return fields;
  }
}

type Attempt<T> = { readonly result: T } | { readonly refused: unknown };

async function attempt<T>(use: (token: Token) => Promise<T> | T, token: Token): Promise<Attempt<T>> {
  try {
    const result = await use(token);
    if (!isUnauthorized(result)) return { result };
    if (result instanceof Response) await result.body?.cancel();
    return { refused: undefined };
  } catch (error) {
    if (!isUnauthorized(error)) throw error;
    return { refused: error };
  }
}

function isUnauthorized(said: unknown): boolean {
  return (said as { readonly status?: unknown } | null | undefined)?.status === 401;
}
