"""A person with a minimal browser: follows redirects, keeps cookies, fills in the simulated Notion's form."""

import http.client
import json
from urllib.parse import urlencode, urlsplit

ADA = "ada00000-0000-4000-8000-000000000001"
ACME = "acae0000-0000-4000-8000-0000000000a1"
ROADMAP = "4ead0000-0000-4000-8000-0000000000b1"


class Person:
    def __init__(self):
        self.cookies = {}

    def request(self, url, form=None, accept="application/json"):
        """Sends one request. Any name under `localhost` in the URL is this machine (RFC 6761)."""
        parts = urlsplit(url)
        assert parts.hostname == "127.0.0.1" or parts.hostname.endswith("localhost"), url
        connection = http.client.HTTPConnection("127.0.0.1", parts.port, timeout=60)
        headers = {"host": parts.netloc, "accept": accept}
        if self.cookies.get(parts.netloc):
            headers["cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies[parts.netloc].items())
        body = None
        if form is not None:
            body = urlencode(form)
            headers["content-type"] = "application/x-www-form-urlencoded"
        target = parts.path + ("?" + parts.query if parts.query else "")
        connection.request("POST" if form is not None else "GET", target, body, headers)
        response = connection.getresponse()
        answer = Answer(url, response.status, response.getheaders(), response.read().decode())
        connection.close()
        for set_cookie in answer.all("set-cookie"):
            name, _, value = set_cookie.split(";")[0].partition("=")
            self.cookies.setdefault(parts.netloc, {})[name.strip()] = value.strip()
        return answer

    def approve(self, install_url, decision="allow"):
        """From the install URL to the callback URL in Notion's redirect."""
        authorize = self.request(install_url)
        assert authorize.status == 302, authorize
        consent = self.request(authorize.location)
        assert consent.status in (302, 303), consent
        allowed = self.request(
            consent.location, {"person": ADA, "workspace": ACME, "page": ROADMAP, "decision": decision}
        )
        assert allowed.status in (302, 303), allowed
        return allowed.location

    def install(self, install_url):
        """The whole flow; returns the last page as JSON."""
        return self.follow(self.approve(install_url))

    def cancel(self, install_url):
        """The whole flow of a person who presses Cancel; returns the last page as JSON."""
        return self.follow(self.approve(install_url, decision="cancel"))

    def follow(self, callback_url):
        answer = self.request(callback_url)
        assert answer.status == 303, answer
        assert "code=" not in answer.location and "state=" not in answer.location, answer
        return self.request(answer.location)


class Answer:
    def __init__(self, url, status, headers, body):
        self.url, self.status, self.headers, self.body = url, status, headers, body

    def all(self, name):
        return [value for key, value in self.headers if key.lower() == name]

    @property
    def location(self):
        from urllib.parse import urljoin

        return urljoin(self.url, (self.all("location") or [""])[0])

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} for {self.url.split('?')[0]}: {self.body[:400]}"
