"""A list of betas in --set, in a file and in code: read, refused in one sentence, and made one run each."""

import pytest

from vae_explorer.config import RunConfig
from vae_explorer.errors import ConfigError
from vae_explorer.sweep_config import configs_of, read_sweep_file, run_name, split_betas


def test_a_list_of_betas_is_taken_out_of_the_settings():
    values, betas = split_betas({"model.latent_dim": 3, "objective.beta": [0.5, 1, 4.0]})
    assert values == {"model.latent_dim": 3}
    assert betas == (0.5, 1.0, 4.0)
    assert split_betas({"objective.beta": 2.0}) == ({"objective.beta": 2.0}, None)


@pytest.mark.parametrize(
    ("betas", "said"),
    [
        ([1.0], "1 values found, expected 2 to 32"),
        (list(range(33)), "33 values found"),
        ([1, 2, 1.0], "1 is there twice"),
        ([0.5, -1.0], "from 0 to 1,000"),
        ([0.5, 2000.0], "from 0 to 1,000"),
        ([0.5, "many"], "'many'"),
        ([0.5, float("nan")], "nan"),
    ],
)
def test_a_list_that_is_no_sweep_is_refused(betas, said):
    with pytest.raises(ConfigError, match=said):
        split_betas({"objective.beta": betas})


def test_each_beta_is_one_run_that_differs_in_it_alone():
    config = RunConfig().with_values({"model.latent_dim": 3})
    first, second = configs_of(config, (0.5, 4.0))
    assert (first.objective.beta, second.objective.beta) == (0.5, 4.0)
    assert first.with_values({"objective.beta": 4.0}) == second
    assert [run_name(beta) for beta in (0.5, 4.0, 1e-5, 0.123456789)] == [
        "beta-0.5", "beta-4", "beta-1e-05", "beta-0.123456789",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"model.kind": "autoencoder"}, "beta has no effect; set model.kind=vae"),
        ({"objective.similarity": "mmd", "objective.mmd_weight": 1.0}, "set objective.similarity=kl"),
        ({"model.kind": "m2"}, "model.kind=vae only"),
        ({"model.network": "conv"}, "model.network=mlp only"),
        ({"train.optimizer": "rmsprop"}, "train.optimizer=adam only"),
        ({"train.precision": "bf16"}, "train.precision=fp32 only"),
        ({"objective.bound": "iwae", "objective.gradient": "dreg"}, "objective.gradient=reparameterised"),
        ({"objective.mmd_weight": 1.0, "model.prior": "mixture"}, "model.prior=standard_normal"),
    ],
)
def test_what_is_not_trained_side_by_side_is_refused_with_what_is(changed, said):
    with pytest.raises(ConfigError, match=said):
        configs_of(RunConfig().with_values(changed), (0.5, 1.0))


def test_a_file_may_hold_the_list(tmp_path):
    path = tmp_path / "sweep.toml"
    path.write_text("[model]\nlatent_dim = 3\n[objective]\nbeta = [0.5, 2]\nsamples = 2\n")
    config, betas = read_sweep_file(path)
    assert betas == (0.5, 2.0)
    assert (config.model.latent_dim, config.objective.samples, config.objective.beta) == (3, 2, 1.0)
    path.write_text("[objective]\nbeta = 3\n")
    assert read_sweep_file(path) == (RunConfig().with_values({"objective.beta": 3.0}), None)
    path.write_text("[objective]\nbeta = [1, 1]\n")
    with pytest.raises(ConfigError, match=r"sweep.toml: objective.beta: 1 is there twice"):
        read_sweep_file(path)
