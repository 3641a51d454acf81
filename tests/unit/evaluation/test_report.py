"""The figures of a split: keys, identities, errors, closed forms, words, and bits where there is a density."""

import json
import math

import numpy as np
import pytest
from known_models import linear, mirrored, trained

from vae_explorer.data.image_data import ImageData
from vae_explorer.errors import DivergedError, UsageError
from vae_explorer.evaluation.exact_posterior import inspect_slices
from vae_explorer.evaluation.report import Evaluation, evaluate
from vae_explorer.evaluation.shared_grid import grid_slices
from vae_explorer.evaluation.slices import drain
from vae_explorer.latent.statistics import spread_indices

KEYS = {
    "elbo", "distortion", "kl", "elbo_se", "distortion_se", "kl_se", "elbo_mc_se", "kl_mc_se", "kl_per_dim", "n",
    "step", "samples", "bits_per_dim", "unit", "log_px", "log_px_se", "log_px_mc_se", "log_px_exact",
    "log_px_exact_se", "log_px_exact_error", "elbo_exact", "elbo_exact_error", "gap", "gap_se", "gap_error", "n_missed",
    "gap_estimate", "amortisation_gap", "amortisation_gap_se", "family_gap", "family_gap_se", "active_units",
    "mutual_information", "mutual_information_mc_se", "ess_median", "k_hat_median", "k_hat_bad_share",
    "classification_error", "n_exact", "n_improved", "n_information", "is_complete", "words",
}  # fmt: skip


def report_of(model, data, **values):
    """Evaluate the test split, without what takes longer: an integral for some images, and a better q."""
    return evaluate(model, data, **{"split": "test", "exact_images": 0} | values)


@pytest.fixture(scope="module")
def vae(tiny_config, digits_data):
    return trained(tiny_config, digits_data, model__latent_dim=3)


def test_the_report_has_the_keys_that_were_promised_and_is_json(vae, digits_data):
    report = report_of(vae, digits_data, samples=8)
    assert set(report) == KEYS
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    assert report["unit"] == "nats per image"
    assert (report["n"], report["step"], report["samples"]) == (180, vae.step, 8)


def test_elbo_is_minus_distortion_and_kl(vae, digits_data):
    report = report_of(vae, digits_data, samples=8)
    assert report["elbo"] == -(report["distortion"] + report["kl"])
    assert report["kl"] == pytest.approx(sum(report["kl_per_dim"]))
    assert min(report["kl_per_dim"]) >= 0


def test_errors_over_images_and_over_draws(vae, digits_data):
    indices = digits_data.indices("test")
    encoded = vae.encode(indices, samples=8)
    report = report_of(vae, digits_data, samples=8)
    for name in ("elbo", "distortion", "kl"):
        values = getattr(encoded, name).astype(np.float64)
        assert report[name] == pytest.approx(values.mean(), rel=1e-5)
        assert report[f"{name}_se"] == pytest.approx(values.std(ddof=1) / math.sqrt(180), rel=1e-4)
    spread = np.std([report_of(vae, digits_data, samples=8, seed=seed)["elbo"] for seed in range(40)])
    assert report["elbo_mc_se"] == pytest.approx(spread, rel=0.4)


def test_the_same_seed_gives_the_same_report_and_another_another(vae, digits_data):
    first, again, other = (report_of(vae, digits_data, samples=4, seed=seed) for seed in (3, 3, 4))
    assert first == again
    assert first["distortion"] != other["distortion"]
    assert first["kl"] == other["kl"]


def test_splits_and_progress(vae, digits_data):
    shares = []
    report = report_of(vae, digits_data, split="all", samples=1, progress=shares.append)
    assert report["n"] == len(digits_data)
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert report["elbo_mc_se"] is None


def test_an_empty_split_is_one_sentence(vae, digits_data):
    empty = digits_data.with_splits(type(digits_data.splits)(np.arange(5), np.arange(0), np.arange(5, 9)))
    with pytest.raises(UsageError, match="no validation images; choose another split"):
        report_of(vae, empty, split="validation")
    with pytest.raises(UsageError, match="at least one draw"):
        report_of(vae, digits_data, samples=0)


def test_one_image_has_no_error_over_images(vae, digits_data):
    single = digits_data.with_splits(type(digits_data.splits)(np.arange(5), np.arange(0), np.array([9])))
    report = report_of(vae, single, samples=4)
    assert report["elbo_se"] is report["distortion_se"] is report["kl_se"] is None
    assert report["elbo_mc_se"] > 0


def test_an_autoencoder_has_a_distortion_only(tiny_config, digits_data):
    report = report_of(trained(tiny_config, digits_data, model__kind="autoencoder"), digits_data)
    assert {name for name, value in report.items() if value is not None} == {
        "distortion", "distortion_se", "n", "step", "samples", "unit", "n_exact", "n_improved", "is_complete", "words",
    }  # fmt: skip
    assert report["distortion"] > 0
    assert report["words"] == ["An autoencoder has no prior: no bound, no log p(x) and no KL, only a distortion."]


@pytest.mark.parametrize("binarize", ["none", "threshold", "static", "dynamic"])
def test_bits_of_a_bernoulli_are_known_for_binary_images_alone(tiny_config, digits_data, binarize):
    model = trained(tiny_config, digits_data, data__binarize=binarize)
    report = report_of(model, digits_data, samples=2)
    if binarize == "none":
        assert report["bits_per_dim"] is None
    else:
        assert report["bits_per_dim"] == pytest.approx(-report["elbo"] / (64 * math.log(2)))


@pytest.mark.parametrize("max_value", [1, 255])
def test_images_of_two_values_alone_need_no_binarising(tiny_config, digits_data, max_value):
    images = (digits_data.images > 8).astype(np.uint8) * np.uint8(max_value)
    binary = ImageData(images=images, max_value=max_value, splits=digits_data.splits, provenance=digits_data.provenance)
    report = report_of(trained(tiny_config, binary), binary, samples=2)
    assert report["bits_per_dim"] == pytest.approx(-report["elbo"] / (64 * math.log(2)))


def test_bits_of_a_gaussian_count_the_steps_of_the_pixels(tiny_config, digits_data):
    report = report_of(trained(tiny_config, digits_data, model__likelihood="gaussian"), digits_data)
    assert report["bits_per_dim"] == pytest.approx(-report["elbo"] / (64 * math.log(2)) + 4)  # 16 = 2 ** 4


@pytest.mark.parametrize("kind", ["vae", "autoencoder"])
@pytest.mark.parametrize("weight", [3e38, math.nan])
def test_weights_that_give_no_finite_figures_are_one_sentence_and_no_warning(tiny_config, digits_data, kind, weight):
    model = trained(tiny_config, digits_data, model__kind=kind)
    for parameter in model.model.parameters():
        parameter.data.fill_(weight)
    with pytest.raises(DivergedError, match="no finite figures; try --checkpoint 0"):
        report_of(model, digits_data, samples=2)


def test_a_logistic_over_the_levels_and_a_density_on_the_interval_have_their_bits(tiny_config, digits_data):
    levels = report_of(trained(tiny_config, digits_data, model__likelihood="discretised_logistic"), digits_data)
    assert levels["bits_per_dim"] == pytest.approx(-levels["elbo"] / (64 * math.log(2)))
    density = report_of(trained(tiny_config, digits_data, model__likelihood="continuous_bernoulli"), digits_data)
    assert density["bits_per_dim"] == pytest.approx(-density["elbo"] / (64 * math.log(2)) + 4)


# ---- log p(x) and the gap -------------------------------------------------------------------------------------------


def test_a_linear_model_has_every_figure_of_its_closed_form():
    known = linear(2)
    report = evaluate(known.model, known.data, split="all", samples=2000, exact_images=24)
    images = np.arange(24)
    figures = known.model.figures(images, samples=1)
    gaps = known.gap(figures.loc.astype(float), figures.scale.astype(float))
    assert (report["n"], report["n_exact"], report["n_improved"], report["n_information"]) == (24, 24, 24, 24)
    assert report["log_px_exact"] == pytest.approx(known.log_px.mean(), abs=1e-4)
    assert report["log_px_exact_error"] < 1e-3
    assert report["gap"] == pytest.approx(gaps.mean(), abs=2e-4)
    assert report["gap_se"] == pytest.approx(gaps.std(ddof=1) / math.sqrt(24), rel=1e-3)
    assert report["elbo_exact"] == pytest.approx((known.log_px - gaps).mean(), abs=2e-4)
    assert report["elbo"] == pytest.approx(report["elbo_exact"], abs=5 * report["elbo_mc_se"])
    precision = np.linalg.inv(known.posterior[1])
    family_gap = 0.5 * (np.log(np.diag(precision)).sum() - np.linalg.slogdet(precision)[1])
    assert report["amortisation_gap"] == pytest.approx(gaps.mean() - family_gap, abs=3e-3)
    assert report["family_gap"] == pytest.approx(family_gap, abs=3e-3)
    assert report["amortisation_gap"] + report["family_gap"] == pytest.approx(report["gap"], abs=1e-9)
    assert report["gap_estimate"] is None
    assert report["elbo"] < report["log_px"] < report["log_px_exact"] + 5 * report["log_px_mc_se"]
    assert 0 < report["mutual_information"] <= min(math.log(24), report["kl"] + 4 * report["mutual_information_mc_se"])
    assert 1 <= report["ess_median"] <= 2000
    assert 0 <= report["k_hat_bad_share"] <= 1


def test_with_more_dimensions_the_gap_is_an_estimate_and_said_to_be_too_low():
    known = linear(3)
    report = evaluate(known.model, known.data, split="all", samples=500)
    figures = known.model.figures(np.arange(24), samples=1)
    gap = known.gap(figures.loc.astype(float), figures.scale.astype(float)).mean()
    assert report["gap"] is report["log_px_exact"] is report["elbo_exact"] is None
    assert report["n_exact"] == 0
    assert report["gap_estimate"] == pytest.approx(gap, abs=0.3)
    assert report["amortisation_gap"] > 0
    assert report["family_gap"] is None
    assert any("gap_estimate is too low" in sentence for sentence in report["words"])
    assert any("amortisation_gap comes from 1,024 fixed codes an image" in sentence for sentence in report["words"])


def test_exact_figures_are_of_images_spread_over_the_split(plane_model, digits_data):
    report = evaluate(plane_model, digits_data, split="test", samples=4, exact_images=5)
    assert (report["n"], report["n_exact"], report["n_improved"]) == (180, 5, 5)
    assert report["gap"] > 0
    assert "log_px_exact, elbo_exact and gap are means over 5 of the 180 images." in report["words"]
    assert json.loads(json.dumps(report, allow_nan=False)) == report


def test_both_parts_of_the_gap_add_up_on_the_images_whose_q_was_improved(plane_model, digits_data, monkeypatch):
    """They are means over fewer images than the gap, and so may be larger than it."""
    monkeypatch.setattr("vae_explorer.evaluation.report.IMPROVED_IMAGES", 3)
    report = evaluate(plane_model, digits_data, split="test", samples=4, exact_images=7)
    indices = digits_data.indices("test")[spread_indices(180, 7)][spread_indices(7, 3)]
    grid = drain(grid_slices(plane_model))
    gaps = [drain(inspect_slices(plane_model, grid, index, is_fine=True)).gap for index in indices.tolist()]
    assert (report["n_exact"], report["n_improved"]) == (7, 3)
    assert report["amortisation_gap"] + report["family_gap"] == pytest.approx(np.mean(gaps), abs=2e-3)
    assert report["family_gap"] > -2e-3
    assert any("are means over 3 of the 180 images; they add up" in sentence for sentence in report["words"])


def test_a_collapsed_model_is_told_so_apart_from_how_loose_it_is(tiny_config, digits_data):
    """A decoder that ignores z and q = p(z): the gap is 0, and nothing is in the codes."""
    model = trained(tiny_config, digits_data, steps=5)
    for parameter in (*model.model.encoder[-1].parameters(), model.model.decoder[0].weight):
        parameter.data.zero_()
    history = (np.arange(0, 100, 10), np.zeros((10, 2)))
    report = evaluate(model, digits_data, split="test", samples=50, exact_images=8, history=history)
    assert abs(report["gap"]) < 1e-3
    assert report["active_units"] == 0
    assert report["kl"] == 0
    assert report["mutual_information"] == pytest.approx(0, abs=1e-9)
    assert report["amortisation_gap"] == pytest.approx(0, abs=1e-3)
    assert report["ess_median"] == pytest.approx(50, rel=1e-3)
    assert report["k_hat_bad_share"] == 0
    words = " ".join(report["words"])
    assert "Collapsed: all 2 dimensions are off from the beginning." in words
    assert "Apart from that the bound is loose by" in words


def test_an_estimate_that_is_not_to_be_trusted_is_said_to_be(digits_data):
    known = linear(2)
    known.model.model.encoder[1].bias[2:] = -4.0  # far too narrow
    report = evaluate(known.model, known.data, split="all", samples=200, exact_images=4)
    assert report["k_hat_bad_share"] > 0.5
    assert report["log_px"] < report["log_px_exact"] - 0.5
    assert any("not to be trusted" in sentence and "log_px_exact" in sentence for sentence in report["words"])
    few = report_of(known.model, known.data, split="all", samples=8)
    assert few["k_hat_median"] is None
    assert any("too few to say how far" in sentence for sentence in few["words"])


def test_mass_that_no_draw_comes_upon_is_told_though_the_weights_look_well():
    model, data = mirrored()
    report = evaluate(model, data, split="test", samples=500, exact_images=4)
    assert report["k_hat_bad_share"] == 0
    assert report["log_px_exact"] - report["log_px"] == pytest.approx(math.log(2), abs=0.02)
    assert (report["n_missed"], report["n_exact"]) == (4, 4)
    assert any("too low for 4 of the 4" in sentence and "read log_px_exact" in sentence for sentence in report["words"])


def test_where_the_draws_reach_all_mass_nothing_is_missed():
    known = linear(2)
    report = evaluate(known.model, known.data, split="all", samples=500, exact_images=8)
    assert report["n_missed"] == 0
    assert not any("hardly draws" in sentence for sentence in report["words"])
    assert report_of(known.model, known.data, split="all", samples=500)["n_missed"] is None


def test_a_learnt_prior_has_a_sampled_kl_with_its_error_and_none_of_each_dimension(tiny_config, digits_data):
    model = trained(tiny_config, digits_data, model__prior="mixture", model__components=3)
    report = evaluate(model, digits_data, split="test", samples=40, exact_images=3)
    assert report["kl_per_dim"] is None
    assert report["kl_mc_se"] > 0
    assert report["gap"] > -report["gap_error"]


def test_classes_have_an_error_and_no_integral(tiny_config, digits_data):
    model = trained(tiny_config, digits_data, steps=150, model__kind="m2", data__labels_per_class=50)
    report = evaluate(model, digits_data, split="test", samples=30)
    predicted = model.class_probabilities(digits_data.indices("test")).argmax(1)
    assert report["classification_error"] == np.mean(predicted != digits_data.labels[digits_data.indices("test")])
    assert 0 < report["classification_error"] < 0.8
    assert report["gap"] is report["mutual_information"] is None
    assert report["gap_estimate"] > 0
    assert any("classes summed out (vae-explorer evaluate --samples 5000)." in said for said in report["words"])
    means = model.figures(digits_data.indices("test"), samples=1).loc
    assert report["active_units"] == (means.var(axis=0) > 0.01).sum() > 0
    assert any("mutual_information is not told" in said for said in report["words"])


def test_more_samples_are_not_advised_where_they_were_taken(tiny_config, digits_data):
    model = trained(tiny_config, digits_data, steps=2, model__kind="m2", data__labels_per_class=50)
    few = digits_data.with_splits(type(digits_data.splits)(np.arange(5), np.arange(0), np.arange(5, 9)))
    words = " ".join(report_of(model, few, samples=1000)["words"])
    assert "importance sampling works, with the classes summed out." in words
    assert "--samples" not in words


# ---- ended early ----------------------------------------------------------------------------------------------------


def test_an_evaluation_that_is_ended_keeps_what_it_has(plane_model, digits_data):
    evaluation = Evaluation(plane_model, digits_data, split="all", samples=8, exact_images=6)
    assert not evaluation.has_report
    with pytest.raises(UsageError, match="No image was evaluated before the end"):
        evaluation.report()
    slices = evaluation.slices()
    while not evaluation.has_report:
        next(slices)
    slices.close()
    early = evaluation.report()
    assert 0 < early["n"] < len(digits_data)
    assert not early["is_complete"]
    assert early["elbo"] == -(early["distortion"] + early["kl"])
    assert early["gap"] is early["mutual_information"] is None
    assert early["words"][0].startswith(f"The evaluation was ended early: {early['n']:,} of 1,797 images are done")


def test_exact_images_that_are_done_are_kept_too(plane_model, digits_data):
    evaluation = Evaluation(plane_model, digits_data, split="test", samples=2, exact_images=6)
    slices = evaluation.slices()
    while evaluation.report()["n_exact"] < 2 if evaluation.has_report else True:
        next(slices)
    slices.close()
    early = evaluation.report()
    assert (early["n"], early["n_exact"], early["is_complete"]) == (180, 2, False)
    assert early["gap"] > 0
    assert early["amortisation_gap"] is None


def test_a_whole_evaluation_in_slices_is_the_same_report(plane_model, digits_data):
    values = {"split": "test", "samples": 8, "exact_images": 3, "seed": 5}
    slices = Evaluation(plane_model, digits_data, **values).slices()
    assert drain(slices) == evaluate(plane_model, digits_data, **values)


def test_the_verdict_tells_the_kl_of_now_not_that_of_the_last_record(tiny_config, digits_data):
    history = (np.arange(1, 11), np.full((10, 1), 7.0))
    model = trained(tiny_config, digits_data, steps=150, model__latent_dim=1)
    report = report_of(model, digits_data, samples=8, history=history)
    (said,) = [sentence for sentence in report["words"] if "The least used" in sentence]
    assert f"costs {min(report['kl_per_dim']):.3g} nats" in said
