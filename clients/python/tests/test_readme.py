"""What the README says is so. Its ten lines are run by from_an_empty_folder.py."""

from __future__ import annotations

import ast
import inspect
import pathlib
import re

import pytest
from dev_stack import block

import notion_install as ni

README = pathlib.Path(__file__).parents[1] / "README.md"
TEXT = README.read_text(encoding="utf-8")


def test_every_error_and_its_fields_are_listed() -> None:
    listed = {
        name: set(re.findall(r"`(\w+)`", fields))
        for name, fields in re.findall(r"^\| `(\w+)` \| ([^|]*)\|", TEXT.split("## Errors")[1], re.MULTILINE)
    }
    errors = {
        error.__name__: set(inspect.signature(error.__init__).parameters) - {"self", "args", "kwargs"}
        for error in vars(ni).values()
        if inspect.isclass(error) and issubclass(error, ni.NotionInstallError) and error is not ni.NotionInstallError
    }
    assert listed == errors


@pytest.mark.parametrize(
    ("client", "only_here"), [(ni.NotionInstall, {"for_asyncio"}), (ni.AsyncNotionInstall, set[str]())]
)
def test_every_method_and_its_parameters_are_listed(client: type, only_here: set[str]) -> None:
    table = TEXT.split("## API")[1].split("A `person` is")[0]
    methods = {name: method for name, method in vars(client).items() if not name.startswith("_")}
    assert methods.keys() == set(re.findall(r"^\| `(\w+)\(", table, re.MULTILINE)) - {"for_asyncio"} | only_here
    for name, method in methods.items():
        parameters = set(inspect.signature(method).parameters) - {"self"}
        documented = " ".join(re.findall(rf"`{name}\(([^)]*)\)`", table))
        assert parameters == set(re.findall(r"[a-z_]+", documented)), name


def test_the_blocks_are_python() -> None:
    blocks = re.findall(r"^```python[^\n]*\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)
    assert len(blocks) == 7
    for code in blocks:
        compile(code, README.name, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


def test_the_fake_stack_works() -> None:
    named: dict[str, ni.NotionInstall] = {}
    exec(block(README, "fake-stack"), named)
    assert named["stack"].token("anna").access_token.get_secret_value() == "ntn_test"
