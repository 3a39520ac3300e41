"""Both ways: every call is granted, and every grant is used.

The calls are those of the whole suite (the dev stack writes them to GRANTS_FILE), with the function that made them and
the setting that names the resource. Calls that AWS makes in a function's name are in `on_behalf.json`; those of event
source mappings must be on what the template's mappings name. The policies are those of the translated template, checked
by an IAM evaluator that is not ours. They are those of a stack that has everything: what only some stacks have counts
as if it were there.
"""

import copy
import fnmatch
import json
import os
import pathlib
import re

from ministack.core.iam_evaluator import EvalContext, evaluate, parse_policy_document

import template
from tools import WORK, check, environment, run

ON_BEHALF = pathlib.Path(__file__).resolve().parent / "on_behalf.json"
ACCOUNT = "123456789012"
# Where permissions could be, other than in a role.
OTHER_GRANTS = (
    "AWS::IAM::ManagedPolicy",
    "AWS::IAM::Policy",
    "AWS::IAM::RolePolicy",
    "AWS::SecretsManager::ResourcePolicy",
)
# Calls that AWS makes in a function's name. The suite must make all others itself.
BY_AWS = ("kms:", "logs:", "xray:")
# An event source mapping reads its source with the role of its function, and sends there what it gives up on.
BY_MAPPINGS = {
    "publish": {
        "dynamodb:DescribeStream",
        "dynamodb:GetRecords",
        "dynamodb:GetShardIterator",
        "dynamodb:ListStreams",
        "sqs:SendMessage",
    },
    "webhook": {"sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"},
    "onboard": {"sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"},
}
# The suite does not record the keys of rows. tests/it checks that those of a function with such a condition are like
# this one.
KEYS = {("webhook", "EventsTable"): {"dynamodb:LeadingKeys": "webhook/0123456789abcdef"}}


def both_ways():
    resources = template.translated()["Resources"]
    functions = {
        name: Function(name, resource, resources)
        for name, resource in resources.items()
        if resource["Type"] == "AWS::Lambda::Function"
    }
    elsewhere = [name for name, resource in resources.items() if resource["Type"] in OTHER_GRANTS]
    check(not elsewhere, f"grants must be in the functions' roles, where this test sees them, not in {elsewhere}")
    roles = {name for name, resource in resources.items() if resource["Type"] == "AWS::IAM::Role"}
    # That of callers outside AWS: "callers outside AWS" tries it.
    roles.discard("CallerRole")
    check(roles == {function.role for function in functions.values()}, f"these roles belong to no function: {roles}")
    needs = recorded(functions) + on_behalf(functions, mapped(resources))

    ungranted, unused = audit(functions, needs)
    check(not ungranted, f"called, but not granted: {ungranted}")
    check(not unused, f"granted, but never called: {unused}")
    grants = sum(len(function.grants()) for function in functions.values())
    caught = prove_that_it_can_fail(functions, needs)
    distinct = {(need["function"], need["action"], need["resource"]) for need in needs}
    return f"{len(distinct)} needs, 0 not granted; {grants} grants, 0 not used; {caught} policy changes caught"


class Function:
    """A function of the translated template, its settings, and what its role grants."""

    def __init__(self, name, resource, resources):
        self.name = name.removesuffix("Function").lower()
        self.settings = resource["Properties"]["Environment"]["Variables"]
        self.role = resource["Properties"]["Role"]["Fn::GetAtt"][0]
        role = resources[self.role]["Properties"]
        check("ManagedPolicyArns" not in role, f"{self.role} has managed policies")
        self.statements = [
            if_there(statement) for policy in role["Policies"] for statement in policy["PolicyDocument"]["Statement"]
        ]
        for statement in self.statements:
            statement["Resource"] = [if_there(resource) for resource in as_list(statement["Resource"])]

    def resource_of(self, named):
        """The logical id of the resource that a setting names, or of one of its indexes (`TABLE/index/due`)."""
        setting, slash, index = named.partition("/index/")
        value = if_there(self.settings.get(setting))
        return logical_id(value) + slash + index if value else named

    def policy(self):
        """The policy with ARNs instead of references, as in IAM."""
        return parse_policy_document({"Version": "2012-10-17", "Statement": [resolved(s) for s in self.statements]})

    def grants(self):
        """Every (Sid, action, resource, value of a condition): the smallest unit that can be granted."""
        found = []
        for statement in self.statements:
            for action in as_list(statement["Action"]):
                for resource in as_list(statement["Resource"]):
                    for condition in single_conditions(statement.get("Condition")):
                        found.append((statement["Sid"], action, logical_id(resource), condition))
        return found


def if_there(value):
    """What only some stacks have, without its condition. All others must have nothing instead of it."""
    if isinstance(value, dict) and "Fn::If" in value:
        condition, there, otherwise = value["Fn::If"]
        check(otherwise == {"Ref": "AWS::NoValue"}, f"without {condition} there is something else: {value}")
        return there
    return value


def as_list(value):
    return value if isinstance(value, list) else [value]


def logical_id(value):
    """The target of a reference, or the string itself."""
    if isinstance(value, str):
        return value
    if "Ref" in value:
        return value["Ref"]
    # A stream is a resource of its own, and so is an index.
    if "Fn::GetAtt" in value:
        logical, attribute = value["Fn::GetAtt"]
        return f"{logical}/stream" if attribute == "StreamArn" else logical
    part = re.fullmatch(r"\$\{(\w+)\.Arn\}(/index/\w+|/stream/\*)", value.get("Fn::Sub", ""))
    return "".join(part.groups()) if part else json.dumps(value)


def arn(logical):
    return "*" if logical == "*" else f"arn:aws:any:us-east-1:{ACCOUNT}:{logical}"


def substituted(value):
    """The result of `Fn::Sub` in us-east-1."""
    if isinstance(value, dict) and "Fn::Sub" in value:
        text = value["Fn::Sub"].replace("${AWS::Region}", "us-east-1").replace("${AWS::URLSuffix}", "amazonaws.com")
        check("${" not in text, f"cannot resolve {text}")
        return text
    return value


def resolved(statement):
    statement = copy.deepcopy(statement)
    statement["Action"] = as_list(statement["Action"])
    statement["Resource"] = [arn(logical_id(resource)) for resource in as_list(statement["Resource"])]
    for keys in (statement.get("Condition") or {}).values():
        for key, values in keys.items():
            keys[key] = [substituted(value) for value in as_list(values)]
    return statement


def single_conditions(condition):
    """A condition with several values grants the same as several conditions with one value each."""
    if not condition:
        return [None]
    pairs = [
        (key, substituted(value))
        for keys in condition.values()
        for key, values in keys.items()
        for value in as_list(values)
    ]
    check(len({key for key, _ in pairs}) == 1, f"only conditions on one key are supported: {condition}")
    return [dict([pair]) for pair in pairs]


def recorded(functions):
    """The calls of the suite: from GRANTS_FILE, if the suite was run with it. Otherwise runs the suite."""
    given = os.environ.get("GRANTS_FILE")
    file = pathlib.Path(given or WORK / "grants.jsonl")
    if not given:
        file.unlink(missing_ok=True)
        run(["cargo", "test", "--workspace"], env=environment(GRANTS_FILE=str(file)))
    check(file.exists(), f"{file} does not exist: run the suite with GRANTS_FILE={file}")
    lines = {line for line in file.read_text().splitlines() if line}
    by_name = {function.name: function for function in functions.values()}
    needs = []
    for line in sorted(lines):
        need = json.loads(line)
        check(need["function"] in by_name, f"called by an unknown function: {need}")
        need["resource"] = by_name[need["function"]].resource_of(need["resource"])
        keys = KEYS.get((need["function"], need["resource"]))
        needs.append(need | {"context": keys} if keys else need)
    check(len(needs) > 5, f"the suite made only {len(needs)} different calls: some must be missing")
    return needs


def mapped(resources):
    """The (function, resource) of every event source mapping: its source, and where it sends what it gives up on."""
    found = set()
    for resource in resources.values():
        if resource["Type"] == "AWS::Lambda::EventSourceMapping":
            properties = resource["Properties"]
            name = logical_id(properties["FunctionName"]).removesuffix("Function").lower()
            given_up = properties.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
            named = [properties["EventSourceArn"], *([given_up] if given_up else [])]
            found |= {(name, logical_id(value)) for value in named}
    return found


def on_behalf(functions, mapped):
    rows = json.loads(ON_BEHALF.read_text())
    names = {function.name for function in functions.values()}
    by_mappings = set()
    for row in rows:
        check(row["function"] in names and len(row["because"]) > 20, f"on_behalf.json: {row}")
        if row["action"] in BY_MAPPINGS.get(row["function"], ()):
            by_mappings.add((row["function"], row["resource"].removesuffix("/*")))
        else:
            check(row["action"].startswith(BY_AWS), f"on_behalf.json: the suite makes this call itself: {row}")
    check(by_mappings == mapped, f"the mappings name {sorted(mapped)}, on_behalf.json has {sorted(by_mappings)}")
    return rows


def audit(functions, needs):
    """The needs that are not granted, and the grants that are not needed."""
    ungranted, unused = [], []
    for function in functions.values():
        policy = [function.policy()]
        mine = [need for need in needs if need["function"] == function.name]
        for need in mine:
            if evaluate(context(function, need), policy).decision != "Allow":
                ungranted.append(f"{function.name}: {need['action']} on {need['resource']}")
        for sid, action, resource, condition in function.grants():
            used = any(
                need["action"] == action and need["resource"] == resource and covers(condition, need.get("context"))
                for need in mine
            )
            if not used:
                unused.append(f"{function.name}: {sid}: {action} on {resource} {condition or ''}".strip())
    return ungranted, unused


def covers(condition, context):
    """Whether a grant with this condition is for a call in this context. One without a condition is wider than that."""
    if not condition or not context:
        return not condition and not context
    return all(key in context and fnmatch.fnmatchcase(context[key], value) for key, value in condition.items())


def context(function, need):
    role = f"arn:aws:sts::{ACCOUNT}:assumed-role/{function.role}/{function.name}"
    return EvalContext(
        principal_arn=role,
        principal_type="AssumedRole",
        principal_account=ACCOUNT,
        action=need["action"],
        resource_arn=arn(need["resource"]),
        region="us-east-1",
        service_context={key.lower(): value for key, value in need.get("context", {}).items()},
    )


def prove_that_it_can_fail(functions, needs):
    """Removes every statement and every action, and adds a grant of each kind. Each change must be found."""
    caught = 0
    for name, function in functions.items():
        for index, statement in enumerate(function.statements):
            without = function.statements[:index] + function.statements[index + 1 :]
            caught += expect(functions, name, without, needs, "ungranted", f"{statement['Sid']} removed")
            actions = as_list(statement["Action"])
            for action in actions if len(actions) > 1 else []:
                less = copy.deepcopy(function.statements)
                less[index]["Action"] = [other for other in actions if other != action]
                caught += expect(functions, name, less, needs, "ungranted", f"{statement['Sid']} without {action}")
            conditions = [condition for condition in single_conditions(statement.get("Condition")) if condition]
            # A single one is the unchanged statement.
            only = conditions if len(conditions) > 1 else []
            for condition in [*only, *(dict.fromkeys(condition, "another") for condition in conditions[:1])]:
                less = copy.deepcopy(function.statements)
                (operator,) = statement["Condition"]
                less[index]["Condition"] = {operator: condition}
                caught += expect(functions, name, less, needs, "ungranted", f"{statement['Sid']} only for {condition}")
            for operator in statement.get("Condition") or {}:
                unlimited = copy.deepcopy(function.statements)
                del unlimited[index]["Condition"][operator]
                caught += expect(functions, name, unlimited, needs, "unused", f"{statement['Sid']} unconditionally")
            wider = copy.deepcopy(function.statements)
            wider[index]["Action"] = [*actions, "dynamodb:Scan"]
            caught += expect(functions, name, wider, needs, "unused", f"{statement['Sid']} with dynamodb:Scan")
            resources = as_list(statement["Resource"])
            for resource in resources if len(resources) > 1 else []:
                less = copy.deepcopy(function.statements)
                less[index]["Resource"] = [other for other in resources if other != resource]
                on = logical_id(resource)
                caught += expect(functions, name, less, needs, "ungranted", f"{statement['Sid']} without {on}")
            elsewhere = copy.deepcopy(function.statements)
            elsewhere[index]["Resource"] = [*resources, {"Fn::GetAtt": ["AnotherTable", "Arn"]}]
            caught += expect(functions, name, elsewhere, needs, "unused", f"{statement['Sid']} on another resource")
        added = {
            "Sid": "Added",
            "Effect": "Allow",
            "Action": "dynamodb:Scan",
            "Resource": {"Fn::GetAtt": ["ClaimsTable", "Arn"]},
        }
        caught += expect(functions, name, [*function.statements, added], needs, "unused", "an additional statement")
    return caught


def expect(functions, name, statements, needs, what, change):
    changed = copy.copy(functions[name])
    changed.statements = statements
    ungranted, unused = audit({**functions, name: changed}, needs)
    found = ungranted if what == "ungranted" else unused
    check(found, f"{name}: {change} was not noticed")
    return 1
