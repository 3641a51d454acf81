"""Pictures and tables from recipes: what each kind shows, and the same bytes each time."""

import numpy as np
import pytest

from vae_explorer.errors import CancelledError, UsageError
from vae_explorer.evaluation.code_grids import code_box
from vae_explorer.evaluation.pictures import make_picture, picture_slices
from vae_explorer.evaluation.report import evaluate
from vae_explorer.export.mixture_recipe import to_recipe
from vae_explorer.export.picture import png_bytes
from vae_explorer.export.recipe import Recipe
from vae_explorer.latent.em import start
from vae_explorer.latent.grids import prior_codes, quantile_lattice
from vae_explorer.latent.mixture import sample
from vae_explorer.latent.paths import interpolate
from vae_explorer.training.session import TrainingSession

KINDS = ("manifold", "samples", "reconstructions", "traversal", "interpolation")


def trained(config, data, **values):
    keys = {name.replace("__", "."): value for name, value in values.items()}
    session = TrainingSession.new(config.with_values(keys), data)
    for _ in range(20):
        session.advance()
    return session


@pytest.fixture(scope="module")
def vae(tiny_config, digits_data):
    return trained(tiny_config, digits_data, model__latent_dim=5)


@pytest.fixture(scope="module")
def plane(tiny_config, digits_data):
    return trained(tiny_config, digits_data)


@pytest.fixture(scope="module")
def autoencoder(tiny_config, digits_data):
    return trained(tiny_config, digits_data, model__kind="autoencoder", model__latent_dim=3)


def made(model, data, what, rows=3, cols=4, **values):
    return make_picture(model, data, Recipe(what=what, rows=rows, cols=cols, **values))


@pytest.mark.parametrize("what", KINDS)
@pytest.mark.parametrize("kind", ["vae", "plane", "autoencoder"])
def test_every_kind_of_every_model_is_decoded_at_the_codes_it_says(request, digits_data, what, kind):
    model = request.getfixturevalue(kind)
    result = made(model, digits_data, what, captions=True)
    tiles, codes = result.arrays["tiles"], result.arrays["codes"]
    assert tiles.shape[:2] == codes.shape[:2]
    has_code = np.isfinite(codes).all(-1)
    np.testing.assert_allclose(tiles[has_code], model.decode(codes[has_code]), atol=1e-5)
    assert result.picture.dtype == np.uint8
    assert result.picture.ndim == 3


@pytest.mark.parametrize("what", KINDS)
@pytest.mark.parametrize("draw", [False, True])
def test_the_same_recipe_gives_the_same_bytes(vae, digits_data, what, draw):
    first, again = (made(vae, digits_data, what, draw=draw, seed=3) for _ in range(2))
    assert png_bytes(first.picture, first.recipe) == png_bytes(again.picture, again.recipe)
    assert (first.recipe.step, first.recipe.data_digest) == (vae.step, digits_data.digest)
    assert first.recipe.config["model"]["latent_dim"] == 5


def test_a_session_and_its_frozen_copy_give_the_same_bytes(vae, digits_data):
    first, again = (made(model, digits_data, "manifold", rows=9, cols=9) for model in (vae, vae.frozen()))
    assert png_bytes(first.picture, first.recipe) == png_bytes(again.picture, again.recipe)


def test_a_draw_is_of_the_seed_and_every_slice_has_its_own(vae, digits_data):
    first, other = (made(vae, digits_data, "manifold", draw=True, seed=seed) for seed in (1, 2))
    assert (first.arrays["tiles"] != other.arrays["tiles"]).any()
    assert set(np.unique(first.arrays["tiles"])) == {0.0, 1.0}
    same_code = made(vae, digits_data, "interpolation", rows=8, cols=16, draw=True, start=3, end=3)
    tiles = same_code.arrays["tiles"].reshape(128, -1)
    assert (tiles[0] != tiles[64]).any()


def test_the_manifold_is_the_lattice_of_prior_quantiles_over_the_two_dimensions_of_largest_kl(vae, digits_data):
    kl_per_dim = vae.codes(np.arange(len(digits_data))).kl_per_dim
    axes = tuple(sorted(np.argsort(kl_per_dim)[-2:].tolist()))
    codes = made(vae, digits_data, "manifold").arrays["codes"]
    np.testing.assert_array_equal(codes, quantile_lattice(3, 4, latent_dim=5, axes=axes))
    codes = made(vae, digits_data, "manifold", axes=(4, 1)).arrays["codes"]
    np.testing.assert_array_equal(codes, quantile_lattice(3, 4, latent_dim=5, axes=(4, 1)))


def test_a_manifold_of_one_dimension_is_one_line(tiny_config, digits_data):
    line = trained(tiny_config, digits_data, model__latent_dim=1)
    codes = made(line, digits_data, "manifold").arrays["codes"].reshape(-1)
    assert (np.diff(codes) > 0).all()


def test_samples_are_of_the_prior_and_the_first_do_not_depend_on_how_many(vae, digits_data):
    few = made(vae, digits_data, "samples", seed=7).arrays["codes"].reshape(12, 5)
    np.testing.assert_array_equal(few, prior_codes(12, 5, 7))


def test_samples_of_the_aggregate_posterior_are_codes_of_images_that_are_trained_on(plane, digits_data):
    result = made(plane, digits_data, "samples", rows=20, cols=20, source="aggregate", seed=4, scale=1)
    codes = result.arrays["codes"].reshape(-1, 2)
    assert result.captions.title.startswith("Samples of the aggregate posterior")
    again = made(plane, digits_data, "samples", rows=20, cols=20, source="aggregate", seed=4, scale=1)
    np.testing.assert_array_equal(result.arrays["codes"], again.arrays["codes"])
    trained_on = plane.codes(digits_data.indices("train"))
    spread = trained_on.loc.var(axis=0) + (trained_on.scale**2).mean(axis=0)  # of a mixture of the q(z|x)
    np.testing.assert_allclose(codes.mean(axis=0), trained_on.loc.mean(axis=0), atol=5 * np.sqrt(spread.max() / 400))
    np.testing.assert_allclose(codes.var(axis=0), spread, rtol=0.35)
    assert (plane.frozen().aggregate_codes(400, seed=4, indices=digits_data.indices("train")) == codes).all()


def test_samples_of_a_mixture_are_its_draws(plane, autoencoder, digits_data):
    for model in (plane, autoencoder):
        loc = model.codes(digits_data.indices("train")).loc
        mixture = start(loc, 4, seed=0).mixture
        result = made(model, digits_data, "samples", source="mixture", mixture=to_recipe(mixture), seed=9)
        drawn = sample(mixture, 12, seed=9)
        np.testing.assert_allclose(result.arrays["codes"].reshape(drawn.shape), drawn, rtol=1e-6)
        assert "of a mixture of 4 Gaussians" in result.captions.title


def test_a_learnt_prior_is_what_samples_and_drawn_ends_come_from(tiny_config, digits_data):
    learnt = trained(tiny_config, digits_data, model__prior="mixture", model__components=3)
    codes = made(learnt, digits_data, "samples", seed=2).arrays["codes"].reshape(12, -1)
    np.testing.assert_array_equal(codes, learnt.frozen().prior_codes(12, seed=2))


def test_what_cannot_be_sampled_is_refused(plane, autoencoder, digits_data):
    with pytest.raises(UsageError, match="An autoencoder has no q to draw from"):
        made(autoencoder, digits_data, "samples", source="aggregate")
    three = to_recipe(start(autoencoder.codes(np.arange(100)).loc, 2).mixture)
    with pytest.raises(UsageError, match="A mixture of 3 dimensions cannot be sampled for a model of 2"):
        made(plane, digits_data, "samples", source="mixture", mixture=three)


def test_an_autoencoder_stays_in_the_box_of_its_codes_and_says_so(autoencoder, digits_data):
    low, high = code_box(autoencoder.frozen(), digits_data)
    for what in ("samples", "manifold", "traversal"):
        result = made(autoencoder, digits_data, what)
        codes = result.arrays["codes"]
        assert (codes >= low - 1e-5).all()
        assert (codes <= high + 1e-5).all()
        assert ("box of codes" in result.captions.title) == (what != "traversal")


def test_reconstructions_stand_below_their_images(plane, digits_data):
    result = made(plane, digits_data, "reconstructions", split="train", rows=2, cols=3)
    shown = digits_data.indices("train")[:6]
    tiles, codes = result.arrays["tiles"], result.arrays["codes"]
    assert tiles.shape == (4, 3, 1, 8, 8)
    np.testing.assert_allclose(tiles[0::2].reshape(6, 1, 8, 8), digits_data.images[shown] / 16, atol=1e-6)
    np.testing.assert_allclose(tiles[1::2].reshape(6, 1, 8, 8), plane.encode(shown).reconstructions, atol=1e-5)
    assert np.isnan(codes[0::2]).all()
    assert np.isfinite(codes[1::2]).all()


def test_reconstructions_begin_with_the_image_that_is_named(plane, digits_data):
    test = digits_data.indices("test")
    tiles = made(plane, digits_data, "reconstructions", split="test", image=int(test[5]), rows=1).arrays["tiles"]
    np.testing.assert_allclose(tiles[0], digits_data.images[test[5:9]] / 16, atol=1e-6)


def test_places_without_an_image_stay_empty(plane, digits_data):
    few = digits_data.with_splits(type(digits_data.splits)(np.arange(90), np.arange(0), np.arange(90, 95)))
    result = made(plane, few, "reconstructions", rows=2, cols=4)
    assert np.isnan(result.arrays["tiles"][2:, 1:]).all()
    assert np.isfinite(result.arrays["tiles"][2:, :1]).all()
    cut = made(plane, few, "reconstructions", rows=9, cols=4, captions=True)
    np.testing.assert_array_equal(cut.arrays["tiles"], result.arrays["tiles"])
    assert cut.arrays["codes"].shape[:2] == (4, 4)
    assert cut.captions.rows == ("image", "model") * 2
    with pytest.raises(UsageError, match="--split validation: the data have no such images"):
        made(plane, few, "reconstructions", split="validation")


def test_a_traversal_varies_one_dimension_a_row_most_used_first(vae, digits_data):
    order = np.argsort(-vae.codes(np.arange(len(digits_data))).kl_per_dim, kind="stable")
    codes = made(vae, digits_data, "traversal", image=11, cols=5).arrays["codes"]
    centre = vae.codes(np.array([11])).loc[0]
    assert codes.shape == (3, 5, 5)
    for row, axis in enumerate(order[:3]):
        np.testing.assert_allclose(codes[row, :, axis], [-3, -1.5, 0, 1.5, 3])
        rest = np.delete(np.arange(5), axis)
        np.testing.assert_array_equal(codes[row][:, rest], np.tile(centre[rest], (5, 1)))
    assert made(vae, digits_data, "traversal", rows=20).arrays["codes"].shape[0] == 5
    assert made(vae, digits_data, "traversal", axes=(3, 0)).arrays["codes"].shape[0] == 2
    assert made(vae, digits_data, "traversal", cols=1).arrays["codes"].tolist() == [[[0.0] * 5]] * 3


def test_an_interpolation_goes_from_end_to_end(vae, digits_data):
    a, b = vae.codes(np.array([4])).loc[0], np.array([0.5, -1, 2, 0, 1], dtype=np.float32)
    end = tuple(b.tolist())
    for path in ("linear", "spherical"):
        codes = made(vae, digits_data, "interpolation", start=4, end=end, path=path).arrays["codes"].reshape(12, 5)
        np.testing.assert_array_equal(codes, interpolate(a, b, np.linspace(0, 1, 12), path=path))
        np.testing.assert_array_equal(codes[-1], b)
    drawn = made(vae, digits_data, "interpolation", seed=2).arrays["codes"].reshape(12, 5)
    np.testing.assert_array_equal(drawn[[0, -1]], prior_codes(2, 5, 2))


def test_the_table_of_codes_agrees_with_the_report(vae, digits_data):
    result = made(vae, digits_data, "codes", split="test", seed=5)
    arrays = result.arrays
    assert result.picture is None
    np.testing.assert_array_equal(arrays["index"], digits_data.indices("test"))
    np.testing.assert_array_equal(arrays["label"], digits_data.labels[digits_data.indices("test")])
    assert arrays["z"].shape == arrays["sigma"].shape == (180, 5)
    report = evaluate(vae.frozen(), digits_data, split="test", seed=5)
    for name in ("elbo", "kl", "distortion"):
        assert arrays[name].mean() == pytest.approx(report[name], rel=1e-5)


def test_a_recipe_that_does_not_fit_is_refused(vae, digits_data):
    for values, word in (({"rows": 0}, "--rows"), ({"image": 5000}, "--image"), ({"axes": (0, 5)}, "--axes")):
        with pytest.raises(UsageError, match=word):
            make_picture(vae, digits_data, Recipe(what="traversal", **values))


def test_progress_is_told_and_cancelling_ends_it(vae, digits_data):
    shares = []
    make_picture(vae, digits_data, Recipe(what="samples", rows=20, cols=20), progress=shares.append)
    assert shares == sorted(shares)
    assert len(shares) == 7
    assert shares[-1] == 1
    with pytest.raises(CancelledError, match="nothing was written"):
        make_picture(vae, digits_data, Recipe(what="samples"), is_cancelled=lambda: True)


def test_a_picture_is_of_one_step_though_training_goes_on_between_its_slices(tiny_config, digits_data):
    session = trained(tiny_config, digits_data)
    expected = made(session, digits_data, "samples", rows=20, cols=20)
    slices = picture_slices(session, digits_data, Recipe(what="samples", rows=20, cols=20))
    while True:
        try:
            next(slices)
        except StopIteration as end:
            found = end.value
            break
        session.advance()
    assert found.recipe.step == expected.recipe.step < session.step
    np.testing.assert_array_equal(found.arrays["tiles"], expected.arrays["tiles"])


@pytest.mark.parametrize(("prior", "says"), [("standard_normal", ""), ("mixture", " at quantiles of N(0, I)")])
def test_a_manifold_says_where_its_lattice_is_not_that_of_the_models_prior(tiny_config, digits_data, prior, says):
    model = TrainingSession.new(tiny_config.with_values({"model.prior": prior}), digits_data).frozen()
    title = make_picture(model, digits_data, Recipe(what="manifold", rows=2, cols=2)).captions.title
    assert title == f"Manifold of z0, z1{says}, step 0"
