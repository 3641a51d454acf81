"""The loops that `vae-explorer bench` times do what they say; their speeds are for the command to tell."""

import sys

import numpy as np
import pytest
import torch

from vae_explorer.bench.own_loop import OwnLoop, _Clock
from vae_explorer.bench.plain_loop import PlainLoop, PlainVAE
from vae_explorer.bench.pythae_loop import PythaeLoop
from vae_explorer.bench.task import HIDDEN, LATENT_DIM, drawn_images, task_config
from vae_explorer.engine.hand_turned import Progress
from vae_explorer.errors import UsageError

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def data():
    return drawn_images(512)


def test_the_images_are_of_mnists_size_and_not_blank(data):
    assert data.shape == (1, 28, 28)
    assert (data.images.reshape(512, -1).max(1) > 200).all()
    assert len(np.unique(data.images.reshape(512, -1), axis=0)) == 512


def test_all_are_trained_on_so_that_nothing_is_evaluated(data):
    assert len(data.indices("train")) == 512
    assert data.held_out_name is None


def test_the_plain_model_is_as_large_as_ours(data):
    from vae_explorer.training.session import TrainingSession

    plain = sum(parameter.numel() for parameter in PlainVAE(784).parameters())
    assert TrainingSession.new(task_config("cpu"), data).n_parameters == plain
    assert plain == 784 * HIDDEN * 2 + HIDDEN + 784 + (HIDDEN + 1) * 2 * LATENT_DIM + LATENT_DIM * HIDDEN + HIDDEN


def test_the_plain_loop_learns(data):
    images = torch.tensor(data.images)
    loop = PlainLoop(images, CPU)
    x = images.flatten(1).float() / 255
    with torch.no_grad():
        before = float(loop._model(x))
    assert loop.steps_per_s(0.1) > 0
    with torch.no_grad():
        assert float(loop._model(x)) < 0.8 * before


def test_our_loop_counts_the_steps_after_its_warm_up(data):
    assert OwnLoop(data, "cpu", **{"model.hidden": [8]}).steps_per_s(0.05) > 0


def test_the_clock_leaves_out_the_warm_up_and_ends_after_the_seconds(monkeypatch):
    now = iter([0.0, 10.0, 11.0, 12.0])  # asked where a new step is told of
    monkeypatch.setattr("vae_explorer.bench.own_loop.time.perf_counter", lambda: next(now))
    clock = _Clock(2.0)
    for step in (50, 50, 100, 100, 150, 150):
        clock.on_progress(Progress(step, 1000))
        assert not clock.is_over()
    clock.on_progress(Progress(300, 1000))
    assert clock.is_over()
    assert clock.steps_per_s == 100.0


def test_a_peer_that_is_missing_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "pythae", None)
    with pytest.raises(UsageError, match="pip install pythae"):
        PythaeLoop(torch.zeros(1, 1, 28, 28, dtype=torch.uint8), CPU)
