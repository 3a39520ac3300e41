import { FunctionFailed, NotReached, Unreadable } from "./errors.js";
import { type Fields, isFields } from "./fields.js";

export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

/** The input of a function. */
export type Payload = { readonly [name: string]: Json };

/** What came back. */
export interface Answer {
  /** The function's answer as it came: JSON. */
  readonly payload: Uint8Array | string;
  /** Set if the function failed (Lambda's `FunctionError`). */
  readonly functionError?: string | undefined;
  /** For the log. */
  readonly requestId?: string | undefined;
}

/**
 * Invokes a function of the stack. {@link awsLambda} and {@link signedRoutes} make one; any other will do.
 *
 * What it throws becomes the `cause` of {@link NotReached}: keep the payload and the answer out of it.
 */
export type Invoke = (functionName: string, payload: Payload, options: { signal?: AbortSignal }) => Promise<Answer>;

/** For one call. */
export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

/** One invocation: the answer's fields, and the request id. */
export async function ask(
  invoke: Invoke,
  functionName: string,
  payload: Payload,
  signal: AbortSignal | undefined,
): Promise<{ fields: Fields; requestId: string | undefined }> {
  signal?.throwIfAborted();
  let answer: Answer;
  try {
    answer = await invoke(functionName, payload, signal === undefined ? {} : { signal });
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    if (error instanceof Unreadable || error instanceof NotReached) throw error;
    throw new NotReached(error);
  }
  if (answer.functionError !== undefined) throw new FunctionFailed(answer.requestId);
  return { fields: parse(answer.payload), requestId: answer.requestId };
}

function parse(payload: Uint8Array | string): Fields {
  let parsed: unknown;
  try {
    parsed = JSON.parse(typeof payload === "string" ? payload : new TextDecoder().decode(payload));
  } catch {
    // The parser's error may quote the answer, and with it a token.
    throw new Unreadable();
  }
  if (!isFields(parsed)) throw new Unreadable();
  return parsed;
}
