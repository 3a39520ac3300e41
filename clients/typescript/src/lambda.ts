import { Unreadable } from "./errors.js";
import { isFields } from "./fields.js";
import type { Invoke } from "./invoke.js";

/** `LambdaClient` of `@aws-sdk/client-lambda` (version 3), as far as this package calls it. */
export interface LambdaClientLike {
  // `any`: the SDK's own signatures are overloaded and generic.
  send(command: any, options?: any): Promise<unknown>;
}

/** `InvokeCommand` of `@aws-sdk/client-lambda`. */
export type InvokeCommandLike = new (input: { FunctionName: string; Payload: Uint8Array }) => unknown;

/**
 * Invokes the functions directly, by the AWS SDK. This package does not import it: hand over the client and the command.
 *
 * ```ts
 * import { InvokeCommand, LambdaClient } from "@aws-sdk/client-lambda";
 * const invoke = awsLambda({ client: new LambdaClient({}), InvokeCommand });
 * ```
 *
 * A function answers within its 25 seconds; while another process refreshes a token, it waits. Give the client a
 * request timeout above that, or none.
 */
export function awsLambda(sdk: { readonly client: LambdaClientLike; readonly InvokeCommand: InvokeCommandLike }): Invoke {
  const { client, InvokeCommand } = sdk;
  return async (functionName, payload, { signal }) => {
    const command = new InvokeCommand({
      FunctionName: functionName,
      Payload: new TextEncoder().encode(JSON.stringify(payload)),
    });
    const output = await client.send(command, signal === undefined ? {} : { abortSignal: signal }).catch(safe);
    if (!isFields(output)) throw new Unreadable();
    const { Payload, FunctionError, $metadata } = output;
    const requestId = isFields($metadata) ? $metadata["requestId"] : undefined;
    return {
      payload: Payload instanceof Uint8Array ? Payload : "",
      functionError: typeof FunctionError === "string" ? FunctionError : undefined,
      requestId: typeof requestId === "string" ? requestId : undefined,
    };
  };
}

/** An answer that the SDK could not read may be quoted in its error, with a token in it. */
function safe(error: unknown): never {
  if (error instanceof SyntaxError || (error instanceof Error && "$responseBodyText" in error)) throw new Unreadable();
  throw error;
}
