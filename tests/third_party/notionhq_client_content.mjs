// Installs at the dev stack, and reads with Notion's own JavaScript library what it has prepared: the recipe tracker. The
// same as notion_client_content.py; CI does not run it, because it does not reach npm. In any folder:
//
//   npm install @notionhq/client@5.26.0
//   cp PATH_TO_REPOSITORY/tests/third_party/notionhq_client_content.mjs .
//   node notionhq_client_content.mjs PATH_TO_REPOSITORY/target/debug/dev
//
// It ends with 0 if everything is as the recipe says, with 1 if not, and with 2 if the library is not installed.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import http from "node:http";
import net from "node:net";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const ADA = "ada00000-0000-4000-8000-000000000001";
const ACME = "acae0000-0000-4000-8000-0000000000a1";
const ROADMAP = "4ead0000-0000-4000-8000-0000000000b1";
const SALARIES = "5a1a0000-0000-4000-8000-0000000000b3";
const APP = "Sample app";
const WAIT_MS = 60_000;

// By the names that the recipe gives them: title, status, priority, who.
const PAGE = `${APP}: start here`;
const TASKS = {
  "first-task": ["Look around, Ada", "In progress", "High", [ADA]],
  "second-task": ["Invite your team", "Not started", "Normal", []],
  "third-task": [`Connect ${APP} to Notion`, "Done", "High", [ADA]],
};
const STATUSES = ["Not started", "In progress", "Done"];
const PROPERTIES = { Task: "title", Status: "status", Priority: "select", Due: "date", Who: "people", Link: "url" };

async function library() {
  try {
    return await import("@notionhq/client");
  } catch (error) {
    if (error.code !== "ERR_MODULE_NOT_FOUND") throw error;
    console.error("@notionhq/client is not installed beside this program: npm install @notionhq/client@5.26.0");
    process.exit(2);
  }
}

/** An answer; redirects are answers. */
function send(url, { body, headers = {} } = {}) {
  return new Promise((resolve, reject) => {
    const request = http.request(url, { method: body === undefined ? "GET" : "POST", headers }, (answer) => {
      let text = "";
      answer.setEncoding("utf8").on("data", (more) => (text += more));
      answer.on("end", () => resolve({ status: answer.statusCode, headers: answer.headers, text }));
    });
    request.on("error", reject).end(body);
  });
}

/** Installs as Ada, with a browser's cookie. */
async function install(stack) {
  const browser = { Accept: "text/html", "Sec-Fetch-Dest": "document" };
  const started = await send(`${stack}/install`, { headers: browser });
  const authorize = new URL(started.headers.location);
  const consent = new URL((await send(authorize)).headers.location, authorize);
  const form = new URLSearchParams(authorize.search);
  for (const [name, value] of Object.entries({ person: ADA, workspace: ACME, page: ROADMAP, decision: "allow" })) {
    form.set(name, value);
  }
  const headers = { "Content-Type": "application/x-www-form-urlencoded" };
  const allowed = await send(consent.origin + consent.pathname, { body: form.toString(), headers });
  const cookie = started.headers["set-cookie"][0].split(";")[0];
  const back = await send(allowed.headers.location, { headers: { ...browser, Cookie: cookie } });
  assert.ok(back.status < 400, back.text);
}

/** A direct invocation, as a backend's. */
async function invoke(aws, name, message) {
  const body = JSON.stringify({ ...message, caller: "third party" });
  return JSON.parse((await send(`${aws}/2015-03-31/functions/${name}/invocations`, { body })).text);
}

/** The first of three free ports in a row. */
async function freePorts() {
  const isFree = (port) =>
    new Promise((resolve) => {
      const probe = net.createServer().once("error", () => resolve(false));
      probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(true)));
    });
  for (let first = 20_000; first < 60_000; first += 3) {
    const free = await Promise.all([first, first + 1, first + 2].map(isFree));
    if (free.every(Boolean)) return first;
  }
  throw new Error("no free ports");
}

/** Has the stack prepare Ada's workspace; then calls `use` with Notion's address, a token and what was prepared. */
async function preparedBy(dev, use) {
  const port = await freePorts();
  const stack = spawn(dev, ["--port", String(port)], { stdio: ["ignore", "pipe", "ignore"] });
  try {
    let isReady = false;
    for await (const line of createInterface({ input: stack.stdout })) {
      isReady = line.includes("Press Ctrl-C");
      if (isReady) break;
    }
    assert.ok(isReady, "the dev stack ended");
    // It logs there: a full pipe would stop it.
    stack.stdout.resume();
    await install(`http://localhost:${port}`);
    const aws = `http://127.0.0.1:${port + 2}`;
    const person = { workspace_id: ACME, user_id: ADA };
    const until = Date.now() + WAIT_MS;
    let onboarding;
    do {
      assert.ok(Date.now() < until, "the workspace is not prepared");
      await new Promise((resolve) => setTimeout(resolve, 200));
      onboarding = (await invoke(aws, "installations", person)).installations[0].onboarding;
    } while (["pending", "running"].includes(onboarding.status));
    const { access_token: token } = await invoke(aws, "token", person);
    await use(`http://127.0.0.1:${port + 1}`, token, onboarding);
  } finally {
    stack.kill();
  }
}

const plain = (richText) => richText.map((element) => element.plain_text).join("");
const textOf = (block) => plain(block[block.type].rich_text);
const titleOf = (item) =>
  plain(item.object === "page" ? Object.values(item.properties).find(({ type }) => type === "title").title : item.title);
const sorted = (values) => [...values].sort();

/** Reads back what was prepared, and asserts that it is what the recipe says. */
export async function readEverything({ Client, LogLevel, collectPaginatedAPI }, baseUrl, auth, onboarding) {
  const notion = new Client({ auth, baseUrl, notionVersion: "2026-03-11", logLevel: LogLevel.ERROR });
  const ok = (text) => console.log(`ok: ${text}`);
  /** Everything in a list, in small pages. Nothing may be in it twice. */
  const listed = async (call, query) => {
    const found = await collectPaginatedAPI(call, { ...query, page_size: 2 });
    assert.equal(new Set(found.map(({ id }) => id)).size, found.length, "listed twice");
    return found;
  };

  assert.equal(onboarding.status, "completed", JSON.stringify(onboarding));
  const made = Object.fromEntries(onboarding.resources.map((resource) => [resource.resource_id, resource]));
  assert.deepEqual(Object.keys(made), ["home", "tasks", "board", ...Object.keys(TASKS)]);
  assert.ok(onboarding.resources.every(({ state }) => state === "made"));
  assert.equal(onboarding.landing_url, made.home.url);

  const me = await notion.users.me({});
  assert.deepEqual([me.type, me.name, me.bot.workspace_name, me.bot.owner.user.id], ["bot", APP, "Acme", ADA]);
  ok("users.me: the bot, installed by Ada");

  const found = await listed(notion.search, {});
  const own = found.filter(({ id }) => id !== ROADMAP).map(titleOf);
  assert.deepEqual(sorted(own), sorted([PAGE, "Tasks", ...Object.values(TASKS).map(([title]) => title)]));
  ok(`search: ${found.length} results, of which ${own.length} were prepared, each once`);

  const home = await notion.pages.retrieve({ page_id: made.home.id });
  assert.deepEqual([titleOf(home), home.icon.emoji, home.created_by.id], [PAGE, "🧭", me.id]);
  assert.deepEqual(home.parent, { type: "workspace", workspace: true });
  ok(`pages.retrieve: ${PAGE}`);

  const blocks = await listed(notion.blocks.children.list, { block_id: made.home.id });
  const [two, three] = [2, 3].map((count) => Array(count).fill("bulleted_list_item"));
  const kinds = ["paragraph", "heading_2", ...two, "heading_2", ...three, "child_database"];
  assert.deepEqual(blocks.map(({ type }) => type), kinds);
  assert.match(textOf(blocks[0]), /^Welcome, Ada\. Sample app is connected to Acme/);
  assert.deepEqual([blocks.at(-1).id, blocks.at(-1).child_database.title], [made.tasks.id, "Tasks"]);
  ok(`blocks.children.list: ${blocks.length} blocks in their order, the database last`);

  const database = await notion.databases.retrieve({ database_id: made.tasks.id });
  assert.deepEqual([plain(database.title), database.is_inline, database.parent.page_id], ["Tasks", true, made.home.id]);
  assert.equal(database.data_sources.length, 1);
  ok("databases.retrieve: Tasks, inline, with one data source");

  const data_source_id = database.data_sources[0].id;
  const { properties } = await notion.dataSources.retrieve({ data_source_id });
  const types = Object.fromEntries(Object.entries(properties).map(([name, { type }]) => [name, type]));
  assert.deepEqual(types, PROPERTIES);
  assert.deepEqual(properties.Status.status.options.map(({ name }) => name), STATUSES);
  ok("data_sources.retrieve: the properties, the statuses in their order");

  const query = notion.dataSources.query;
  const rows = await listed(query, { data_source_id });
  assert.deepEqual(sorted(rows.map(({ id }) => id)), sorted(Object.keys(TASKS).map((task) => made[task].id)));
  const inOrder = await listed(query, { data_source_id, sorts: [{ property: "Status", direction: "ascending" }] });
  assert.deepEqual(inOrder.map((row) => row.properties.Status.status.name), STATUSES);
  for (const status of STATUSES) {
    const column = await listed(query, { data_source_id, filter: { property: "Status", status: { equals: status } } });
    const expected = Object.values(TASKS).filter((task) => task[1] === status).map(([title]) => title);
    assert.deepEqual(column.map(titleOf), expected);
  }
  for (const [task, [title, status, priority, who]] of Object.entries(TASKS)) {
    const row = await notion.pages.retrieve({ page_id: made[task].id });
    const { Status, Priority, Who } = row.properties;
    const values = [titleOf(row), Status.status.name, Priority.select.name, Who.people.map(({ id }) => id)];
    assert.deepEqual(values, [title, status, priority, who]);
  }
  ok(`data_sources.query: by status ${inOrder.map(titleOf).join("; ")}`);

  const content = await listed(notion.blocks.children.list, { block_id: made["first-task"].id });
  const ticks = content.filter(({ type }) => type === "to_do").map(({ to_do }) => to_do.checked);
  assert.deepEqual(ticks, [true, false, false]);
  ok("blocks.children.list: the list in the first row");

  const views = await listed(notion.views.list, { database_id: made.tasks.id });
  const full = await Promise.all(views.map(({ id }) => notion.views.retrieve({ view_id: id })));
  const boards = full.filter(({ type }) => type === "board");
  assert.deepEqual(boards.map(({ id, name }) => [id, name]), [[made.board.id, "Board"]]);
  assert.equal(boards[0].configuration.group_by.property_id, properties.Status.id);
  ok(`views: ${full.map(({ name }) => name).join(", ")}, the board by Status`);

  await assert.rejects(notion.pages.retrieve({ page_id: SALARIES }), { code: "object_not_found" });
  ok("pages.retrieve: a page that Ada does not see is not there");
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  if (!process.argv[2]) {
    console.error("usage: node notionhq_client_content.mjs PATH_TO_DEV");
    process.exit(1);
  }
  const sdk = await library();
  await preparedBy(process.argv[2], (...prepared) => readEverything(sdk, ...prepared));
}
