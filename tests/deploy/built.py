"""The packages that `sam build` makes."""

import zipfile

from tools import ROOT, WORK, check, run

BUILD = ROOT / ".aws-sam" / "build"
# Zipped, in MiB: a larger package starts more slowly. A function without a limit fails.
BARS = {
    "InstallFunction": 1.3,
    "CallbackFunction": 3.2,
    "ClaimFunction": 3.2,
    "InstallationsFunction": 3.2,
    "TokenFunction": 3.2,
    "UninstallFunction": 3.2,
    "SweepFunction": 3.2,
    "PublishFunction": 3.2,
    "FeedFunction": 3.2,
    "WebhookFunction": 3.2,
    "OnboardFunction": 3.2,
}


def sam_build():
    run(["sam", "build"])
    return "bootstrap of " + ", ".join(function for function in functions())


def functions():
    found = sorted(folder.parent.name for folder in BUILD.glob("*/bootstrap"))
    check(set(found) == set(BARS), f"built: {found}, with limits: {sorted(BARS)}")
    return found


def sizes():
    said = []
    for function in functions():
        archive = WORK / f"{function}.zip"
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as file:
            file.write(BUILD / function / "bootstrap", "bootstrap")
        mib = archive.stat().st_size / 2**20
        check(mib <= BARS[function], f"{function}: {mib:.2f} MiB zipped, limit {BARS[function]} MiB")
        said.append(f"{function} {mib:.2f} of {BARS[function]} MiB")
    return ", ".join(said)
