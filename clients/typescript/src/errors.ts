import type { Installation } from "./installation.js";

/**
 * Why a call to the stack has not done what it was to do. No error of this package ever contains a token, a code or a
 * verifier.
 */
export abstract class NotionInstallError extends Error {}

/** The person has not installed, or is disconnected already: let them connect. */
export class NotInstalled extends NotionInstallError {
  static { setName(this, "NotInstalled"); }
  constructor(
    /** The bare link, for installs without an app. Only in answers of the function `token`. */
    readonly installUrl?: string | undefined,
  ) {
    super("not installed: let the user connect");
  }
}

/** The grant is dead at Notion: stop asking, and let the person connect again. */
export class NeedsReinstall extends NotionInstallError {
  static { setName(this, "NeedsReinstall"); }
  constructor(
    /** The bare link, for installs without an app. */
    readonly installUrl: string,
  ) {
    super("the grant is dead: let the user connect again");
  }
}

/** The installation was removed on purpose. The person may connect again. */
export class Removed extends NotionInstallError {
  static { setName(this, "Removed"); }
  constructor(
    /** The bare link, for installs without an app. */
    readonly installUrl: string,
  ) {
    super("uninstalled: the user may connect again");
  }
}

/** A person has approved, and no backend has claimed it yet. */
export class Unclaimed extends NotionInstallError {
  static { setName(this, "Unclaimed"); }
  constructor() {
    super("the installation is not claimed yet");
  }
}

/** The subject has several installations: name one by its workspace. */
export class Ambiguous extends NotionInstallError {
  static { setName(this, "Ambiguous"); }
  constructor(readonly installations: readonly Installation[]) {
    super(`the subject has ${installations.length} installations: name one by its workspace`);
  }
}

/** Notion says that the token reported as refused is alive. Another one would be refused too: check the request. */
export class RefusedButAlive extends NotionInstallError {
  static { setName(this, "RefusedButAlive"); }
  constructor(
    /** What to check. */
    readonly hint: string,
  ) {
    super(`refused, but alive: ${hint}`);
  }
}

/** It cannot be decided yet. It says nothing about the grant, which may be fine. */
export class TryLater extends NotionInstallError {
  static { setName(this, "TryLater"); }
  constructor(
    /** How long to wait before asking again. */
    readonly retryAfterSecs: number,
    /** A fixed key, for the log. */
    readonly reason: string,
  ) {
    super(`not now (${reason}): ask again in ${retryAfterSecs} s`);
  }
}

/** The code is unknown, expired or another subject's, or the verifier is not the one of its challenge: begin again. */
export class InvalidGrant extends NotionInstallError {
  static { setName(this, "InvalidGrant"); }
  constructor() {
    super("the code was not accepted: begin again");
  }
}

/** The person came back with an error instead of a code (RFC 6749 §4.1.2.1). */
export class NotConnected extends NotionInstallError {
  static { setName(this, "NotConnected"); }
  constructor(
    /** `access_denied`, `server_error` or `temporarily_unavailable`. */
    readonly error: string,
    /** The `error_description`: `refused` if they have pressed Cancel. */
    readonly reason: string,
  ) {
    super(`not connected: ${error} (${reason})`);
  }
}

/**
 * Another person or workspace came back than was expected. Nothing was linked. Claim again with
 * `acceptDifferentAccount` to accept it.
 */
export class DifferentAccount extends NotionInstallError {
  static { setName(this, "DifferentAccount"); }
  constructor(
    /** The one that was expected, if it is linked to this subject. */
    readonly expected: Installation | undefined,
    /** The one that came back. */
    readonly actual: Installation,
  ) {
    super("another person or workspace came back than was expected");
  }
}

/** The installation is linked to as many subjects as it can have. */
export class TooManySubjects extends NotionInstallError {
  static { setName(this, "TooManySubjects"); }
  constructor() {
    super("the installation has no room for another subject");
  }
}

/** Somebody has installed again since: the `generation` to disconnect is no longer the installation's. */
export class OtherGeneration extends NotionInstallError {
  static { setName(this, "OtherGeneration"); }
  constructor(
    /** The one that stands. */
    readonly generation: number,
  ) {
    super(`the installation has another generation by now: ${generation}`);
  }
}

/** The request does not have the required form. */
export class InvalidRequest extends NotionInstallError {
  static { setName(this, "InvalidRequest"); }
  constructor(
    /** What to correct. */
    readonly hint: string,
  ) {
    super(`the request is not correct: ${hint}`);
  }
}

/** The function is not set up correctly. Its log and `operator doctor` say why. */
export class Misconfigured extends NotionInstallError {
  static { setName(this, "Misconfigured"); }
  constructor() {
    super("the function is not set up correctly: see its log, or operator doctor");
  }
}

/** The function could not be invoked: throttled, no permission, no such function, no network. `cause` says which. */
export class NotReached extends NotionInstallError {
  static { setName(this, "NotReached"); }
  constructor(cause: unknown) {
    super("the function was not reached", { cause });
  }
}

/** The function failed. Its log has the request id. */
export class FunctionFailed extends NotionInstallError {
  static { setName(this, "FunctionFailed"); }
  constructor(
    /** Lambda's. */
    readonly requestId: string | undefined,
  ) {
    super(`the function failed: see its log, request ${requestId ?? "unknown"}`);
  }
}

/** None of the above: another function answered, or a newer version of this one. */
export class Unreadable extends NotionInstallError {
  static { setName(this, "Unreadable"); }
  constructor() {
    super("the answer is not a known answer of the function");
  }
}

/** Notion has refused another token as well. `cause` is the error that {@link NotionInstall.call} was told it by. */
export class Unauthorized extends NotionInstallError {
  static { setName(this, "Unauthorized"); }
  constructor(cause?: unknown) {
    super("Notion refuses the token, and another one", { cause });
  }
}

/** The stack has not sent this webhook, or not now: answer 401. */
export class InvalidWebhook extends NotionInstallError {
  static { setName(this, "InvalidWebhook"); }
  constructor(readonly reason: WebhookRefusal) {
    super(`the webhook is refused: ${reason}`);
  }
}

export type WebhookRefusal =
  | "missing_header"
  | "invalid_timestamp"
  | "too_old"
  | "too_new"
  | "bad_signature"
  | "not_an_event";

/** No webhook secret, or one that is none. */
export class InvalidSecret extends NotionInstallError {
  static { setName(this, "InvalidSecret"); }
  constructor() {
    super("a webhook secret is whsec_ and the base64 of 24 to 64 bytes");
  }
}

/** What a route answered that is not an answer of its function: API Gateway's own. The `cause` of {@link NotReached}. */
export class HttpError extends Error {
  static { setName(this, "HttpError"); }
  constructor(readonly status: number) {
    super(`HTTP status ${status}`);
  }
}

/** By the prototype: the names survive a minifier, and are not printed as a field of each error. */
function setName(error: { prototype: Error }, name: string): void {
  Object.defineProperty(error.prototype, "name", { value: name, configurable: true, writable: true });
}
