"""A simulator as a child process."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlencode

from simulated_notion.control import Control, RecordedRequest
from simulated_notion.program import program
from simulated_notion.sample import ACME, ADA, ROADMAP

DEFAULT_CLIENT_ID = "463558a3-725e-4f37-b6d3-0889894f68de"
DEFAULT_CLIENT_SECRET = "secret_demo_not_for_production"
DEFAULT_REDIRECT_URI = "http://localhost:3000/callback"


class StartError(Exception):
    """The program did not start; says what it wrote."""


class SimulatedNotion:
    """A running simulator on a free port of 127.0.0.1, until :meth:`stop` or the end of a ``with`` block.

    Without a seed file it has one connection, with the id, the secret and the redirect URIs given here, and the people,
    workspaces and pages of :mod:`simulated_notion.sample`. With one, everything comes from the file; give the id and
    the secret of a connection in it, so that they can be used here.
    """

    def __init__(
        self,
        *,
        client_id: str = DEFAULT_CLIENT_ID,
        client_secret: str = DEFAULT_CLIENT_SECRET,
        redirect_uris: Sequence[str] = (DEFAULT_REDIRECT_URI,),
        seed_file: str | os.PathLike[str] | None = None,
        random_seed: int | None = None,
        arguments: Iterable[str] = (),
        start_timeout_secs: float = 30,
    ) -> None:
        """Start the program, and wait until it listens.

        :param random_seed: draw ids and tokens from this number, so that a run can be repeated exactly.
        :param arguments: more arguments of the program, as ``["--template", "Team home"]``.
        :raises StartError: if it ends or says nothing instead.
        :raises FileNotFoundError: if the program is not installed.
        """
        self.client_id = client_id
        self.client_secret = client_secret
        self.redirect_uris = tuple(redirect_uris)
        command = [program(), "--port", "0"]
        if seed_file is None:
            command += ["--client-id", client_id]
            for redirect_uri in redirect_uris:
                command += ["--redirect-uri", redirect_uri]
        else:
            command += ["--seed-file", str(Path(seed_file))]
        if random_seed is not None:
            command += ["--random-seed", str(random_seed)]
        command += arguments
        # The secret goes through the environment: others on this machine can read a command line.
        environment = {**os.environ, "NOTION_CLIENT_SECRET": client_secret}
        self._process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.base_url = self._announced(start_timeout_secs)
        """``http://127.0.0.1:PORT``: use it instead of ``https://api.notion.com``."""
        self.control = Control(self.base_url)

    def _announced(self, timeout_secs: float) -> str:
        assert self._process.stdout is not None
        overdue = threading.Timer(timeout_secs, self._process.kill)
        overdue.start()
        try:
            line = self._process.stdout.readline()
        finally:
            overdue.cancel()
        before, _, base_url = line.strip().partition("Simulated Notion: ")
        if not before and base_url:
            return base_url
        self._process.kill()
        _, said = self._process.communicate()
        raise StartError((line + said).strip() or f"the program said nothing for {timeout_secs} seconds")

    @property
    def redirect_uri(self) -> str:
        """The first registered one."""
        return self.redirect_uris[0]

    @property
    def authorize_url(self) -> str:
        """An authorization request, to which an app adds its ``&state=…``."""
        query = {
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "response_type": "code",
            "owner": "user",
        }
        return f"{self.base_url}/v1/oauth/authorize?{urlencode(query)}"

    def approve(
        self,
        authorize_url: str,
        *,
        person: str = ADA,
        workspace: str | None = ACME,
        pages: Sequence[str] = (ROADMAP,),
        duplicate_template: bool = False,
    ) -> str:
        """A person allows what the app asks for at this URL. Answers where the browser goes then.

        :param authorize_url: as the app builds it, also with ``https://api.notion.com`` instead of :attr:`base_url`.
        :param person: an id or an e-mail address.
        :param workspace: may be ``None`` for a person with only one.
        :param pages: the ids of those that the person shares.
        """
        decision: dict[str, Any] = {"authorize_url": authorize_url, "person": person, "pages": list(pages)}
        if workspace is not None:
            decision["workspace"] = workspace
        if duplicate_template:
            decision["duplicate_template"] = True
        location: str = self.control.post("/control/approve", decision)["location"]
        return location

    def cancel(self, authorize_url: str, *, person: str = ADA, workspace: str | None = ACME) -> str:
        """A person presses Cancel. Answers where the browser goes then."""
        decision: dict[str, Any] = {"authorize_url": authorize_url, "person": person, "cancel": True}
        if workspace is not None:
            decision["workspace"] = workspace
        location: str = self.control.post("/control/approve", decision)["location"]
        return location

    def revoke(self, person: str = ADA, workspace: str = ACME) -> None:
        """A person removes the connection in the settings of the workspace."""
        self.control.post("/control/revoke", {"person": person, "workspace": workspace})

    def fault(
        self,
        endpoint: str | None,
        fault: str | dict[str, Any],
        times: int = 1,
        *,
        method: str | None = None,
        path: str | None = None,
    ) -> None:
        """Let something go wrong with the next requests to an endpoint: ``fault("token", "lost_reply")``.

        :param endpoint: may be ``None`` with a path, as ``/v1/pages/{id}``, also one that the simulator does not have.
        """
        given = {"endpoint": endpoint, "method": method, "path": path, "fault": fault, "times": times}
        self.control.post("/control/faults", {name: value for name, value in given.items() if value is not None})

    def switch(self, **switches: Any) -> None:
        """Change how Notion behaves where it leaves that open: ``switch(rotation="family_revocation")``."""
        self.control.post("/control/settings", switches)

    def advance(self, by: timedelta | float) -> None:
        """Move the clock forward by this time or so many seconds; codes and tokens with a lifetime expire."""
        secs = by.total_seconds() if isinstance(by, timedelta) else by
        self.control.post("/control/clock", {"advance_ms": round(secs * 1000)})

    def set_time(self, now: datetime) -> None:
        """Move the clock to a time, which must have a time zone."""
        if now.tzinfo is None:
            raise ValueError("this time has no time zone")
        self.control.post("/control/clock", {"now_ms": round(now.timestamp() * 1000)})

    def requests(self, endpoint: str | None = None, *, secrets: bool = False) -> list[RecordedRequest]:
        """What arrived since the start or the last reset, oldest first.

        :param secrets: with tokens, codes and client secrets instead of a placeholder.
        """
        listed = self.control.get("/control/requests", endpoint=endpoint, secrets=secrets)["requests"]
        return [RecordedRequest(**request) for request in listed]

    def count(self, endpoint: str | None = None, *, at_least: int = 0) -> int:
        """How many requests arrived; with ``at_least``, when so many have, or after half a minute."""
        counted = self.control.get("/control/requests/count", endpoint=endpoint, at_least=at_least)
        return int(counted["count"])

    def release(self) -> None:
        """Let requests continue that the fault ``hold`` holds."""
        self.control.post("/control/release", {})

    def reset(self) -> None:
        """Go back to how it started: no grants, the content and switches of the seed, an empty log."""
        self.control.post("/control/reset", {})

    def stop(self) -> None:
        """End the process. It may be called again."""
        self._process.terminate()
        self._process.communicate()

    def __enter__(self) -> SimulatedNotion:
        """Itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop it."""
        self.stop()

    def __repr__(self) -> str:
        """The address, and no secret."""
        return f"<SimulatedNotion at {self.base_url}>"
