"""Batches with labels: how many of which sort, what they hold over time, and what they depend on."""

import numpy as np
import pytest
import torch

from vae_explorer.training.batches import Batches
from vae_explorer.training.labelled_batches import LabelledBatches


def batches(data, config, **values):
    keys = {"model.kind": "m2", "train.batch_size": 16, "train.labelled_batch": 6, "data.labels_per_class": 1}
    config = config.with_values(keys | {name.replace("__", "."): value for name, value in values.items()})
    return LabelledBatches(config, data, data.indices("train"), device=torch.device("cpu"))


def test_labelled_images_come_first_in_their_number_with_their_labels(digits_data, tiny_config):
    stream = batches(digits_data, tiny_config)
    for step in range(20):
        taken, labels = stream.at(step).numpy(), stream.labels_at(step).numpy()
        assert len(taken) == 16
        assert len(labels) == 6
        assert np.array_equal(digits_data.labels[taken[:6]], labels)
        assert np.isin(taken, stream.labelled).tolist() == [True] * 6 + [False] * 10
        assert np.isin(taken, digits_data.splits.train).all()


def test_each_sort_is_a_stream_of_whole_permutations(digits_data, tiny_config):
    stream = batches(digits_data, tiny_config)
    first = np.concatenate([stream.at(step).numpy()[:6] for step in range(10)])
    assert all(sorted(part) == stream.labelled.tolist() for part in first.reshape(6, 10))
    others = np.setdiff1d(digits_data.splits.train, stream.labelled)
    rest = np.concatenate([stream.at(step).numpy()[6:] for step in range(-(-len(others) // 10))])[: len(others)]
    assert sorted(rest) == others.tolist()


@pytest.mark.parametrize("kind", ["m2", "m1m2"])
def test_a_batch_is_a_function_of_seed_and_step_alone(digits_data, tiny_config, kind):
    values = {"model__kind": kind, "train__pretrain_steps": 3}
    onwards = [(batches(digits_data, tiny_config, **values), step) for step in range(6)]
    fresh = batches(digits_data, tiny_config, **values)
    for stream, step in reversed(onwards):
        assert torch.equal(fresh.at(step), stream.at(step))
    other = batches(digits_data, tiny_config, train__seed=1, **values)
    assert not torch.equal(other.at(5), fresh.at(5))
    assert np.array_equal(other.labelled, fresh.labelled)


def test_while_m1_is_trained_batches_are_plain_and_no_label_is_told(digits_data, tiny_config):
    stream = batches(digits_data, tiny_config, model__kind="m1m2", train__pretrain_steps=3)
    plain = Batches(digits_data.indices("train"), batch_size=16, seed=0, device=torch.device("cpu"))
    assert all(torch.equal(stream.at(step), plain.at(step)) and stream.labels_at(step) is None for step in range(3))
    assert len(stream.labels_at(3)) == 6


def test_where_all_images_are_labelled_all_labels_are_told(digits_data, tiny_config):
    stream = batches(digits_data, tiny_config, data__labels_per_class=None)
    assert np.array_equal(digits_data.labels[stream.at(4).numpy()], stream.labels_at(4).numpy())
    assert len(stream.labels_at(4)) == 16


def test_a_batch_may_hold_labelled_images_alone(digits_data, tiny_config):
    stream = batches(digits_data, tiny_config, train__labelled_batch=16)
    assert np.isin(stream.at(0).numpy(), stream.labelled).all()
    assert len(stream.labels_at(0)) == 16
