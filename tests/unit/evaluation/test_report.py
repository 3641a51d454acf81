"""The figures of a split: keys, identities, errors, and bits where the likelihood is a density of the data."""

import json
import math

import numpy as np
import pytest

from vae_explorer.data.image_data import ImageData
from vae_explorer.errors import DivergedError, UsageError
from vae_explorer.evaluation.report import evaluate
from vae_explorer.training.session import TrainingSession

KEYS = {
    "elbo", "distortion", "kl", "elbo_se", "distortion_se", "kl_se", "elbo_mc_se", "kl_per_dim", "n", "step",
    "samples", "bits_per_dim", "unit",
}  # fmt: skip


def trained(config, data, **values):
    keys = {name.replace("__", "."): value for name, value in values.items()}
    session = TrainingSession.new(config.with_values(keys), data)
    for _ in range(20):
        session.advance()
    return session.frozen()


@pytest.fixture(scope="module")
def vae(tiny_config, digits_data):
    return trained(tiny_config, digits_data, model__latent_dim=3)


def test_the_report_has_the_keys_that_were_promised_and_is_json(vae, digits_data):
    report = evaluate(vae, digits_data, split="test", samples=8)
    assert set(report) == KEYS
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    assert report["unit"] == "nats per image"
    assert (report["n"], report["step"], report["samples"]) == (180, vae.step, 8)


def test_elbo_is_minus_distortion_and_kl(vae, digits_data):
    report = evaluate(vae, digits_data, split="test", samples=8)
    assert report["elbo"] == -(report["distortion"] + report["kl"])
    assert report["kl"] == pytest.approx(sum(report["kl_per_dim"]))
    assert min(report["kl_per_dim"]) >= 0


def test_errors_over_images_and_over_draws(vae, digits_data):
    indices = digits_data.indices("test")
    encoded = vae.encode(indices, samples=8)
    report = evaluate(vae, digits_data, split="test", samples=8)
    for name in ("elbo", "distortion", "kl"):
        values = getattr(encoded, name).astype(np.float64)
        assert report[name] == pytest.approx(values.mean(), rel=1e-5)
        assert report[f"{name}_se"] == pytest.approx(values.std(ddof=1) / math.sqrt(180), rel=1e-4)
    spread = np.std([evaluate(vae, digits_data, split="test", samples=8, seed=seed)["elbo"] for seed in range(40)])
    assert report["elbo_mc_se"] == pytest.approx(spread, rel=0.4)


def test_the_same_seed_gives_the_same_report_and_another_another(vae, digits_data):
    first, again, other = (evaluate(vae, digits_data, split="test", samples=4, seed=seed) for seed in (3, 3, 4))
    assert first == again
    assert first["distortion"] != other["distortion"]
    assert first["kl"] == other["kl"]


def test_splits_and_progress(vae, digits_data):
    shares = []
    report = evaluate(vae, digits_data, split="all", samples=1, progress=shares.append)
    assert report["n"] == len(digits_data)
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert report["elbo_mc_se"] is None


def test_an_empty_split_is_one_sentence(vae, digits_data):
    empty = digits_data.with_splits(type(digits_data.splits)(np.arange(5), np.arange(0), np.arange(5, 9)))
    with pytest.raises(UsageError, match="no validation images; choose another split"):
        evaluate(vae, empty, split="validation")
    with pytest.raises(UsageError, match="at least one draw"):
        evaluate(vae, digits_data, split="test", samples=0)


def test_one_image_has_no_error_over_images(vae, digits_data):
    single = digits_data.with_splits(type(digits_data.splits)(np.arange(5), np.arange(0), np.array([9])))
    report = evaluate(vae, single, split="test", samples=4)
    assert report["elbo_se"] is report["distortion_se"] is report["kl_se"] is None
    assert report["elbo_mc_se"] > 0


def test_an_autoencoder_has_a_distortion_only(tiny_config, digits_data):
    report = evaluate(trained(tiny_config, digits_data, model__kind="autoencoder"), digits_data, split="test")
    assert {name for name, value in report.items() if value is None} == {
        "elbo", "kl", "elbo_se", "kl_se", "elbo_mc_se", "kl_per_dim", "bits_per_dim",
    }  # fmt: skip
    assert report["distortion"] > 0


@pytest.mark.parametrize("binarize", ["none", "threshold", "static", "dynamic"])
def test_bits_of_a_bernoulli_are_known_for_binary_images_alone(tiny_config, digits_data, binarize):
    model = trained(tiny_config, digits_data, data__binarize=binarize)
    report = evaluate(model, digits_data, split="test", samples=2)
    if binarize == "none":
        assert report["bits_per_dim"] is None
    else:
        assert report["bits_per_dim"] == pytest.approx(-report["elbo"] / (64 * math.log(2)))


@pytest.mark.parametrize("max_value", [1, 255])
def test_images_of_two_values_alone_need_no_binarising(tiny_config, digits_data, max_value):
    images = (digits_data.images > 8).astype(np.uint8) * np.uint8(max_value)
    binary = ImageData(images=images, max_value=max_value, splits=digits_data.splits, provenance=digits_data.provenance)
    report = evaluate(trained(tiny_config, binary), binary, split="test", samples=2)
    assert report["bits_per_dim"] == pytest.approx(-report["elbo"] / (64 * math.log(2)))


def test_bits_of_a_gaussian_count_the_steps_of_the_pixels(tiny_config, digits_data):
    report = evaluate(trained(tiny_config, digits_data, model__likelihood="gaussian"), digits_data, split="test")
    assert report["bits_per_dim"] == pytest.approx(-report["elbo"] / (64 * math.log(2)) + 4)  # 16 = 2 ** 4


@pytest.mark.parametrize("kind", ["vae", "autoencoder"])
@pytest.mark.parametrize("weight", [3e38, math.nan])
def test_weights_that_give_no_finite_figures_are_one_sentence_and_no_warning(tiny_config, digits_data, kind, weight):
    model = trained(tiny_config, digits_data, model__kind=kind)
    for parameter in model.model.parameters():
        parameter.data.fill_(weight)
    with pytest.raises(DivergedError, match="no finite figures; try --checkpoint 0"):
        evaluate(model, digits_data, split="test", samples=2)
