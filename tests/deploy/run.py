"""The steps in order, and the table at the end."""

import os
import signal
import sys
import traceback

import built
import deployed
import least_privilege
import local
import template
from tools import Failed, NotRun, now

STEPS = [
    ("ruff, on this test and docs/backend.md", template.ruff),
    ("sam validate", template.sam_validate),
    ("sam validate --lint", template.sam_validate_lint),
    ("cfn-lint, translated", template.cfn_lint_translated),
    ("checkov, both forms", template.checkov),
    ("cfn-guard, both forms", template.cfn_guard),
    ("sam build", built.sam_build),
    ("package sizes", built.sizes),
    ("events through RIE", local.events_through_rie),
    ("base image", local.base_image),
    ("events in Docker", local.events_in_docker),
    ("documented lines in Docker", local.documented_lines_in_docker),
    ("sam deploy", deployed.deploy),
    ("guide to the first install", deployed.first_install),
    ("install in Chromium", deployed.browser_install),
    ("backend takes tokens", deployed.backend_takes_tokens),
    ("an app claims", deployed.an_app_claims),
    ("feed and bus", deployed.events_reach_the_app),
    ("webhook", deployed.webhook_waits),
    ("onboarding", deployed.workspaces_are_prepared),
    ("callers outside AWS", deployed.callers_outside_aws),
    ("one statement less", deployed.one_statement_less),
    ("secret rotated in flight", deployed.secret_rotated_in_flight),
    ("operator's permissions", deployed.operator_permissions),
    ("doctor finds faults", deployed.doctor_finds_faults),
    ("update keeps everything", deployed.update),
    ("production beside it", deployed.production_beside_it),
    ("custom domain", deployed.custom_domain),
    ("roll back", deployed.roll_back),
    ("sam delete", deployed.delete),
    ("least privilege", least_privilege.both_ways),
]


def run(first_step, last_step):
    # So that everything that was started is stopped, however this ends.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))
    names = [name for name, _ in STEPS]
    first = names.index(first_step) if first_step else 0
    last = names.index(last_step) if last_step else len(names) - 1
    rows = [("tools", "passed", float(os.environ.get("DEPLOY_TEST_TOOLS_SECS", "0")), "pinned, in target/tools")]
    failed = False
    try:
        for index, (name, step) in enumerate(STEPS):
            if index < first:
                rows.append((name, "NOT RUN", 0.0, "--from"))
                continue
            if index > last:
                rows.append((name, "NOT RUN", 0.0, "--until"))
                continue
            if failed:
                rows.append((name, "NOT RUN", 0.0, "a step before it failed"))
                continue
            print(f"--- {name}", flush=True)
            began = now()
            try:
                rows.append((name, "passed", None, step()))
            except NotRun as reason:
                rows.append((name, "NOT RUN", None, str(reason)))
            except Failed as failure:
                print(f"FAILED: {failure}", flush=True)
                rows.append((name, "FAILED", None, str(failure).splitlines()[0][:80]))
                failed = True
            except Exception as error:
                traceback.print_exc()
                rows.append((name, "FAILED", None, f"{type(error).__name__}: {error}"[:80]))
                failed = True
            rows[-1] = (*rows[-1][:2], now() - began, rows[-1][3])
    finally:
        deployed.stop_everything()
    print()
    for name, status, secs, said in rows:
        print(f"{name:<28} {status:<8} {secs:6.1f} s  {said}")
    passed = sum(status == "passed" for _, status, _, _ in rows)
    not_run = sum(status == "NOT RUN" for _, status, _, _ in rows)
    total = sum(secs for _, _, secs, _ in rows)
    print(f"\ndeploy test: {passed} passed, {len(rows) - passed - not_run} failed, {not_run} not run, in {total:.0f} s")
    # A step that this machine cannot run has said so. In CI it has failed.
    return 1 if failed else 0
