"""Where the program is that this package brings."""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
from pathlib import Path

VARIABLE = "SIMULATED_NOTION_PROGRAM"
"""Names another build of the program."""


def program() -> str:
    """The path of the program: named by a variable, installed with this package, or found on the path.

    Raises ``FileNotFoundError`` if there is none.
    """
    named = os.environ.get(VARIABLE)
    if named:
        return named
    name = "simulated-notion" + (".exe" if sys.platform == "win32" else "")
    for folder in _folders():
        candidate = folder / name
        if candidate.is_file():
            return str(candidate)
    found = shutil.which(name)
    if found:
        return found
    raise FileNotFoundError(f"{name} is not installed beside this package, not on the path, not in ${VARIABLE}")


def _folders() -> list[Path]:
    """Where pip puts programs: of this environment, of the user, of ``--target`` and ``--prefix``."""
    package = Path(__file__).resolve().parent
    schemes = [sysconfig.get_path("scripts")]
    user_scheme = sysconfig.get_preferred_scheme("user")
    schemes.append(sysconfig.get_path("scripts", scheme=user_scheme))
    beside = [package.parent / "bin"]
    if len(package.parents) > 3:
        beside.append(package.parents[3] / "bin")  # lib/python3.x/site-packages/simulated_notion
    return [Path(scheme) for scheme in schemes if scheme] + beside
