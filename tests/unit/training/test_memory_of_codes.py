"""Codes beyond memory: one sentence with what fits, before anything is allocated."""

import pytest
import torch

from vae_explorer.errors import ConfigError
from vae_explorer.training.memory import check_codes_fit
from vae_explorer.training.session import TrainingSession

SHAPE = (1, 28, 28)


def check(config, *, n_classes=10):
    check_codes_fit(config, SHAPE, n_classes=n_classes, device=torch.device("cpu"))


@pytest.fixture
def free(monkeypatch):
    """Set what is free, in MiB."""

    def set_free(mebibytes):
        monkeypatch.setattr("vae_explorer.training.memory.free_memory_bytes", lambda: mebibytes * 2**20)

    return set_free


def test_k_beyond_memory_names_the_largest_that_fits(tiny_config, free):
    free(1024)
    config = tiny_config.with_values({"objective.samples": 10_000, "objective.bound": "iwae"})
    with pytest.raises(ConfigError, match=r"objective.samples = 10000: .* GiB .*set it to (\d+) or less") as told:
        check(config)
    fitting = int(str(told.value).split("set it to ")[1].split()[0])
    assert fitting > 100
    check(config.with_values({"objective.samples": fitting}))
    with pytest.raises(ConfigError, match=r"objective.samples"):
        check(config.with_values({"objective.samples": fitting + 1}))


def test_a_batch_beyond_memory_is_told_of_as_such(tiny_config, free):
    free(64)
    config = tiny_config.with_values({"train.batch_size": 8192})
    with pytest.raises(
        ConfigError, match=r"train.batch_size = 8192: .*28 x 28 pixels.*set it to (\d+) or less"
    ) as told:
        check(config)
    fitting = int(str(told.value).split("set it to ")[1].split()[0])
    check(config.with_values({"train.batch_size": fitting}))


@pytest.mark.parametrize(
    ("more", "less"),
    [
        ({"model.kind": "m2"}, {}),
        ({"model.network": "conv"}, {}),
        ({"model.prior": "vampprior", "model.components": 5000}, {}),
        ({"objective.gradient": "score_function", "objective.bound": "iwae"}, {"objective.bound": "iwae"}),
        ({}, {"model.kind": "autoencoder"}),
        ({"objective.mmd_weight": 1.0, "train.batch_size": 4096, "objective.samples": 1},
         {"train.batch_size": 4096, "objective.samples": 1}),
        ({"objective.tc_weight": 1.0, "train.batch_size": 4096, "objective.samples": 1},
         {"train.batch_size": 4096, "objective.samples": 1}),
    ],
)  # fmt: skip
def test_what_takes_more_is_counted(tiny_config, free, more, less):
    base = tiny_config.with_values({"objective.samples": 200})
    for mebibytes in range(50, 20_000, 50):
        free(mebibytes)
        try:
            check(base.with_values(less))
        except ConfigError:
            continue
        break
    with pytest.raises(ConfigError):
        check(base.with_values(more))


def test_a_session_asks_first(tiny_config, digits_data, free, monkeypatch):
    free(100)
    monkeypatch.setattr("vae_explorer.training.session.model_for", lambda *args, **kwargs: pytest.fail("built"))
    with pytest.raises(ConfigError, match=r"objective.samples = 10000"):
        TrainingSession.new(tiny_config.with_values({"objective.samples": 10_000}), digits_data)
