"""The stream of batches: whole permutations, constant size, a pure function of the step."""

import numpy as np
import pytest
import torch

from vae_explorer.config import TrainConfig
from vae_explorer.training.batches import Batches
from vae_explorer.training.schedule import is_evaluation_due, target_step


def stream(n=10, batch_size=4, seed=0):
    return Batches(np.arange(n) + 100, batch_size=batch_size, seed=seed, device=torch.device("cpu"))


@pytest.mark.parametrize("batch_size", [1, 3, 4, 10, 23])
def test_each_pass_holds_every_image_once_and_no_batch_is_short(batch_size):
    batches = stream(batch_size=batch_size)
    taken = [batches.at(step) for step in range(60)]
    assert {len(batch) for batch in taken} == {batch_size}
    order = torch.cat(taken)
    passes = [order[first : first + 10].tolist() for first in range(0, len(order) - 9, 10)]
    assert all(sorted(one) == list(range(100, 110)) for one in passes)
    assert len({tuple(one) for one in passes}) == len(passes) > 1


@pytest.mark.parametrize("batch_size", [4, 23])
def test_a_batch_is_a_function_of_seed_and_step_alone(batch_size):
    onwards = [stream(batch_size=batch_size).at(step) for step in range(8)]
    fresh = stream(batch_size=batch_size)
    for step in (7, 2, 5, 0):
        assert torch.equal(fresh.at(step), onwards[step])
    assert not torch.equal(stream(batch_size=batch_size, seed=1).at(0), onwards[0])


@pytest.mark.parametrize(
    ("train", "n", "expected"),
    [
        (TrainConfig(epochs=10, batch_size=128), 60_000, 4688),
        (TrainConfig(epochs=3, batch_size=4), 10, 8),
        (TrainConfig(epochs=1, batch_size=100), 10, 1),
        (TrainConfig(epochs=3, steps=7), 10, 7),
    ],
)
def test_a_run_is_as_long_as_its_epochs_or_steps(train, n, expected):
    assert target_step(train, n) == expected


def test_held_out_images_are_due_at_the_end_of_each_epoch():
    train = TrainConfig(batch_size=4)
    due = [step for step in range(1, 16) if is_evaluation_due(step, train, 10)]
    assert due == [3, 5, 8, 10, 13, 15]
    assert all(is_evaluation_due(step, TrainConfig(batch_size=25), 10) for step in range(1, 9))
    assert [s for s in range(1, 13) if is_evaluation_due(s, TrainConfig(evaluate_every=5), 10)] == [5, 10]
