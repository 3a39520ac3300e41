// Writes the programs of the README and of docs/backend.md into one file each, with what is around them there, so that they
// can be compiled.
//
// Usage: node readme.mjs README BACKEND FOLDER

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const AROUND = `/// <reference path="./modules.d.ts" />
declare const session: { userId: string; notion: import("notion-install").BegunInSession };
declare const request: { query: Record<string, unknown>; headers: Record<string, string> };
declare const process: { env: { [name: string]: string | undefined } };
declare const credentials: { accessKeyId: string; secretAccessKey: string };
declare const body: Uint8Array;
declare function welcome(subject: string): void;
`;
const WITHIN = 'import { type NotionInstall, verifyWebhook } from "notion-install";\ndeclare const stack: NotionInstall;\n';

const [, , readme, backend, folder] = process.argv;
const programs = [readme, backend].flatMap((document) =>
  [...readFileSync(document, "utf8").matchAll(/^```ts(?: client)?\n(.*?)^```$/gms)].map(([, program]) => program),
);
assert.equal(programs.length, 4, "three programs of the README, and one of docs/backend.md");
programs.forEach((program, n) => {
  const whole = program.includes("import ") ? `${program}export {};\n` : `${WITHIN}export async function run() {\n${program}}\n`;
  writeFileSync(join(folder, `readme-${n}.ts`), AROUND + whole);
});
