"""Every preset can be trained, and those named after a paper have the paper's settings."""

from __future__ import annotations

import numpy as np
import pytest

from vae_explorer.config import read_config_file
from vae_explorer.config_rules import check_together, is_relevant
from vae_explorer.data.splits import make_splits
from vae_explorer.model.model import build_model
from vae_explorer.resource_files import preset_names, preset_path, preset_title
from vae_explorer.training.schedule import RateSteps, target_step

PAPERS = ("aevb", "iwae-1", "iwae-5", "iwae-50", "m1m2-100", "m2-100", "ppca")
MNIST = {"n_images": 70_000, "n_own_train": 60_000}


def preset(name):
    return read_config_file(preset_path(name))


@pytest.mark.parametrize("name", preset_names())
def test_a_preset_goes_together_and_builds_its_model(name):
    config = preset(name)
    check_together(config)
    shape, max_value = {"mnist": ((1, 28, 28), 255), "digits": ((1, 8, 8), 16), "shapes": ((3, 32, 32), 255)}[
        config.data.name
    ]
    model = build_model(config, shape, max_value, n_classes=10)
    assert model.kind == config.model.kind
    assert sum(parameter.numel() for parameter in model.parameters()) > 0
    assert preset_title(name).endswith((".", ";"))


@pytest.mark.parametrize("name", preset_names())
def test_a_preset_sets_nothing_without_effect(name):
    config = preset(name)
    default = type(config)()
    for section, table in config.to_dict().items():
        for key in table:
            if config.get(f"{section}.{key}") != default.get(f"{section}.{key}"):
                assert is_relevant(f"{section}.{key}", config), key


def test_the_papers_are_there():
    assert set(PAPERS) <= set(preset_names())


@pytest.mark.parametrize("k", [1, 5, 50])
def test_the_rate_of_burda_et_al_falls_by_stages_of_3_to_the_i_epochs(k):
    config = preset(f"iwae-{k}")
    assert (config.objective.bound, config.objective.samples) == ("iwae", k)
    rates = RateSteps(config.train.lr_schedule, batch_size=20, n_images=60_000)
    first = 0
    for stage in range(8):
        for step in (first, first + 3000 * 3**stage - 1):
            assert rates.factor(step) == pytest.approx(10 ** (-stage / 7), rel=1e-4)
        first += 3000 * 3**stage
    assert target_step(config.train, 60_000) == first


@pytest.mark.parametrize("name", ["m2-100", "m1m2-100"])
def test_mnist_is_split_as_by_kingma_et_al(name):
    config = preset(name)
    splits = make_splits(MNIST["n_images"], config.data, n_own_train=MNIST["n_own_train"])
    assert [len(part) for part in (splits.train, splits.validation, splits.test)] == [50_000, 10_000, 10_000]
    assert np.array_equal(splits.test, np.arange(60_000, 70_000))
    assert config.data.labels_per_class == 10


def test_aevb_sees_a_million_images():
    train = preset("aevb").train
    assert train.steps * train.batch_size == 1_000_000
