"""Runs the packages on this machine: under AWS's Runtime Interface Emulator, and in Docker with `sam local invoke`."""

import json
import re
import shutil
import subprocess
import urllib.request
from urllib.parse import parse_qs, urlsplit

import base_image as image
from built import BARS, BUILD
from person import Person
from tools import ROOT, TOOLS, Process, cannot_run, check, environment, free_port, program, readme, run

EVENTS = sorted((ROOT / "events").glob("*.json"))
SAM_LOCAL = json.loads((ROOT / "dev" / "sam-local.json").read_text())["Parameters"]
DOCKER_BRIDGE = "172.17.0.1"
# The answers under RIE to each event. In Docker they must be the same.
answers = {}


def function_of(event):
    """The first word of the file's name."""
    return re.match("[a-z]+", event.name).group().capitalize() + "Function"


def dev_stack(*arguments):
    """Simulated Notion, DynamoDB and secrets, on the ports in dev/sam-local.json."""
    return Process("dev", [program("dev"), *arguments], port=3002)


def fresh_code():
    """An authorization code of the simulated Notion, obtained as a person would."""
    callback = Person().approve("http://localhost:3000/install")
    return re.search(r"code=([^&]+)", callback).group(1)


def fresh_event(code):
    return run([program("dev"), "event", "callback", "--code", code]).stdout


# The status for each checked-in event. For all others it is 303 to a clean page with a fixed reason.
STATUSES = {
    "callback-bare.json": 400,
    "claim-route.json": 400,
    "callback-flow-page.json": 400,
    "callback-foreign-flow-page.json": 403,
    "callback-framed.json": 403,
    "callback-head.json": 405,
    "callback-prefetch.json": 403,
    "callback-reason-page-accept-language.json": 200,
    "callback-reason-page-json.json": 400,
    "callback-reason-page-language.json": 200,
    "callback-reason-page.json": 200,
    "feed-route.json": 200,
    "install-app-no-challenge.json": 400,
    "install-app-plain.json": 400,
    "install-app-unknown.json": 400,
    "install-app.json": 302,
    "install-head.json": 405,
    "install-language-too-long.json": 400,
    "install-language-unknown.json": 302,
    "install-language.json": 302,
    "install-prefetch.json": 403,
    "install-state-in-link.json": 302,
    "install-two-tabs.json": 302,
    "install.json": 302,
    "installations-route.json": 200,
    "token-route.json": 404,
    "uninstall-route.json": 404,
}
# The error for each event of our own backend's functions: the person has not installed, and the event after which to
# read is not kept. A route's answer has it in the body.
ERRORS = {
    "claim-direct.json": "invalid_grant",
    "claim-route.json": "invalid_grant",
    "feed-direct.json": "expired",
    "token-direct.json": "not_installed",
    "token-route.json": "not_installed",
    "token-subject.json": "not_installed",
    "uninstall-route.json": "not_installed",
    "uninstall.json": "not_installed",
}
# Everything in these can be done, or never will be. Nothing of it comes again.
BATCHES = ("publish", "webhook", "onboard")
# The sample app's. A container cannot reach it: there, `webhook` has no address.
WEBHOOK_URL = "http://localhost:3000/app/webhook"


def check_answer(event, answer):
    """Every answer must be ours, and no expired event may be accepted."""
    if event.name.startswith(BATCHES):
        return check(answer == {"batchItemFailures": []}, f"{event.name}: {answer}")
    if event.name == "sweep.json":
        return check(answer.get("complete") is True, f"{event.name}: {answer}")
    if event.name == "installations-direct.json":
        return check(answer == {"installations": [], "next": None}, f"{event.name}: {answer}")
    error = ERRORS.get(event.name)
    if error and event.name not in STATUSES:
        return check(answer.get("error") == error and "statusCode" not in answer, f"{event.name}: {answer}")
    # As API Gateway would return it.
    status, headers = answer.get("statusCode"), answer.get("headers", {})
    check("content-security-policy" in headers, f"{event.name}: not our answer: {answer}")
    location = urlsplit(headers.get("location", ""))
    check(status == STATUSES.get(event.name, 303), f"{event.name}: {status}, {headers}")
    if error:
        check(json.loads(answer["body"])["error"] == error, f"{event.name}: {answer['body']}")
    if status == 302:
        sent = parse_qs(location.query)
        check(location.port == 3001 and location.path == "/v1/oauth/authorize", f"{event.name}: {location}")
        check(sent["client_id"] == [SAM_LOCAL["NOTION_CLIENT_ID"]], f"{event.name}: {sent}")
        check(any(cookie.startswith("__Host-") for cookie in answer["cookies"]), f"{event.name}: no cookie")
    if status == 303:
        restarts = event.name == "callback-no-state.json"
        clean = location.path == "install" if restarts else location.query.startswith("reason=")
        if event.name == "callback-app-refused.json":
            # Back to the app. The flow has expired.
            clean = location.path == "/app/back" and parse_qs(location.query)["error_description"] == ["expired"]
        check(clean, f"{event.name}: {headers['location']}")


def without_what_is_drawn(answer):
    """The answer without the state and cookie, which differ for every install."""
    if "statusCode" not in answer:
        return answer
    answer = json.loads(json.dumps(answer))
    answer["cookies"] = len(answer.get("cookies") or [])
    location = answer["headers"].get("location", "")
    answer["headers"]["location"] = re.sub(r"^http://[^/]+|state=[^&]+", "", location)
    return {key: answer[key] for key in ("statusCode", "headers", "body", "cookies")}


class Rie:
    """A function's package under the Runtime Interface Emulator that comes with SAM."""

    def __init__(self, function):
        self.port = free_port()
        emulator = (
            next((TOOLS / "sam" / "lib").glob("python3*")) / "site-packages/samcli/local/rapid/aws-lambda-rie-x86_64"
        )
        settings = {name: value.replace("host.docker.internal", "127.0.0.1") for name, value in SAM_LOCAL.items()}
        variables = environment(
            **settings,
            WEBHOOK_URL=WEBHOOK_URL,
            AWS_ACCESS_KEY_ID="local",
            AWS_SECRET_ACCESS_KEY="local",
            AWS_REGION="us-east-1",
            AWS_LAMBDA_FUNCTION_NAME=function,
            AWS_LAMBDA_FUNCTION_TIMEOUT="25",
            AWS_LAMBDA_FUNCTION_MEMORY_SIZE="256",
        )
        command = [
            emulator,
            "--runtime-interface-emulator-address",
            f"127.0.0.1:{self.port}",
            "--runtime-api-address",
            f"127.0.0.1:{free_port()}",
            "./bootstrap",
        ]
        self.process = Process(f"rie-{function}", command, port=self.port, env=variables, cwd=BUILD / function)

    def invoke(self, event):
        url = f"http://127.0.0.1:{self.port}/2015-03-31/functions/function/invocations"
        with urllib.request.urlopen(url, data=event.encode(), timeout=60) as response:
            return json.loads(response.read())

    def last_line(self):
        lines = [line for line in self.process.log.read_text().splitlines() if '"event":"request"' in line]
        return json.loads(lines[-1])


def events_through_rie():
    with dev_stack():
        functions = {name: Rie(name) for name in BARS}
        try:
            for event in EVENTS:
                answer = functions[function_of(event)].invoke(event.read_text())
                check_answer(event, answer)
                answers[event.name] = answer
            delivered = functions["WebhookFunction"].last_line()
            check(delivered.get("Delivered") == 1, f"the sample app did not take the webhook: {delivered}")
            callback = functions["CallbackFunction"]
            answer = callback.invoke(fresh_event(fresh_code()))
            check(answer["statusCode"] == 303 and answer["headers"]["location"].startswith("?flow="), str(answer))
            check(callback.last_line().get("Saved") == 1, f"the fresh event did not install: {callback.last_line()}")
        finally:
            for function in functions.values():
                function.process.stop()
    return f"{len(EVENTS)} checked-in events, and a fresh one that installs"


def docker():
    engine = shutil.which("docker")
    if engine and subprocess.run([engine, "info"], capture_output=True).returncode == 0:
        return engine
    return cannot_run("no Docker engine, so `sam local invoke` was not tested")


def base_image():
    return image.build(docker(), BUILD / "CallbackFunction" / "bootstrap")


def sam_local_invoke(function, event, stdin=None):
    env = environment(SAM_SKIP_PULL_IMAGE="1")
    done = run(["sam", "local", "invoke", function, "--event", event], env=env, stdin=stdin, timeout=180)
    return json.loads(done.stdout.strip().splitlines()[-1]), done.stderr


def events_in_docker():
    docker()
    with dev_stack("--listen", DOCKER_BRIDGE):
        for event in EVENTS:
            answer, said = sam_local_invoke(function_of(event), event)
            if event.name == "webhook.json":
                # WEBHOOK_URL is not set. SAM does not always show what a container wrote last, so its log says nothing.
                check(len(answer["batchItemFailures"]) == 1, f"{answer}: {said}")
                continue
            check_answer(event, answer)
            if event.name in answers:
                mine, other = without_what_is_drawn(answer), without_what_is_drawn(answers[event.name])
                check(mine == other, f"{event.name}: in Docker {mine}, under RIE {other}")
    return f"{len(EVENTS)} events with sam local invoke, each as under RIE"


def documented_lines_in_docker():
    """The lines of docs/local.md, as written."""
    docker()
    lines = readme("sam-local", "docs/local.md")
    with dev_stack("--listen", DOCKER_BRIDGE):
        done = run(["bash", "-euo", "pipefail", "-c", lines], env=environment(SAM_SKIP_PULL_IMAGE="1"), timeout=300)
    # SAM ends an answer without a line break.
    statuses = re.findall(r'\{"statusCode": (\d+)', done.stdout)
    check(statuses == ["302", "303"], done.stdout + done.stderr[-2000:])
    check("?flow=" in done.stdout, f"the documented callback did not install: {done.stdout}{done.stderr[-2000:]}")
    return "install answers, a fresh callback installs"
