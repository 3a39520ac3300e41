// What the README's programs and consumer.ts import besides this package, as far as they use it: there is no npm registry
// behind the tests. The overloads are those of @aws-sdk/client-lambda 3, the types of `fetch` those of
// @notionhq/client 5.26.

declare module "@aws-sdk/client-lambda" {
  interface InvokeCommandInput {
    FunctionName: string | undefined;
    InvocationType?: "DryRun" | "Event" | "RequestResponse" | undefined;
    Payload?: string | Uint8Array | undefined;
  }
  interface InvokeCommandOutput {
    StatusCode?: number | undefined;
    FunctionError?: string | undefined;
    Payload?: (Uint8Array & { transformToString(encoding?: string): string }) | undefined;
    $metadata: { requestId?: string | undefined };
  }
  interface ListCommandOutput {
    Functions?: string[] | undefined;
    $metadata: { requestId?: string | undefined };
  }
  type Inputs = InvokeCommandInput | { Marker?: string };
  type Outputs = InvokeCommandOutput | ListCommandOutput;
  interface HttpHandlerOptions {
    abortSignal?: { readonly aborted: boolean; onabort: ((event: never) => unknown) | null } | undefined;
    requestTimeout?: number;
  }
  interface Command<Input extends Inputs, Output extends Outputs> {
    readonly input: Input;
    readonly output?: Output;
  }
  export class InvokeCommand implements Command<InvokeCommandInput, InvokeCommandOutput> {
    readonly input: InvokeCommandInput;
    constructor(input: InvokeCommandInput);
  }
  export class LambdaClient {
    constructor(config: object);
    send<I extends Inputs, O extends Outputs>(command: Command<I, O>, options?: HttpHandlerOptions): Promise<O>;
    send<I extends Inputs, O extends Outputs>(command: Command<I, O>, done: (error: unknown, data?: O) => void): void;
    send<I extends Inputs, O extends Outputs>(
      command: Command<I, O>,
      options: HttpHandlerOptions,
      done: (error: unknown, data?: O) => void,
    ): void;
  }
}

declare module "@notionhq/client" {
  type SupportedFetch = (
    url: string,
    init?: { agent?: object; body?: string | FormData; headers?: Record<string, string>; method?: string },
  ) => Promise<{
    body?: {
      getReader: () => {
        cancel?: () => Promise<void>;
        read: () => Promise<{ done: boolean; value?: Uint8Array }>;
        releaseLock: () => void;
      };
    } | null;
    ok: boolean;
    text: () => Promise<string>;
    headers: unknown;
    status: number;
  }>;
  export class Client {
    constructor(options: { auth?: string; fetch?: SupportedFetch });
    users: { me(query: object): Promise<{ id: string }> };
  }
}

declare module "aws4fetch" {
  export class AwsClient {
    constructor(options: {
      accessKeyId: string;
      secretAccessKey: string;
      sessionToken?: string;
      service?: string;
      region?: string;
      retries?: number;
    });
    fetch(input: string | Request, init?: RequestInit): Promise<Response>;
  }
}
