"""Held-out evaluations of every kind of model and objective: all images, one row of figures, chunks that fit."""

import math

import numpy as np
import pytest
from test_session import images_of, train

from vae_explorer.training.held_out import MAX_CODES, _chunk_size
from vae_explorer.training.session import TrainingSession

KINDS = {
    "importance weighted": {"objective.bound": "iwae", "objective.samples": 4},
    "sampled": {"objective.kl": "monte_carlo", "objective.samples": 2},
    "mixture": {"model.prior": "mixture", "model.components": 3},
    "vampprior": {"model.prior": "vampprior", "model.components": 3},
    "wasserstein": {"objective.similarity": "wasserstein2"},
    "wae": {"objective.similarity": "mmd", "objective.mmd_weight": 10.0},
    "tcvae": {"objective.tc_weight": 3.0},
}


def held_out(session, steps):
    return [record for record in train(session, steps) if record.split == "held_out"]


@pytest.mark.parametrize("kind", KINDS)
def test_its_figures_are_those_that_a_reader_finds(tiny_config, digits_data, kind):
    config = tiny_config.with_values({**KINDS[kind], "train.evaluate_every": 20})
    session = TrainingSession.new(config, digits_data)
    (record,) = held_out(session, 20)
    figures = session.frozen().figures(digits_data.indices(digits_data.held_out_name), samples=200)
    error = 3 * figures.elbo_mc_se.mean() * math.sqrt(200 / len(figures.elbo)) + 0.02
    assert record.elbo == pytest.approx(-(record.distortion + record.kl))
    assert abs(record.elbo - figures.elbo.mean()) < error
    assert (record.kl_per_dim is None) == ("model.prior" in KINDS[kind])
    assert (record.bound is not None) == ("iwae" in KINDS[kind].values())
    assert (record.mmd is not None) == (kind == "wae")
    assert (record.total_correlation is not None) == (kind == "tcvae")
    assert (record.similarity is not None) == (kind == "wasserstein")
    if kind == "importance weighted":
        assert record.loss == pytest.approx(-record.bound, rel=1e-6)
        assert record.bound > record.elbo


def test_no_image_is_left_alone_in_a_chunk(tiny_config):
    config = tiny_config.with_values({**KINDS["wae"], "train.batch_size": 16})
    session = TrainingSession.new(config, images_of(65 + 16, n_test=65))
    record = held_out(session, 1)[0]
    assert np.isfinite(record.mmd)
    assert np.isfinite(record.loss)


def test_a_single_held_out_image_has_no_mmd(tiny_config):
    session = TrainingSession.new(tiny_config.with_values(KINDS["wae"]), images_of(17, n_test=1))
    record = held_out(session, 1)[0]
    assert record.mmd is None
    assert np.isfinite(record.elbo)


@pytest.mark.parametrize(
    ("batch_size", "samples", "expected"),
    [(128, 1, 512), (5, 1, 64), (1000, 1, 1024), (128, 10_000, 128), (1, 5000, 3)],
)
def test_chunks_hold_no_more_codes_than_fit(batch_size, samples, expected):
    assert _chunk_size(batch_size, samples) == expected
    assert expected * samples <= max(MAX_CODES, batch_size * samples)


def test_the_best_of_m1_is_forgotten_once_m2_is_trained(tiny_config, digits_data):
    """The bound of M1+M2 starts below that of its VAE: compared with that, it would never be the best."""
    values = {
        "model.kind": "m1m2", "data.labels_per_class": 10, "train.labelled_batch": 16, "train.pretrain_steps": 40,
        "train.evaluate_every": 20, "train.learning_rate": 0.01,
    }  # fmt: skip
    session = TrainingSession.new(tiny_config.with_values(values), digits_data)
    below = held_out(session, 40)
    assert session.take_best()[1]["best_value"] == max(record.elbo for record in below)
    (above,) = held_out(session, 20)
    best = session.take_best()
    assert best is not None
    assert best[1]["best_value"] == above.elbo
    assert above.classification_error is not None
    assert below[0].classification_error is None
