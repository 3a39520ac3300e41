"""The stack on an emulated AWS, from nothing to deletion, in the order of the deploy guide."""

import base64
import hashlib
import http.server
import json
import re
import secrets
import threading
from urllib.parse import parse_qsl, urlsplit

import botocore.exceptions

import browser
import events
import faults
import onboarding
from backend import Backend
from built import BARS
from emulator import CLIENT_SECRET, PRODUCTION, STACK, Emulator
from person import ACME, Person
from tools import ROOT, Failed, check, run_in_terminal

_emulator = None
OUTPUTS = (
    "ClaimFunctionName",
    "ClaimUrl",
    "ClientSecretName",
    "EventBusName",
    "EventsUrl",
    "FeedFunctionName",
    "InstallUrl",
    "InstallationsFunctionName",
    "InstallationsTableName",
    "InstallationsUrl",
    "NextCommand",
    "RedirectUri",
    "SweepFunctionName",
    "TokenFunctionName",
    "TokenUrl",
    "UninstallFunctionName",
    "UninstallUrl",
)


def emulator():
    global _emulator
    if _emulator is None:
        _emulator = Emulator()
    return _emulator


def stop_everything():
    if _emulator:
        _emulator.stop()


def deploy():
    """Step 2 of the guide. Until step 3, another redirect URI is registered at Notion."""
    aws = emulator()
    aws.start_notion("https://example.com/callback")
    aws.readme("deploy", stdin="y\n")
    outputs, resources = aws.stack()
    for output in OUTPUTS:
        check(outputs.get(output), f"there is no output {output}")
    check("secret set" in outputs["NextCommand"], outputs["NextCommand"])
    for function in ("WebhookFunction", "OnboardFunction"):
        check(function not in resources, f"there is {function}, although nobody asked for it")
    for function in (function for function in BARS if function in resources):
        configuration = aws.client("lambda").get_function_configuration(FunctionName=resources[function])
        check(CLIENT_SECRET not in json.dumps(configuration, default=str), "a secret in the environment")
    # The emulator runs the schedule. From here on, the sweep runs only when a step invokes it.
    eventbridge = aws.client("events")
    rule = eventbridge.describe_rule(Name=resources["SweepSchedule"])
    targets = eventbridge.list_targets_by_rule(Rule=resources["SweepSchedule"])["Targets"]
    check(rule["ScheduleExpression"] == "rate(5 minutes)" and len(targets) == 1, f"{rule}, {targets}")
    check(targets[0]["Arn"].endswith(f":{resources['SweepFunction']}"), f"the schedule has another target: {targets}")
    eventbridge.disable_rule(Name=resources["SweepSchedule"])
    return f"{len(resources)} resources"


def heal_what_the_emulator_leaves_out(aws, resources):
    """The emulator ignores expiry and backups in a template. AWS does not; cfn-guard and checkov check them."""
    dynamodb = aws.client("dynamodb")
    expiry = {"Enabled": True, "AttributeName": "expires_at"}
    dynamodb.update_time_to_live(TableName=resources["ClaimsTable"], TimeToLiveSpecification=expiry)
    for table in ("ClaimsTable", "InstallationsTable", "LinksTable", "OnboardingTable"):
        backups = {"PointInTimeRecoveryEnabled": True}
        dynamodb.update_continuous_backups(TableName=resources[table], PointInTimeRecoverySpecification=backups)


def first_install():
    """Steps 3 to 5 of the guide, checked by the doctor."""
    aws = emulator()
    outputs, resources = aws.stack()
    heal_what_the_emulator_leaves_out(aws, resources)
    sick = report(aws, expect=1)
    problems = {step["step"] for step in sick["steps"] if step["status"] == "problem"}
    check(problems == {"client secret", "redirect uri"}, f"a fresh stack has these problems: {problems}")
    cure = next(step["cure"] for step in sick["steps"] if step["step"] == "redirect uri")
    check(outputs["RedirectUri"] in cure, cure)

    aws.start_notion(outputs["RedirectUri"])
    refused = aws.operator("secret", "set", expect=1, stdin="secret_of_somebody_else\n")
    check("Nothing was stored" in refused.stderr, refused.stderr)
    shown = run_in_terminal(
        outputs["NextCommand"], env=aws.environment(), prompt="Client secret (not shown)", answer=CLIENT_SECRET
    )
    check("Notion accepts it" in shown and CLIENT_SECRET not in shown, shown)
    again = aws.readme("secret", expect=1, stdin=CLIENT_SECRET + "\n")
    check("stored already" in again.stderr, again.stderr)

    well = report(aws)
    check(well["healthy"], json.dumps(well, indent=1))
    shown = aws.readme("doctor").stdout
    check("is well: 0 problems" in shown and outputs["RedirectUri"] in shown, shown)
    page = Person().install(outputs["InstallUrl"])
    check(page.status == 200 and page.json()["status"] == "connected", str(page))
    rows = aws.client("dynamodb").scan(TableName=resources["InstallationsTable"])["Items"]
    check(len(rows) == 1, f"{len(rows)} rows")
    check("ntn_" not in str(rows) and "nrt_" not in str(rows), "a token in the clear")
    return f"doctor: {len(well['steps'])} steps, all well; one row, sealed"


def report(aws, *arguments, expect=0, stack=STACK, **variables):
    return json.loads(aws.operator("--json", "doctor", *arguments, stack=stack, expect=expect, **variables).stdout)


def browser_install():
    outputs, _ = emulator().stack()
    return browser.install(outputs["InstallUrl"])


def backend_takes_tokens():
    """Our own backend, with only the permissions in docs/deploy.md: vend, report, uninstall; and a sweep."""
    aws = emulator()
    outputs, resources = aws.stack()
    nobody = Backend(aws, outputs, resources, "nobody", allowed=False)
    # Unsigned, or signed by a user without permission.
    for answer in (nobody.post_token(signed=False), nobody.post_token()):
        check(answer.status == 403 and "access_token" not in answer.body, str(answer))
    backend = Backend(aws, outputs, resources, "backend")

    over_the_route = backend.post_token()
    check(over_the_route.status == 200, f"{over_the_route.status}, {over_the_route.body[:400]}")
    check(over_the_route.all("cache-control") == ["no-store"], str(over_the_route.headers))
    vended = over_the_route.json()
    check(backend.token() == vended, "a direct invocation has another answer")
    check("nrt_" not in over_the_route.body, "a refresh token left the vault")
    check(backend.asks_notion(vended) == 200, "Notion does not accept the token")

    renewed = backend.token(refused_fingerprint=vended["fingerprint"])
    check(renewed["access_token"] != vended["access_token"], "the refused token was returned again")
    check(renewed["version"] > vended["version"] and renewed["generation"] == vended["generation"], str(renewed))
    check(backend.asks_notion(renewed) == 200, "Notion does not accept the refreshed token")
    # A report of that one brings no other token, because it works.
    alive = backend.token(refused_fingerprint=renewed["fingerprint"])
    check(alive.get("error") == "refused_but_alive", str(alive))
    renewed = backend.token()
    # A report of the old one now brings the new one, without a refresh.
    check(backend.token(refused_fingerprint=vended["fingerprint"]) == renewed, "there was another refresh")

    swept = aws.invoke(outputs["SweepFunctionName"], {})
    check(swept.get("complete") is True and "SweepFailed" not in swept, str(swept))

    other = backend.uninstall(generation=renewed["generation"] + 1)
    check(other.get("error") == "other_generation" and backend.token() == renewed, str(other))
    removed = backend.uninstall()
    check(removed.get("removed") is True and removed.get("revoked") is True, str(removed))
    check(backend.token().get("error") == "removed", "a token of a removed installation")
    check(backend.post_token().status == 410, "the route has another answer than a direct invocation")
    check(backend.asks_notion(renewed) == 401, "Notion still accepts the token")
    again = backend.uninstall()
    check(again.get("removed") is True, f"an uninstall cannot be repeated: {again}")
    rows = aws.client("dynamodb").scan(TableName=resources["InstallationsTable"])["Items"]
    check(len(rows) == 1 and not {"pair", "superseded"} & rows[0].keys(), f"the tombstone has tokens: {rows}")
    return "by route and directly: one token; another one for a refused one; swept; uninstalled, revoked"


class ReturnPage(http.server.BaseHTTPRequestHandler):
    """The return page of an app, which has no session for anybody who comes by."""

    status = 400

    def do_GET(self):
        self.send_response(ReturnPage.status)
        self.end_headers()

    def log_message(self, *_):
        pass


def an_app_claims():
    """The app's side, over the signed routes: connect, claim, what is connected, a token, disconnect."""
    aws = emulator()
    return_page = http.server.ThreadingHTTPServer(("127.0.0.1", 0), ReturnPage)
    threading.Thread(target=return_page.serve_forever, daemon=True).start()
    return_to = f"http://localhost:{return_page.server_port}/back?tab=notion"
    aws.sam("deploy", ReturnDestinations=f"app={return_to}")
    outputs, resources = aws.stack()
    said = {step["step"]: step["status"] for step in report(aws, "--return-to", "app")["steps"]}
    check(said["return destinations"] == "ok" and said["return page"] == "ok", str(said))
    backend = Backend(aws, outputs, resources, "app")
    stranger = Backend(aws, outputs, resources, "stranger", allowed=False)
    verifier = secrets.token_urlsafe(32)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    wrong = Person().request(outputs["InstallUrl"] + "?return_to=https://evil.example&code_challenge=" + challenge)
    check(wrong.status == 400 and "location" not in str(wrong.headers).lower(), str(wrong))
    person = Person()
    callback = person.approve(f"{outputs['InstallUrl']}?return_to=app&code_challenge={challenge}&state=of-the-app")
    back = person.request(callback)
    check(back.status == 303 and back.location.startswith(return_to + "&code="), str(back.headers))
    check(person.request(callback).location == back.location, "a reload goes elsewhere")
    came = dict(parse_qsl(urlsplit(back.location).query))
    check(came["state"] == "of-the-app" and outputs["InstallUrl"].startswith(came["iss"] + "/"), str(came.keys()))
    check(backend.token().get("error") == "unclaimed", "an unclaimed installation was vended")

    mine = {"code": came["code"], "code_verifier": verifier, "subject": "user 4711"}
    check(stranger.post("ClaimUrl", **mine).status == 403, "anybody may claim")
    other = backend.post("ClaimUrl", **mine | {"code_verifier": secrets.token_urlsafe(32)})
    check(other.status == 400 and other.json()["error"] == "invalid_grant", str(other))
    claimed = backend.post("ClaimUrl", **mine)
    check(claimed.status == 200 and claimed.json()["subjects"] == ["user 4711"], str(claimed))
    again = aws.invoke(outputs["ClaimFunctionName"], mine, *backend.key)
    check(again == claimed.json(), f"a repeat has another answer: {again}")
    listed = backend.get("InstallationsUrl", subject="user 4711").json()
    # A claim gives the same answer again, so it has no version.
    version = listed["installations"][0]["version"]
    expected = claimed.json() | {"version": version}
    check(version > 1 and listed == {"installations": [expected], "next": None}, str(listed))
    of_workspace = aws.invoke(outputs["InstallationsFunctionName"], {"workspace_id": ACME}, *backend.key)
    check(of_workspace == listed, f"the workspace has others: {of_workspace}")
    vended = backend.post("TokenUrl", subject="user 4711").json()
    check(backend.asks_notion(vended) == 200, "Notion does not accept the token")
    swept = aws.invoke(outputs["SweepFunctionName"], {})
    check("GivenBackUnclaimed" not in swept, str(swept))
    removed = backend.post("UninstallUrl", subject="user 4711").json()
    check(removed["removed"] is True and removed["revoked"] is True, str(removed))
    check(backend.asks_notion(vended) == 401, "Notion still accepts the token")
    links = aws.client("dynamodb").scan(TableName=resources["LinksTable"])["Items"]
    check(not links, f"links are left: {links}")
    for secret in (came["code"], verifier, "of-the-app"):
        for group in ("InstallLog", "CallbackLog", "ClaimLog", "AccessLog"):
            check(not any(secret in line for line in log(aws, resources[group])), f"{group} has something of the app")
    return "connected, returned, claimed, listed, vended, disconnected; nothing of the app in a log"


def events_reach_the_app():
    aws = emulator()
    outputs, resources = aws.stack()
    stranger = Backend(aws, outputs, resources, "eavesdropper", allowed=False)
    return events.feed_and_bus(aws, outputs, resources, Backend(aws, outputs, resources, "listener"), stranger)


def webhook_waits():
    aws = emulator()
    outputs, resources = aws.stack()

    backend = Backend(aws, outputs, resources, "webhook")
    return events.webhook(aws, backend, lambda expect=0: faults.by_step(report(aws, expect=expect)))


def workspaces_are_prepared():
    aws = emulator()
    outputs, resources = aws.stack()

    backend = Backend(aws, outputs, resources, "onboarding")
    return onboarding.onboarding(aws, backend, lambda expect=0: faults.by_step(report(aws, expect=expect)))


ISSUER, AUDIENCE, SUBJECT = (
    "https://oidc.vercel.com/acme",
    "https://vercel.com/acme",
    "owner:acme:project:app:environment:production",
)


def web_identity_token(**claims):
    """A token as a platform issues it, but not signed: the emulator does not look at the signature."""
    parts = ({"alg": "RS256"}, {"iss": ISSUER, "aud": AUDIENCE, "sub": SUBJECT} | claims)
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts) + ".x"


def callers_outside_aws():
    """A backend on another platform: the routes, by a token of its issuer, and nothing else."""
    aws = emulator()
    # The emulator cannot make it from a template.
    provider = aws.client("iam").create_open_id_connect_provider(Url=ISSUER, ClientIDList=[AUDIENCE])
    of_issuer = {
        "CallerOidcIssuer": ISSUER,
        "CallerOidcAudience": AUDIENCE,
        "CallerOidcProviderArn": provider["OpenIDConnectProviderArn"],
    }
    refused = aws.sam("deploy", expect=1, **of_issuer)
    check("CallerOidcIssuer needs CallerOidcSubject" in refused.stdout + refused.stderr, refused.stderr)
    aws.sam("deploy", CallerOidcSubject=SUBJECT, **of_issuer)
    outputs, resources = aws.stack()
    sts = aws.client("sts")

    def assume(token):
        return sts.assume_role_with_web_identity(
            RoleArn=outputs["CallerRoleArn"], RoleSessionName="app", WebIdentityToken=token
        )["Credentials"]

    strangers = [
        {"sub": "owner:acme:project:app:environment:preview"},
        {"sub": "owner:somebody:project:app:environment:production"},
        {"sub": SUBJECT + "x"},
        {"aud": "https://vercel.com/somebody"},
        {"iss": "https://oidc.vercel.com/somebody"},
        {"iss": "https://evil.example"},
    ]
    for claims in strangers:
        try:
            assume(web_identity_token(**claims))
        except botocore.exceptions.ClientError as error:
            check(error.response["Error"]["Code"] == "AccessDenied", f"{claims}: {error}")
        else:
            raise Failed(f"a token with {claims} got credentials")
    held = assume(web_identity_token())
    backend = Backend.holding(aws, outputs, (held["AccessKeyId"], held["SecretAccessKey"], held["SessionToken"]))
    answers = {
        "claim": backend.post("ClaimUrl", code="made up", code_verifier="v" * 43, subject="user 1"),
        "installations": backend.get("InstallationsUrl", subject="user 1"),
        "events": backend.get("EventsUrl", limit=1),
        "token": backend.post("TokenUrl", subject="user 1"),
        "uninstall": backend.post("UninstallUrl", subject="user 1"),
    }
    statuses = {name: answer.status for name, answer in answers.items()}
    expected = {"claim": 400, "installations": 200, "events": 200, "token": 404, "uninstall": 404}
    check(statuses == expected, f"{statuses}")
    for function in ("TokenFunction", "UninstallFunction", "FeedFunction", "PublishFunction", "SweepFunction"):
        try:
            aws.invoke(resources[function], {}, *backend.key)
        except botocore.exceptions.ClientError as error:
            check("AccessDenied" in str(error), str(error))
        else:
            raise Failed(f"the caller may invoke {function}")
    aws.sam("deploy", CallerOidcIssuer="", CallerOidcSubject="", CallerOidcProviderArn="")
    check("CallerRole" not in aws.stack()[1], "the role stays although it is off")
    return f"{len(strangers)} other tokens refused; the right one reaches the five routes and no function"


def one_statement_less():
    """Removes each statement that the emulator can enforce. Exactly its calls must be denied."""
    aws = emulator()
    outputs, resources = aws.stack()
    iam, role = aws.client("iam"), resources["CallbackRole"]
    policy = iam.get_role_policy(RoleName=role, PolicyName="callback")["PolicyDocument"]
    # The denied calls, by the function's own log, and what the person sees. The rescue queue is used only if the
    # table has denied access.
    expected = {
        ("Claims",): ({"DynamoDB"}, "unavailable"),
        ("Installations",): ({"DynamoDB"}, "rescued"),
        ("ClientSecret",): ({"CLIENT_SECRET_ARN"}, "unavailable"),
        ("TokenKeyRing",): ({"TOKEN_KEY_RING_ARN"}, "unavailable"),
        # Without it, each secret is read on its own.
        ("BothSecrets",): (set(), "connected"),
        ("Rescue",): (set(), "connected"),
        # Only an install over a removal that was cut off ends links.
        ("Links",): (set(), "connected"),
        ("Installations", "Rescue"): ({"DynamoDB", "SQS"}, "not_saved"),
        (): (set(), "connected"),
    }
    enforced = {sid for sids in expected for sid in sids}
    on_behalf = {statement["Sid"] for statement in policy["Statement"]} - enforced
    check(on_behalf == {"DataKey", "Log", "LogKey", "Trace"}, f"unknown statements: {on_behalf}")
    try:
        for sids, (refused, outcome) in expected.items():
            less = [statement for statement in policy["Statement"] if statement["Sid"] not in sids]
            document = json.dumps({**policy, "Statement": less})
            iam.put_role_policy(RoleName=role, PolicyName="callback", PolicyDocument=document)
            restart(aws, resources["CallbackFunction"], "without " + " ".join(sids))
            before = len(log(aws, resources["CallbackLog"]))
            page = Person().install(outputs["InstallUrl"]).json()
            found = page.get("status") if page.get("status") == "connected" else page["type"].rsplit(":", 1)[1]
            check(found == outcome, f"without {sids}: {found} instead of {outcome}")
            denied = {
                name
                for line in log(aws, resources["CallbackLog"])[before:]
                if "AccessDenied" in line
                for name in ("DynamoDB", "SQS", "CLIENT_SECRET_ARN", "TOKEN_KEY_RING_ARN")
                if name in line
            }
            check(denied == refused, f"without {sids}: {denied} were denied instead of {refused}")
    finally:
        iam.put_role_policy(RoleName=role, PolicyName="callback", PolicyDocument=json.dumps(policy))
    waiting = aws.client("sqs").receive_message(QueueUrl=resources["RescueQueue"], MaxNumberOfMessages=10)["Messages"]
    check(len(waiting) == 1 and "ntn_" not in waiting[0]["Body"], "the rescued installation is not in the queue")
    aws.client("sqs").purge_queue(QueueUrl=resources["RescueQueue"])
    not_enforced = ", ".join(sorted(on_behalf))
    return f"{len(expected) - 1} removals, each denied exactly its calls; not enforced here: {not_enforced}"


def restart(aws, function, name):
    """Starts new environments, as after a deploy, so that nothing is cached."""
    client = aws.client("lambda")
    variables = client.get_function_configuration(FunctionName=function)["Environment"]["Variables"]
    client.update_function_configuration(
        FunctionName=function, Environment={"Variables": variables | {"APP_NAME": name}}
    )


def log(aws, group):
    pages = aws.client("logs").get_paginator("filter_log_events").paginate(logGroupName=group)
    return [event["message"] for page in pages for event in page["events"]]


def secret_rotated_in_flight():
    """A person is at Notion while the deployer rotates. Notion then accepts only the new secret."""
    aws = emulator()
    outputs, resources = aws.stack()
    # An environment with the old secret in its cache.
    check(Person().install(outputs["InstallUrl"]).json()["status"] == "connected", "the stack is not well")
    new_secret = "secret_after_the_rotation"
    aws.start_notion(outputs["RedirectUri"], secret=new_secret)
    in_flight = Person()
    callback = in_flight.approve(outputs["InstallUrl"])
    rotated = aws.operator("secret", "rotate", stdin=new_secret)
    check("Notion accepts it" in rotated.stdout, rotated.stdout)
    page = in_flight.follow(callback)
    check(page.json().get("status") == "connected", str(page))
    same = aws.operator("secret", "rotate", stdin=new_secret)
    check("nothing was changed" in same.stdout, same.stdout)
    previous = aws.client("secretsmanager").get_secret_value(
        SecretId=resources["ClientSecret"], VersionStage="AWSPREVIOUS"
    )
    check(CLIENT_SECRET in previous["SecretString"], "the previous secret is not AWSPREVIOUS")
    refused = aws.operator("secret", "rotate", expect=1, stdin="secret_that_notion_never_gave")
    check("Nothing was stored" in refused.stderr, refused.stderr)
    return "the install in flight succeeded"


# AWS needs no permission for GetCallerIdentity. The emulator does not enforce permissions for CloudWatch's CBOR
# protocol, nor for KMS calls that a service makes in the caller's name.
NOT_ENFORCED = {"cloudwatch:DescribeAlarms", "kms:Decrypt", "kms:GenerateDataKey", "sts:GetCallerIdentity"}
# It takes asking about one event source mapping for listing them.
ENFORCED_AS = {"lambda:GetEventSourceMapping": "lambda:ListEventSourceMappings"}


def operator_permissions():
    """Each command works with exactly the permissions in docs/deploy.md, and not with one less."""
    aws = emulator()
    _, resources = aws.stack()
    iam, secrets_manager = aws.client("iam"), aws.client("secretsmanager")
    documented = (ROOT / "docs" / "deploy.md").read_text()

    def spoil():
        # So that there is something to store.
        secrets_manager.put_secret_value(SecretId=resources["ClientSecret"], SecretString="not a client secret")

    tried = 0
    for row, command in (("`secret set`, `secret rotate`", ["secret", "rotate"]), ("`doctor`", ["--json", "doctor"])):
        line = next(line for line in documented.splitlines() if line.startswith(f"| {row} |"))
        actions = re.findall(r"`([a-z]+:[A-Za-z]+)`", line)
        check(len(actions) > 5, line)
        user = "operator-" + command[-1]
        iam.create_user(UserName=user)
        key = iam.create_access_key(UserName=user)["AccessKey"]
        signed = {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
        for less in [*(action for action in actions if action not in NOT_ENFORCED), None]:
            allowed = [ENFORCED_AS.get(action, action) for action in actions if action != less]
            statement = {"Effect": "Allow", "Action": allowed, "Resource": "*"}
            document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
            iam.put_user_policy(UserName=user, PolicyName="operator", PolicyDocument=document)
            if command[0] == "secret":
                spoil()
            # DescribeSecret tells a secret without a value from a deleted one. This one has a value.
            enough = less is None or (command[0] == "secret" and less == "secretsmanager:DescribeSecret")
            try:
                aws.operator(*command, expect=0 if enough else 3, stdin=faults.NEW_SECRET, **signed)
            except Failed as failure:
                raise Failed(f"{' '.join(command)} without {less}: {failure}") from failure
            tried += 1
    return f"doctor and secret, with the permissions in docs/deploy.md and with one less: {tried} runs"


def doctor_finds_faults():
    def return_page(status):
        ReturnPage.status = status

    return faults.plant_all(emulator(), report, return_page)


def update():
    """A deploy over a stack with data: changes take effect, and data is kept."""
    aws = emulator()
    before, resources_before = aws.stack()
    email = "on-call@example.com"
    aws.sam("deploy", AppName="Renamed", StateTtlSecs="900", AlarmEmail=email)
    after, resources_after = aws.stack()
    check(before == after, "the outputs changed, so people would have to register another redirect URI")
    tables = ("InstallationsTable", "ClaimsTable", "LinksTable", "OnboardingTable")
    kept = (*tables, "EventsTable", "EventBus", "ClientSecret", "TokenKeyRing", "RescueQueue", "DataKey", "HttpApi")
    for resource in kept:
        check(resources_before[resource] == resources_after[resource], f"{resource} was replaced")
    subscribed = aws.client("sns").list_subscriptions_by_topic(TopicArn=resources_after["AlarmTopic"])["Subscriptions"]
    check(email in [subscription["Endpoint"] for subscription in subscribed], f"{email} is not subscribed")
    person = Person()
    page = person.request(after["InstallUrl"], accept="text/html")
    check(
        any("Max-Age=4500" in cookie for cookie in page.all("set-cookie")),
        f"StateTtlSecs did not take effect: {page.headers}",
    )
    html = person.request(after["RedirectUri"] + "?reason=expired", accept="text/html").body
    check("Renamed" in html, html)
    page = Person().install(after["InstallUrl"])
    check(page.json().get("status") == "connected", str(page))
    rows = aws.client("dynamodb").scan(TableName=resources_after["InstallationsTable"])["Items"]
    check(len(rows) == 1 and int(rows[0]["generation"]["N"]) > 1, "the installation did not survive the update")
    return f"the same row, now at generation {rows[0]['generation']['N']}"


def production_beside_it():
    """The other environment of samconfig.toml in the same account: no collisions, nothing shared."""
    aws = emulator()
    _, development = aws.stack()
    aws.sam("deploy", "--config-env", "prod")
    outputs, production = aws.stack(PRODUCTION)
    shared = {name for name in development if development[name] == production.get(name)}
    # Every API has a stage of this name.
    shared.discard("HttpApiStage")
    check(not shared, f"both stacks have {shared}")
    found = {step["step"] for step in report(aws, expect=1, stack=PRODUCTION)["steps"] if step["status"] == "problem"}
    # What the emulator ignores in a template, and what a fresh stack lacks.
    check(found == {"client secret", "redirect uri", "expiry of claims", "backups"}, f"production: {found}")
    policy = aws.client("iam").get_role_policy(RoleName=production["CallbackRole"], PolicyName="callback")
    granted = json.dumps(policy["PolicyDocument"])
    check(development["ClaimsTable"] not in granted, "production has access to the other stack's table")
    aws.sam("delete", "--config-env", "prod", "--no-prompts", "--stack-name", PRODUCTION)
    check(Person().request(outputs["InstallUrl"]).status != 302, "production still answers")
    check(report(aws)["healthy"], "the other stack did not survive")
    return "two stacks, nothing shared; one deleted, the other well"


def custom_domain():
    """The stack moves to a domain: another redirect URI, a certificate, records, and the default endpoint is off."""
    aws = emulator()
    old, _ = aws.stack()
    zone = aws.client("route53").create_hosted_zone(Name="example.com", CallerReference="deploy-test")
    zone_id = zone["HostedZone"]["Id"].rsplit("/", 1)[-1]
    # Prepared first, while the old address still works.
    aws.sam("deploy", DomainName="connect.example.com", HostedZoneId=zone_id, UseDomain="false")
    ready, _ = aws.stack()
    check(ready["InstallUrl"] == old["InstallUrl"] and ready["DomainTarget"], str(ready))
    check(
        Person().install(old["InstallUrl"]).json().get("status") == "connected",
        "the old address stopped working too soon",
    )
    aws.sam("deploy", DomainName="connect.example.com", HostedZoneId=zone_id, UseDomain="true")
    outputs, resources = aws.stack()
    check(outputs["InstallUrl"] == "https://connect.example.com/install", outputs["InstallUrl"])
    check(outputs["RedirectUri"] == "https://connect.example.com/callback", outputs["RedirectUri"])
    api = aws.client("apigatewayv2").get_api(ApiId=resources["HttpApi"])
    check(api["DisableExecuteApiEndpoint"] is True, "the default endpoint still answers")
    records = aws.client("route53").list_resource_record_sets(HostedZoneId=zone_id)["ResourceRecordSets"]
    kinds = {record["Type"] for record in records if record["Name"].startswith("connect.example.com")}
    check(kinds == {"A", "AAAA"}, f"records: {kinds}")
    variables = aws.client("lambda").get_function_configuration(FunctionName=resources["CallbackFunction"])[
        "Environment"
    ]
    check(
        variables["Variables"]["NOTION_REDIRECT_URI"] == outputs["RedirectUri"],
        "the function still has the old address",
    )
    # No resolver here knows the name, as for a person before the records have spread.
    said = {step["step"]: step for step in report(aws, expect=1)["steps"]}
    check(said["install url"]["status"] == "problem", str(said))
    check(said["custom domain"]["status"] == "problem" and zone_id in said["custom domain"]["cure"], str(said))
    refused = aws.sam("deploy", expect=1, DomainName="connect.example.com", CertificateArn="not-an-arn")
    check("CertificateArn" in refused.stdout + refused.stderr, refused.stderr)
    check(old["InstallUrl"] != outputs["InstallUrl"], "the address did not change")
    return "certificate, records, mapping; the doctor says that the name does not resolve yet"


def roll_back():
    """Rolling back as in the guide: deploys the previous version."""
    aws = emulator()
    aws.sam("deploy", DomainName="", HostedZoneId="", AppName="Sample", StateTtlSecs="600")
    outputs, resources = aws.stack()
    check("ApiDomain" not in resources, "the domain is still there")
    page = Person().install(outputs["InstallUrl"])
    check(page.json().get("status") == "connected", str(page))
    check(report(aws)["healthy"], "the doctor reports a problem")
    return "the default endpoint answers again"


RETAINED = (
    "InstallationsTable",
    "ClaimsTable",
    "LinksTable",
    "OnboardingTable",
    "ClientSecret",
    "TokenKeyRing",
    "RescueQueue",
    "RescueDeadLetters",
    "DataKey",
    "InstallLog",
    "CallbackLog",
    "ClaimLog",
    "InstallationsLog",
    "TokenLog",
    "UninstallLog",
    "SweepLog",
    "PublishLog",
    "FeedLog",
    "AccessLog",
)


def delete():
    """Resources with data are retained; all others are deleted."""
    aws = emulator()
    _, resources = aws.stack()
    aws.sam("delete", "--no-prompts")
    stacks = aws.client("cloudformation").describe_stacks()["Stacks"]
    check(not any(stack["StackName"] == STACK for stack in stacks), "the stack is still there")
    functions = aws.client("lambda").list_functions()["Functions"]
    check(not functions, f"still there: {functions}")
    roles = {role["RoleName"] for role in aws.client("iam").list_roles()["Roles"]}
    check(resources["CallbackRole"] not in roles, "the role is still there")
    buses = {bus["Name"] for bus in aws.client("events").list_event_buses()["EventBuses"]}
    check(resources["EventBus"] not in buses, "the bus is still there")
    tables = aws.client("dynamodb").list_tables()["TableNames"]
    check(resources["EventsTable"] not in tables, "the events are still there")
    # Here AWS calls a secret by its ARN, the emulator by its name.
    listed = aws.client("secretsmanager").list_secrets()["SecretList"]
    secrets = {name for secret in listed for name in (secret["ARN"], secret["Name"])}
    queues = [url.rsplit("/", 1)[1] for url in aws.client("sqs").list_queues().get("QueueUrls", [])]
    groups = {group["logGroupName"] for group in aws.client("logs").describe_log_groups()["logGroups"]}
    keys = {key["KeyId"] for key in aws.client("kms").list_keys()["Keys"]}
    there = {*tables, *secrets, *queues, *groups, *keys}
    for resource in RETAINED:
        check(
            resources[resource].rsplit("/queue/", 1)[-1].split("/")[-1] in there or resources[resource] in there,
            f"{resource} was deleted with the stack: {resources[resource]}",
        )
    rows = aws.client("dynamodb").scan(TableName=resources["InstallationsTable"])["Items"]
    if len(rows) != 1:
        raise Failed("the installations are gone")
    return f"{len(RETAINED)} resources retained, as the guide says"
