"""Several processes train one run: started by torchrun, stopped, failing, and started again."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from tests.end_to_end.conftest import Cli

TRAIN = ("train", "--dataset", "digits", "--set", "model.hidden=[32]", "--device", "cpu", "--seed", "5")
BINARISED = (*TRAIN, "--set", "data.binarize=dynamic", "--steps", "50")
Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("place")


@pytest.fixture
def start(own_environment: dict[str, str], place: Path) -> Start:
    """Start a Python module with arguments and variables of its own."""

    def start(*arguments: object, **variables: object) -> subprocess.Popen[str]:
        words = [sys.executable, "-m", *(str(argument) for argument in arguments)]
        environment = own_environment | {name: str(value) for name, value in variables.items()}
        return subprocess.Popen(
            words, cwd=place, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    return start


def start_pair(start: Start, *commands: tuple[object, ...]) -> list[subprocess.Popen[str]]:
    """Start a process for each command, as torchrun would on one machine."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    size = len(commands)
    common = {"WORLD_SIZE": size, "LOCAL_WORLD_SIZE": size, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    return [
        start("vae_explorer", *command, RANK=rank, LOCAL_RANK=rank, **common) for rank, command in enumerate(commands)
    ]


def weights(run: Path, step: int) -> dict[str, np.ndarray]:
    return load_file(run / "checkpoints" / f"step-{step:09d}.safetensors")


def largest_difference(first: Path, second: Path, step: int) -> float:
    """The largest difference of two runs' weights; everything that is drawn must be the same."""
    one, other = weights(first, step), weights(second, step)
    assert one.keys() == other.keys()
    np.testing.assert_array_equal(one["generator"], other["generator"])
    return max(float(np.abs(one[name] - other[name]).max()) for name in one if name.startswith("model."))


def newest_step(run: Path) -> int:
    return max((int(path.stem[5:]) for path in (run / "checkpoints").glob("step-*.safetensors")), default=0)


def wait_for(condition: Callable[[], bool], *processes: subprocess.Popen[str], within_s: float = 90.0) -> None:
    end_s = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < end_s, "waited in vain"
        for process in processes:
            assert process.poll() is None, process.communicate()
        time.sleep(0.05)


@pytest.fixture(scope="module")
def alone(cli: Cli, place: Path) -> Path:
    """A run of 50 steps by one process with the batch of two."""
    cli(*BINARISED, "--set", "train.batch_size=64", "--out", "alone", cwd=place)
    return place / "alone"


def test_two_processes_are_one_with_twice_the_batch_which_can_go_on(
    cli: Cli, start: Start, place: Path, alone: Path
) -> None:
    torchrun = start(
        "torch.distributed.run", "--standalone", "--nproc-per-node", 2, "-m", "vae_explorer", *BINARISED,
        "--set", "train.batch_size=32", "--out", "pair", "--json",
    )  # fmt: skip
    stdout, stderr = torchrun.communicate(timeout=120)
    assert torchrun.returncode == 0, stderr
    summary = json.loads(stdout)
    assert (summary["step"], summary["state"]) == (50, "finished")
    assert stderr.count("pair: step 50") == 1
    assert largest_difference(alone, place / "pair", 50) < 1e-5
    for name in ("alone", "pair"):
        cli("train", "--resume", name, "--steps", "60", cwd=place)
    assert largest_difference(alone, place / "pair", 60) < 1e-5


def test_one_process_under_torchrun_is_one_without_and_is_not_trained_twice(
    cli: Cli, place: Path, alone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    variables = {"RANK": 0, "WORLD_SIZE": 1, "LOCAL_RANK": 0, "LOCAL_WORLD_SIZE": 1, "TORCHELASTIC_RUN_ID": "none"}
    for name, value in variables.items():
        monkeypatch.setenv(name, str(value))
    command = (*BINARISED, "--set", "train.batch_size=64", "--out", "single")
    cli(*command, cwd=place)
    one, other = weights(alone, 50), weights(place / "single", 50)
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)
    assert "begun by this command; going on from step 50" in cli(*command, cwd=place).stderr
    assert newest_step(place / "single") == 50
    faster = cli(*command, "--set", "train.learning_rate=0.01", cwd=place, code=2)
    assert "exists already" in faster.stderr


def test_told_to_stop_all_stop_at_the_same_step_and_the_first_saves(start: Start, place: Path) -> None:
    command = (*TRAIN, "--steps", "1000000", "--set", "train.log_every=100", "--out", "stopped")
    first, second = start_pair(start, command, command)
    log = place / "stopped" / "metrics.jsonl"
    wait_for(lambda: log.exists() and b'"step":100,' in log.read_bytes(), first, second)
    second.send_signal(signal.SIGTERM)
    assert second.communicate(timeout=60) == ("", "")
    assert first.communicate(timeout=60)[1].endswith("vae-explorer train --resume stopped\n")
    assert (first.returncode, second.returncode) == (130, 130)
    assert newest_step(place / "stopped") >= 100


def test_a_process_that_fails_ends_all_and_the_first_says_why(start: Start, place: Path) -> None:
    missing = ("train", "--dataset", "missing/", "--device", "cpu", "--out", "failed")
    first, second = start_pair(start, (*TRAIN, "--out", "failed"), missing)
    told = first.communicate(timeout=60)[1]
    assert told.startswith("vae-explorer: Process 1 of 2 failed: ")
    assert "missing: cannot be read" in told
    assert told.count("\n") == 1
    assert second.communicate(timeout=60) == ("", "")
    assert (first.returncode, second.returncode) == (3, 3)


@pytest.mark.slow
def test_after_a_process_was_killed_torchrun_goes_on_from_the_last_checkpoint(
    cli: Cli, start: Start, place: Path
) -> None:
    command = (*BINARISED[:-1], "1000000", "--set", "train.checkpoint_every_s=1")
    torchrun = start(
        "torch.distributed.run", "--standalone", "--nproc-per-node", 2, "--max-restarts", 1, "-m", "vae_explorer",
        *command, "--set", "train.batch_size=32", "--out", "killed",
    )  # fmt: skip
    killed = place / "killed"
    wait_for(lambda: newest_step(killed) > 0, torchrun)
    processes = Path(f"/proc/{torchrun.pid}/task/{torchrun.pid}/children").read_text().split()
    os.kill(int(processes[-1]), signal.SIGKILL)
    last = newest_step(killed)
    wait_for(lambda: newest_step(killed) > last, torchrun)
    torchrun.send_signal(signal.SIGTERM)
    stderr = torchrun.communicate(timeout=60)[1]
    assert "Another process of this training has ended or does not answer" in stderr
    assert "killed was begun by this command; going on from step" in stderr
    assert "interrupted and saved" in stderr
    end = newest_step(killed)
    unharmed = (*BINARISED[:-1], end, "--set", "train.batch_size=64", "--out", "unharmed")
    cli(*unharmed, cwd=place)
    assert largest_difference(killed, place / "unharmed", end) < 0.05
