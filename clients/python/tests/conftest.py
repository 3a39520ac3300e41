"""The dev stack for tests that need it: ``pytest --dev PATH_TO_DEV``."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from dev_stack import DevStack, Webhooks


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--dev", help="the dev stack's binary (cargo build --package dev)")


@pytest.fixture(scope="session")
def dev(request: pytest.FixtureRequest) -> str:
    path: str | None = request.config.getoption("--dev")
    if not path:
        stop = pytest.fail if os.environ.get("CI") else pytest.skip
        stop("needs the dev stack: pytest --dev PATH_TO_DEV")
    return os.path.abspath(path)


@pytest.fixture
def stack(dev: str) -> Iterator[DevStack]:
    started = DevStack(dev)
    yield started
    started.stop()


@pytest.fixture
def webhooks() -> Iterator[Webhooks]:
    receiver = Webhooks()
    yield receiver
    receiver.stop()


@pytest.fixture
def stack_with_webhook(dev: str, webhooks: Webhooks) -> Iterator[DevStack]:
    started = DevStack(dev, webhook_url=webhooks.url)
    yield started
    started.stop()
