"""Plants faults one at a time. The doctor must find each and name its cure."""

import json
from collections.abc import Callable
from dataclasses import dataclass

from emulator import CLIENT_ID
from person import Person
from tools import check

# Must be in every command of a cure.
STACK_REGION = "--region us-east-1"
NEW_SECRET = "secret_after_the_rotation"


@dataclass
class Fault:
    name: str
    plant: Callable
    heal: Callable
    # The step that must report it, a word of the cure, and the status.
    step: str
    cure: str
    status: str = "problem"


def plant_all(aws, report, return_page):
    outputs, resources = aws.stack()
    client = aws.client
    cloudwatch, kms, sqs = client("cloudwatch"), client("kms"), client("sqs")
    claims, installations = resources["ClaimsTable"], resources["InstallationsTable"]
    ledgers = resources["OnboardingTable"]
    key, secret, ring = resources["DataKey"], resources["ClientSecret"], resources["TokenKeyRing"]
    alarm, alarm_key = resources["SaveFailedAlarm"], resources["AlarmKey"]

    def put(value):
        client("secretsmanager").put_secret_value(SecretId=secret, SecretString=value)

    def good_secret():
        put(json.dumps({"client_secret": NEW_SECRET}))

    def old_secret():
        # Nobody can wait that long, so the answer is faked on the wire.
        aws.front.falsehoods["DescribeSecret"] = {"ARN": secret, "Name": secret, "LastChangedDate": 1_600_000_000}

    def no_expiry():
        # Switching it has a cool-down, at AWS and in the emulator, so the answer is faked on the wire.
        aws.front.falsehoods["DescribeTimeToLive"] = {"TimeToLiveDescription": {"TimeToLiveStatus": "DISABLED"}}

    def backups(table, enabled):
        specification = {"PointInTimeRecoveryEnabled": enabled}
        client("dynamodb").update_continuous_backups(TableName=table, PointInTimeRecoverySpecification=specification)

    def protection(table, enabled):
        client("dynamodb").update_table(TableName=table, DeletionProtectionEnabled=enabled)

    def enable_key():
        kms.enable_key(KeyId=key)

    def revive_key():
        kms.cancel_key_deletion(KeyId=key)
        enable_key()

    # The original, without the attributes that AWS adds.
    saved = cloudwatch.describe_alarms(AlarmNames=[alarm])["MetricAlarms"][0]
    settable = cloudwatch.meta.service_model.operation_model("PutMetricAlarm").input_shape.members
    saved = {name: value for name, value in saved.items() if name in settable}

    def put_alarm(properties):
        cloudwatch.put_metric_alarm(**properties)

    def notion_fault(fault):
        form = {"endpoint": "authorize", "fault": json.dumps(fault)}
        answer = Person().request(f"http://127.0.0.1:{aws.notion_port}/control/faults", form)
        check(answer.status < 400, str(answer))

    def notion_again():
        aws.start_notion(outputs["RedirectUri"], NEW_SECRET)

    def setting(function, name, value):
        variables = client("lambda").get_function_configuration(FunctionName=function)["Environment"]["Variables"]
        client("lambda").update_function_configuration(
            FunctionName=function, Environment={"Variables": variables | {name: value}}
        )

    def state(value):
        cloudwatch.set_alarm_state(AlarmName=alarm, StateValue=value, StateReason="the deploy test")

    def mapping(enabled):
        client("lambda").update_event_source_mapping(UUID=resources["PublishClaims"], Enabled=enabled)

    def clock(secs):
        aws.front.clock_off_secs = secs

    def secret_deletion(which, there):
        if there:
            client("secretsmanager").delete_secret(SecretId=which, RecoveryWindowInDays=7)
        else:
            client("secretsmanager").restore_secret(SecretId=which)

    install, callback = resources["InstallFunction"], resources["CallbackFunction"]
    stack_alarms = [name for id, name in resources.items() if id.endswith("Alarm")]
    check(len(stack_alarms) > 10, str(stack_alarms))
    faults = [
        Fault("a secret in another form", lambda: put("not json"), good_secret, "client secret", "rotate"),
        Fault(
            "another client's secret",
            lambda: put(json.dumps({"client_secret": "secret_x"})),
            good_secret,
            "notion",
            "rotate",
        ),
        Fault("an old client secret", old_secret, aws.front.falsehoods.clear, "client secret", "rotate", "warning"),
        Fault(
            "the client secret scheduled for deletion",
            lambda: secret_deletion(secret, True),
            lambda: secret_deletion(secret, False),
            "client secret",
            "restore-secret",
        ),
        Fault(
            "the key ring scheduled for deletion",
            lambda: secret_deletion(ring, True),
            lambda: secret_deletion(ring, False),
            "token key ring",
            "restore-secret",
        ),
        Fault(
            "a redirect URI that is not registered at Notion",
            lambda: aws.start_notion("https://example.com/callback", NEW_SECRET),
            notion_again,
            "redirect uri",
            outputs["RedirectUri"],
        ),
        Fault(
            "Notion's page down",
            lambda: notion_fault({"status": {"status": 503, "retry_after": None}}),
            notion_again,
            "redirect uri",
            "status page",
            "unknown",
        ),
        Fault(
            "Notion's page blocked",
            lambda: notion_fault({"html": 403}),
            notion_again,
            "redirect uri",
            "status page",
            "unknown",
        ),
        Fault("Notion unreachable", aws.stop_notion, notion_again, "notion", "status page", "unknown"),
        Fault(
            "an install function with a wrong setting",
            lambda: setting(install, "APP_COLOR", "reddish"),
            lambda: setting(install, "APP_COLOR", "#2f5d50"),
            "install url",
            "InstallFunction",
        ),
        Fault(
            "an install function of another connection",
            lambda: setting(install, "NOTION_CLIENT_ID", "another"),
            lambda: setting(install, "NOTION_CLIENT_ID", CLIENT_ID),
            "install url",
            "Changed by hand",
        ),
        Fault(
            "an install function with another redirect URI",
            lambda: setting(install, "NOTION_REDIRECT_URI", "https://example.com/callback"),
            lambda: setting(install, "NOTION_REDIRECT_URI", outputs["RedirectUri"]),
            "redirect uri",
            "Changed by hand",
        ),
        Fault(
            "a callback function with a wrong setting",
            lambda: setting(callback, "STATE_TTL_SECS", "soon"),
            lambda: setting(callback, "STATE_TTL_SECS", "600"),
            "callback",
            "CallbackFunction",
        ),
        Fault(
            "an app whose return page fails",
            lambda: return_page(500),
            lambda: return_page(400),
            "return destinations",
            "your app's log",
        ),
        Fault("this machine's clock ahead", lambda: clock(-90), lambda: clock(0), "clock", "clock"),
        Fault("the data key disabled", lambda: kms.disable_key(KeyId=key), enable_key, "data key", "enable-key"),
        Fault(
            "the data key scheduled for deletion",
            lambda: kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7),
            revive_key,
            "data key",
            "cancel-key-deletion",
        ),
        Fault(
            "the alarm key disabled",
            lambda: kms.disable_key(KeyId=alarm_key),
            lambda: kms.enable_key(KeyId=alarm_key),
            "alarm key",
            "enable-key",
        ),
        Fault(
            "the data key not rotated",
            lambda: kms.disable_key_rotation(KeyId=key),
            lambda: kms.enable_key_rotation(KeyId=key),
            "data key",
            "enable-key-rotation",
            "warning",
        ),
        Fault(
            "a table without deletion protection",
            lambda: protection(installations, False),
            lambda: protection(installations, True),
            "tables",
            "deletion-protection-enabled",
        ),
        Fault(
            "the table of onboardings without deletion protection",
            lambda: protection(ledgers, False),
            lambda: protection(ledgers, True),
            "tables",
            "deletion-protection-enabled",
        ),
        Fault("expiry off", no_expiry, aws.front.falsehoods.clear, "expiry of claims", claims),
        Fault(
            "backups off",
            lambda: backups(installations, False),
            lambda: backups(installations, True),
            "backups",
            "point-in-time-recovery",
        ),
        Fault(
            "backups of the onboardings off",
            lambda: backups(ledgers, False),
            lambda: backups(ledgers, True),
            "backups",
            "point-in-time-recovery",
        ),
        Fault(
            "an installation waiting for rescue",
            lambda: sqs.send_message(QueueUrl=resources["RescueQueue"], MessageBody="a rescued installation"),
            lambda: sqs.purge_queue(QueueUrl=resources["RescueQueue"]),
            "queues",
            "runbook",
            "warning",
        ),
        Fault(
            "a change that was given up",
            lambda: sqs.send_message(QueueUrl=resources["PublishDeadLetters"], MessageBody="a place in a stream"),
            lambda: sqs.purge_queue(QueueUrl=resources["PublishDeadLetters"]),
            "queues",
            "PublishDeadLetters",
            "warning",
        ),
        Fault(
            "a stream that nobody reads",
            lambda: mapping(False),
            lambda: mapping(True),
            "streams",
            "update-event-source-mapping",
        ),
        Fault("a firing alarm", lambda: state("ALARM"), lambda: state("OK"), "alarms", "runbook"),
        Fault(
            "an alarm deleted by hand",
            lambda: cloudwatch.delete_alarms(AlarmNames=[alarm]),
            lambda: put_alarm(saved),
            "alarms",
            "Changed by hand",
        ),
        Fault(
            "an alarm without an action",
            lambda: put_alarm(saved | {"AlarmActions": []}),
            lambda: put_alarm(saved),
            "alarms",
            "Changed by hand",
        ),
        Fault(
            "an alarm with disabled actions",
            lambda: cloudwatch.disable_alarm_actions(AlarmNames=[alarm]),
            lambda: cloudwatch.enable_alarm_actions(AlarmNames=[alarm]),
            "alarms",
            "enable-alarm-actions",
        ),
    ]

    # Nobody is told about alarms yet. The emulator confirms e-mail subscriptions immediately.
    found_before = by_step(report(aws))
    check(found_before["alarm topic"]["status"] == "warning", str(found_before["alarm topic"]))
    check("AlarmEmail" in found_before["alarm topic"]["cure"], str(found_before["alarm topic"]))
    client("sns").subscribe(TopicArn=resources["AlarmTopic"], Protocol="email", Endpoint="operator@example.com")

    check_all_ok(report(aws))
    plant(faults, lambda expect: by_step(report(aws, expect=expect)))
    check_all_ok(report(aws))

    # What keeps the doctor from checking anything.
    nobody = by_step(report(aws, expect=3, AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY=""))
    check("sign in" in nobody["credentials"]["cure"] and len(nobody) == 1, str(nobody))
    elsewhere = by_step(json.loads(aws.operator("--json", "doctor", stack="nowhere", expect=1).stdout))
    check("sam deploy" in elsewhere["stack"]["cure"], str(elsewhere))
    return f"{len(faults) + 3} faults, each found with its cure; all well before and after"


def plant(faults, doctor):
    """One at a time. `doctor` is given the status with which it ends, and says what it found."""
    for fault in faults:
        fault.plant()
        try:
            found = doctor({"problem": 1, "unknown": 3, "warning": 0}[fault.status])
        finally:
            fault.heal()
        said = found[fault.step]
        check(said["status"] == fault.status, f"{fault.name}: {said}")
        for_this_stack = not said["cure"].startswith(("aws ", "sam ", "cargo ")) or STACK_REGION in said["cure"]
        check(for_this_stack, f"{fault.name}: the cure is for another stack: {said}")
        check(fault.cure in said["cure"], f"{fault.name}: the cure does not say {fault.cure}: {said}")


def plant_those_of_onboarding(aws, doctor):
    """Those that only a stack with a recipe can have."""
    _, resources = aws.stack()
    eventbridge, functions = aws.client("events"), aws.client("lambda")
    # CloudFormation calls it BUS|RULE, the emulator only by its name.
    bus, rule = resources["EventBus"], resources["OnboardingRule"].rsplit("|", 1)[-1]
    targets = eventbridge.list_targets_by_rule(EventBusName=bus, Rule=rule)["Targets"]
    ids = [target["Id"] for target in targets]

    def mapping(name, enabled):
        functions.update_event_source_mapping(UUID=resources[name], Enabled=enabled)

    faults = [
        Fault(
            "a rule that is disabled",
            lambda: eventbridge.disable_rule(EventBusName=bus, Name=rule),
            lambda: eventbridge.enable_rule(EventBusName=bus, Name=rule),
            "onboarding",
            "enable-rule",
        ),
        Fault(
            "a rule without a target",
            lambda: eventbridge.remove_targets(EventBusName=bus, Rule=rule, Ids=ids),
            lambda: eventbridge.put_targets(EventBusName=bus, Rule=rule, Targets=targets),
            "onboarding",
            "Changed by hand",
        ),
        Fault(
            "a queue of onboardings that nobody works off",
            lambda: mapping("OnboardingSource", False),
            lambda: mapping("OnboardingSource", True),
            "onboarding",
            "update-event-source-mapping",
        ),
        Fault(
            "a stream of onboardings that nobody reads",
            lambda: mapping("PublishOnboarding", False),
            lambda: mapping("PublishOnboarding", True),
            "streams",
            "update-event-source-mapping",
        ),
    ]
    plant(faults, doctor)
    well = {step: said for step, said in doctor().items() if step in {fault.step for fault in faults}}
    check(all(said["status"] == "ok" for said in well.values()), f"after the faults: {well}")
    return len(faults)


def by_step(report):
    found = {}
    for step in report["steps"]:
        # If a step is reported twice, the worst status counts.
        if found.get(step["step"], {}).get("status") in (None, "ok"):
            found[step["step"]] = step
    return found


def check_all_ok(report):
    ill = [step for step in report["steps"] if step["status"] != "ok"]
    check(not ill, f"without a fault, the doctor finds {ill}")
