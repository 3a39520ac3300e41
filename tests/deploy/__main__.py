"""The deploy test: tests `template.yaml` without an AWS account. `python3 tests/deploy` runs all of it.

It checks the template, builds what ships, runs it under AWS's Runtime Interface Emulator and in Docker, deploys it to
an emulated AWS that enforces IAM, installs over HTTP and in Chromium, vends and uninstalls as a backend does, listens
to the events, prepares a workspace, takes permissions away one by one, plants faults for the doctor to find, updates,
moves to a domain, deletes, and compares the policies with the calls of the whole suite.
"""

import argparse
import os
import pathlib
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import tools


def main():
    parser = argparse.ArgumentParser(prog="python3 tests/deploy", description=__doc__.split("\n\n")[0])
    parser.add_argument(
        "--from", dest="first", metavar="STEP", help="start with this step; for work on the test itself"
    )
    parser.add_argument("--until", dest="last", metavar="STEP", help="end with this step")
    arguments = parser.parse_args()

    began = tools.now()
    tools.install()
    # The rest needs the packages that were just installed, so it runs inside the virtual environment.
    python = tools.venv_program("emulator", "python")
    if pathlib.Path(sys.prefix) != tools.TOOLS / "emulator":
        os.environ["DEPLOY_TEST_TOOLS_SECS"] = str(tools.now() - began)
        os.execv(python, [str(python), os.path.dirname(os.path.abspath(__file__)), *sys.argv[1:]])

    # The SAM translator needs a Region.
    os.environ["AWS_DEFAULT_REGION"] = "us-east-1"
    from run import run

    sys.exit(run(arguments.first, arguments.last))


main()
