"""From an empty folder to Notion's answer: a new environment, the wheel, the ten lines of the README, one connect.

Usage: python from_an_empty_folder.py PATH_TO_DEV PATH_TO_WHEEL
"""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import tempfile
import time

from dev_stack import ADA, Browser, DevStack, block

README = pathlib.Path(__file__).parents[1] / "README.md"
# What a framework does with the three functions. It speaks with this program over its standard streams.
FRAMEWORK = """
import os
from urllib.parse import parse_qsl, urlsplit
import app
session = {}
print(app.connect(session), flush=True)
query = dict(parse_qsl(urlsplit(input()).query))
installation = app.back(session, query, "user-4711")
me = app.notion("user-4711", os.environ["NOTION_URL"]).users.me()
print(installation.workspace_name, me["bot"]["owner"]["user"]["id"])
"""


def main(dev: str, wheel: str) -> None:
    lines = block(README, "ten-lines")
    counted = [line for line in lines.splitlines() if line and not line.startswith(("import", "from"))]
    assert len(counted) == 10, f"the README has {len(counted)} lines"
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        python = pathlib.Path(folder) / "venv" / "bin" / "python"
        subprocess.run([sys.executable, "-m", "venv", "venv"], cwd=folder, check=True)
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, f"{os.path.abspath(wheel)}[boto3,httpx]", "notion-client"], cwd=folder, check=True)
        installed = time.monotonic()
        (pathlib.Path(folder) / "app.py").write_text(lines)
        stack = DevStack(os.path.abspath(dev))
        try:
            with subprocess.Popen(
                [python, "-c", FRAMEWORK],
                cwd=folder,
                env={**os.environ, **stack.environment(), "PYTHONPATH": ""},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            ) as app:
                assert app.stdin
                assert app.stdout
                url = app.stdout.readline().strip()
                print(Browser().connect(url), file=app.stdin, flush=True)
                said = app.stdout.read().split()
            assert (app.returncode, said) == (0, ["Acme", ADA]), said
        finally:
            stack.stop()
    done = time.monotonic()
    print(
        f"ok: from an empty folder to Notion's answer in {done - began:.1f} s "
        f"({installed - began:.1f} s to install, {done - installed:.1f} s from the README's ten lines to the answer)"
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
