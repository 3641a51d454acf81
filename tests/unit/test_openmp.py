"""OpenMP's threads sleep soon, unless the person has chosen otherwise."""

import os

import pytest

from vae_explorer import cli
from vae_explorer.openmp import SPINS, sleep_soon


@pytest.fixture(autouse=True)
def no_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY"):
        monkeypatch.setenv(name, "")  # noted, so that it is put back afterwards
        monkeypatch.delenv(name)


def test_a_command_has_the_threads_of_torch_sleep_soon(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["datasets"]) == 0
    assert os.environ["GOMP_SPINCOUNT"] == str(SPINS)


@pytest.mark.parametrize(("name", "value"), [("GOMP_SPINCOUNT", "7"), ("OMP_WAIT_POLICY", "active")])
def test_what_was_chosen_stays(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    sleep_soon()
    assert os.environ[name] == value
    assert os.environ.get("GOMP_SPINCOUNT") == ("7" if name == "GOMP_SPINCOUNT" else None)
