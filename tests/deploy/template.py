"""Static checks: four linters on two forms of the template, and one on Python."""

import json
import pathlib

from tools import ROOT, WORK, Failed, check, guard_program, run, venv_program

TEMPLATE = ROOT / "template.yaml"
TRANSLATED = WORK / "translated.json"
RULES = pathlib.Path(__file__).resolve().parent / "rules.guard"


def translated():
    """The template as CloudFormation sees it after the SAM transform."""
    from samtranslator.translator.transform import transform
    from samtranslator.yaml_helper import yaml_parse

    class NoManagedPolicies:
        def load(self):
            return {}

    template = yaml_parse(TEMPLATE.read_text())
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = "s3://bucket/key"
    result = transform(template, {}, NoManagedPolicies())
    WORK.mkdir(parents=True, exist_ok=True)
    TRANSLATED.write_text(json.dumps(result, indent=1, default=str))
    return json.loads(TRANSLATED.read_text())


def ruff():
    program = venv_program("ruff", "ruff")
    run([program, "check", RULES.parent])
    run([program, "format", "--check", "--diff", RULES.parent])
    # People run the document's Python on the version that they have.
    _, python = (ROOT / "docs" / "backend.md").read_text().split("```python\n")
    as_documented = ["--config", RULES.parent / "ruff.toml", "--target-version", "py39"]
    for command in (["check"], ["format", "--check", "--diff"]):
        run([program, *command, *as_documented, "-"], stdin=python.split("```")[0])
    return "0 findings, formatted"


def sam_validate():
    run(["sam", "validate"])
    run(["sam", "validate", "--config-env", "prod"])
    return "template.yaml is a valid SAM template"


def sam_validate_lint():
    run(["sam", "validate", "--lint"])
    run([venv_program("sam", "cfn-lint"), TEMPLATE])
    return "cfn-lint: 0 findings"


def cfn_lint_translated():
    resources = translated()["Resources"]
    run([venv_program("sam", "cfn-lint"), TRANSLATED])
    return f"cfn-lint: 0 findings on {len(resources)} resources"


def checkov():
    """All checks except those that `.checkov.yaml` skips, each of which would really fail."""
    program = [
        venv_program("checkov", "checkov"),
        "--config-file",
        ROOT / ".checkov.yaml",
        "--compact",
        "--output",
        "json",
    ]
    said = []
    for form in (TEMPLATE, TRANSLATED):
        report = json.loads(run([*program, "--file", form], cwd=form.parent).stdout)
        summary = report["summary"]
        check(summary["failed"] == 0 and summary["parsing_errors"] == 0, json.dumps(report["results"], indent=1)[:4000])
        check(summary["passed"] > 40, f"only {summary['passed']} checks ran")
        said.append(f"{summary['passed']} passed")
    skips = skipped_checks()
    bare = [
        venv_program("checkov", "checkov"),
        "--framework",
        "cloudformation",
        "--skip-download",
        "--compact",
        "--output",
        "json",
    ]
    # Outside of the folder of `.checkov.yaml`, which checkov finds by itself.
    report = json.loads(run([*bare, "--file", TRANSLATED], expect=1, cwd=WORK).stdout)
    needed = {result["check_id"] for result in report["results"]["failed_checks"]}
    check(needed == skips, f".checkov.yaml skips {sorted(skips)}, needed: {sorted(needed)}")
    return f"{' and '.join(said)}, 0 failed, {len(skips)} skipped with reasons"


def skipped_checks():
    """The ids in `.checkov.yaml`, each of which has its reason on the lines before it."""
    skips, reason = set(), ""
    for line in (ROOT / ".checkov.yaml").read_text().splitlines():
        if line.strip().startswith("#"):
            reason += line.strip()[1:]
        elif line.strip().startswith("- CKV"):
            check(len(reason) > 40, f"{line.strip()} has no reason")
            skips.add(line.strip()[2:])
            reason = ""
        else:
            reason = ""
    return skips


def cfn_guard():
    """Our own rules hold, and each can fail: a template that breaks it is rejected."""
    for form in (TEMPLATE, TRANSLATED):
        run([guard_program(), "validate", "--rules", RULES, "--data", form, "--show-summary", "fail"])
    run([guard_program(), "test", "--rules-file", RULES, "--test-data", RULES.with_name("rules-test.yaml")])
    rules = [line for line in RULES.read_text().splitlines() if line.startswith("rule ")]
    tested = (RULES.with_name("rules-test.yaml")).read_text()
    for rule in rules:
        name = rule.split()[1]
        if f"{name}: FAIL" not in tested or f"{name}: PASS" not in tested:
            raise Failed(f"{name} lacks a test for failing or a test for passing")
    return f"{len(rules)} rules on both forms"
