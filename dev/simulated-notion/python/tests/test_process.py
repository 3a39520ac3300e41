from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from app import exchange

from simulated_notion import SimulatedNotion, StartError
from simulated_notion.program import program

PLANS = "91a25000-0000-4000-8000-000000000001"
SEED = f"""
[[connections]]
client_id = "seeded"
client_secret = "secret_seeded"
redirect_uris = ["http://localhost:3000/callback"]

[[people]]
name = "Lin"
email = "lin@example.org"

[[workspaces]]
name = "Lab"
people = ["lin@example.org"]
pages = [{{ id = "{PLANS}", title = "Plans" }}]
"""


def test_two_run_side_by_side_and_a_random_seed_repeats_a_run() -> None:
    codes = []
    for _ in range(2):
        with SimulatedNotion(random_seed=7) as one, SimulatedNotion(random_seed=7) as other:
            assert one.base_url != other.base_url
            codes += [notion.approve(f"{notion.authorize_url}&state=s") for notion in (one, other)]
    assert len(set(codes)) == 1


def test_a_connection_of_ones_own() -> None:
    with SimulatedNotion(
        client_id="mine", client_secret="secret_mine", redirect_uris=["http://localhost:1/a"]
    ) as notion:
        status, _ = exchange(notion, notion.approve(f"{notion.authorize_url}&state=s"))
    assert status == 200
    assert "secret_mine" not in repr(notion)


def test_a_seed_file(tmp_path: Path) -> None:
    seed = tmp_path / "seed.toml"
    seed.write_text(SEED)
    with SimulatedNotion(seed_file=seed, client_id="seeded", client_secret="secret_seeded") as notion:
        location = notion.approve(
            f"{notion.authorize_url}&state=s", person="lin@example.org", workspace=None, pages=[PLANS]
        )
        assert exchange(notion, location)[0] == 200


def test_what_the_program_says_is_in_the_error() -> None:
    with pytest.raises(StartError, match="--prot"):
        SimulatedNotion(arguments=["--prot", "1"])


def test_it_ends_with_the_block() -> None:
    with SimulatedNotion() as notion:
        process = notion._process
        assert process.poll() is None
    assert process.poll() == 0
    notion.stop()


def test_the_program_runs_as_a_module() -> None:
    by_module = subprocess.check_output([sys.executable, "-m", "simulated_notion", "--version"], text=True)
    assert by_module == subprocess.check_output([program(), "--version"], text=True)
    assert by_module.startswith("simulated-notion ")
