// Starts the sample app. See README.md for its environment.
// @ts-check

import { createServer } from "node:http";
import { awsLambda, NotionInstall } from "notion-install";
import { listener, routes } from "./app.mjs";

/** @param {string} name */
function required(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set`);
  return value;
}

/**
 * The dev stack's stand-in for Lambda's Invoke, which needs no signature.
 *
 * @param {string} url
 * @returns {import("notion-install").Invoke}
 */
function devStack(url) {
  return async (functionName, payload, { signal }) => {
    const path = `/2015-03-31/functions/${encodeURIComponent(functionName)}/invocations`;
    const init = { method: "POST", body: JSON.stringify(payload), ...(signal && { signal }) };
    const answer = await fetch(url + path, init);
    if (!answer.ok) throw new Error(`HTTP status ${answer.status}`);
    return { payload: await answer.text(), functionError: answer.headers.get("x-amz-function-error") ?? undefined };
  };
}

/** On AWS: `npm install @aws-sdk/client-lambda`. */
async function aws() {
  // @ts-ignore: it need not be installed to run at the dev stack
  const { InvokeCommand, LambdaClient } = await import("@aws-sdk/client-lambda");
  return awsLambda({ client: new LambdaClient({}), InvokeCommand });
}

const devLambdaUrl = process.env.DEV_LAMBDA_URL;
const notion = new NotionInstall({
  invoke: devLambdaUrl ? devStack(devLambdaUrl) : await aws(),
  functions: {
    claim: required("CLAIM_FUNCTION"),
    installations: required("INSTALLATIONS_FUNCTION"),
    token: required("TOKEN_FUNCTION"),
    uninstall: required("UNINSTALL_FUNCTION"),
  },
  caller: "sample app",
});
const handlers = routes({
  notion,
  installUrl: required("INSTALL_URL"),
  webhookSecret: required("WEBHOOK_SECRET"),
  notionUrl: process.env.NOTION_URL,
});
const port = Number(process.env.PORT ?? 8000);
createServer(listener(handlers)).listen(port, "127.0.0.1", () => console.log(`http://localhost:${port}`));
