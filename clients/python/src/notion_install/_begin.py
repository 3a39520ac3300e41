"""The beginning of a connect: an authorization request with PKCE (RFC 6749 §4.1.1, RFC 7636), and its answer."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode, urlsplit

from ._errors import InvalidGrant, NotConnected
from ._secret import Secret


@dataclass(frozen=True, slots=True)
class Begun:
    """A connect that has begun. Keep it in the session of who is logged in, and send the browser to ``url``."""

    url: str = field(repr=False)
    verifier: Secret
    """Proves in the claim that this backend has begun the connect. Keep it in the session, and nowhere else."""
    state: str = field(repr=False)

    def to_session(self) -> dict[str, str]:
        """What the session has to keep, as JSON can have it. With the verifier in the clear."""
        return {"url": self.url, "verifier": self.verifier.get_secret_value(), "state": self.state}

    @classmethod
    def from_session(cls, kept: Mapping[str, str]) -> Begun:
        """What :meth:`to_session` gave."""
        return cls(kept["url"], Secret(kept["verifier"]), kept["state"])

    def code_from(self, query: Mapping[str, str]) -> str:
        """The code that the browser brought to the return destination, for :meth:`claim`.

        :raises InvalidGrant: the answer is not to this connect: its ``state`` or its ``iss`` (RFC 9207) differs.
        :raises NotConnected: the person pressed Cancel, or the install failed.
        """
        installs_at = urlsplit(self.url)
        issuer = f"{installs_at.scheme}://{installs_at.netloc}"
        if not hmac.compare_digest(query.get("state", "").encode(), self.state.encode()):
            raise InvalidGrant
        if query.get("iss") != issuer:
            raise InvalidGrant
        if "error" in query:
            raise NotConnected(query["error"], query.get("error_description", ""))
        if "code" not in query:
            raise InvalidGrant
        return query["code"]


def begin(
    install_url: str,
    return_to: str,
    *,
    expect: str | None = None,
    ui_locales: str | None = None,
    random_bytes: Callable[[int], bytes] = secrets.token_bytes,
) -> Begun:
    """Begins a connect.

    :param install_url: the stack's output ``InstallUrl``.
    :param return_to: the key of one of the stack's ``ReturnDestinations``.
    :param expect: the ``id`` of the installation that is to be renewed.
    :param ui_locales: the languages that the person prefers, as OpenID Connect has it: BCP 47, separated by spaces.
    """
    verifier = _base64url(random_bytes(32))
    state = _base64url(random_bytes(16))
    query = {
        "return_to": return_to,
        "code_challenge": _base64url(hashlib.sha256(verifier.encode()).digest()),
        "state": state,
        "expect": expect,
        "ui_locales": ui_locales,
    }
    given = {name: value for name, value in query.items() if value is not None}
    return Begun(f"{install_url}?{urlencode(given, quote_via=quote)}", Secret(verifier), state)


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
