"""The proxy in front of the emulator: pretends to terminate TLS, like AWS's own front, and fakes answers on demand.

Policies that require TLS (`aws:SecureTransport`) are satisfied, although everything stays on loopback.
"""

import http.client
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HOP_BY_HOP = {"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}


def with_numbers(answer):
    """Turns the indexes' limits into numbers: the emulator keeps them as text, like CloudFormation's parameters."""
    described = json.loads(answer)
    for index in described.get("Table", {}).get("GlobalSecondaryIndexes") or []:
        limits = index.get("OnDemandThroughput")
        if limits:
            index["OnDemandThroughput"] = {name: int(limit) for name, limit in limits.items()}
    return json.dumps(described).encode()


class Front:
    """Listens on `port` and forwards to `behind`, both on 127.0.0.1."""

    def __init__(self, port, behind):
        self.behind = behind
        # Operation -> the JSON to answer instead.
        self.falsehoods = {}
        # How far ahead the clock in the answers is.
        self.clock_off_secs = 0
        front = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self):
                front.pass_on(self)

            do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = do_OPTIONS = handle_any

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def pass_on(self, request):
        body = request.rfile.read(int(request.headers.get("content-length") or 0))
        operation = request.headers.get("x-amz-target", "").rsplit(".", 1)[-1]
        if operation in self.falsehoods:
            answer = json.dumps(self.falsehoods[operation]).encode()
            return self.answer(request, 200, [("content-type", "application/x-amz-json-1.0")], answer)
        behind = http.client.HTTPConnection("127.0.0.1", self.behind, timeout=120)
        # Unchanged, byte for byte: signatures cover the host and the order of the query.
        behind.putrequest(request.command, request.path, skip_host=True, skip_accept_encoding=True)
        for name, value in request.headers.items():
            if name.lower() not in HOP_BY_HOP | {"content-length", "x-forwarded-proto"}:
                behind.putheader(name, value)
        behind.putheader("content-length", str(len(body)))
        behind.putheader("x-forwarded-proto", "https")
        behind.endheaders(body)
        response = behind.getresponse()
        content = response.read()
        headers = [(name, value) for name, value in response.getheaders() if name.lower() not in HOP_BY_HOP]
        if operation == "DescribeTable":
            content = with_numbers(content)
            headers = [(name, value) for name, value in headers if name.lower() != "x-amz-crc32"]
        self.answer(request, response.status, headers, content)
        behind.close()

    def answer(self, request, status, headers, body):
        request.send_response_only(status)
        for name, value in headers:
            if name.lower() not in ("content-length", "date"):
                request.send_header(name, value)
        request.send_header("date", request.date_time_string(time.time() + self.clock_off_secs))
        request.send_header("content-length", str(len(body)))
        request.end_headers()
        if request.command != "HEAD":
            request.wfile.write(body)

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
