"""Pictures of classes: every style under every class, and which class other pictures show."""

import numpy as np
import pytest
import torch

from vae_explorer.errors import UsageError
from vae_explorer.evaluation.pictures import make_picture
from vae_explorer.export.recipe import Recipe
from vae_explorer.training.session import TrainingSession


def model_of(kind, tiny_config, digits_data):
    keys = {"model.kind": kind, "model.style_dim": 3, "data.labels_per_class": 5, "train.labelled_batch": 20}
    session = TrainingSession.new(tiny_config.with_values(keys), digits_data)
    if kind == "m1m2":
        session.model.stack()
    return session.frozen()


@pytest.fixture(scope="module", params=["m2", "m1m2"])
def model(request, tiny_config, digits_data):
    return model_of(request.param, tiny_config, digits_data)


@pytest.fixture(scope="module")
def m2(tiny_config, digits_data):
    return model_of("m2", tiny_config, digits_data)


def test_rows_are_styles_and_columns_are_all_classes(model, digits_data):
    made = make_picture(model, digits_data, Recipe(what="classes", rows=3, cols=99, seed=4))
    tiles, codes = made.arrays["tiles"], made.arrays["codes"]
    assert tiles.shape == (3, 10, 1, 8, 8)
    assert codes.shape == (3, 10, 2)
    assert made.captions.cols == digits_data.class_names
    styles = np.random.Generator(np.random.Philox(4)).standard_normal((3, model.style_dim), dtype=np.float32)
    for row in range(3):
        of_row = model.model.style_codes(torch.tensor(styles[[row] * 10]), torch.arange(10))
        expected = model.model.likelihood(of_row, torch.eye(10)).mean
        np.testing.assert_allclose(tiles[row], expected.detach().numpy(), rtol=1e-4, atol=1e-5)
    again = make_picture(model, digits_data, Recipe(what="classes", rows=3, cols=99, seed=4))
    assert again.picture.tobytes() == made.picture.tobytes()


def test_the_style_of_an_image_has_one_row_and_its_own_class_is_its_reconstruction(model, digits_data):
    made = make_picture(model, digits_data, Recipe(what="classes", rows=5, image=7))
    assert made.arrays["tiles"].shape == (1, 10, 1, 8, 8)
    assert "image 7" in made.captions.title
    if model.model.kind == "m2":
        encoded = model.encode(np.array([7]))
        label = int(encoded.class_probabilities[0].argmax())
        np.testing.assert_allclose(made.arrays["tiles"][0, label], encoded.reconstructions[0], rtol=1e-4, atol=1e-5)


def test_a_model_without_classes_refuses_with_what_works(tiny_config, digits_data):
    model = TrainingSession.new(tiny_config, digits_data).frozen()
    with pytest.raises(UsageError, match=r"model\.kind=vae knows no classes; take a run of m2 or m1m2"):
        make_picture(model, digits_data, Recipe(what="classes"))
    with pytest.raises(UsageError, match="Class 3 cannot be decoded: the model knows no classes"):
        make_picture(model, digits_data, Recipe(what="manifold", label=3))


def test_a_chosen_class_is_that_of_all_tiles_and_without_one_the_mean_over_all(m2, digits_data):
    chosen = [make_picture(m2, digits_data, Recipe(what="manifold", rows=2, cols=2, label=y)) for y in range(10)]
    mean = make_picture(m2, digits_data, Recipe(what="manifold", rows=2, cols=2))
    tiles = np.stack([one.arrays["tiles"] for one in chosen])
    np.testing.assert_allclose(tiles.mean(0), mean.arrays["tiles"], rtol=1e-4, atol=1e-5)
    assert np.ptp(tiles, axis=0).max() > 0.01
    with pytest.raises(UsageError, match="Class 10 cannot be decoded: the model knows classes 0 to 9"):
        make_picture(m2, digits_data, Recipe(what="manifold", label=10))


def test_the_codes_of_m1_and_m2_decode_to_one_image_whatever_the_class(tiny_config, digits_data):
    with pytest.raises(UsageError, match=r"--label 3: in M1\+M2 the class acts through the code.* --what classes"):
        make_picture(model_of("m1m2", tiny_config, digits_data), digits_data, Recipe(what="samples", label=3))


def test_samples_are_of_drawn_classes(m2, digits_data):
    made = make_picture(m2, digits_data, Recipe(what="samples", rows=2, cols=10, seed=3))
    codes, tiles = made.arrays["codes"].reshape(20, 2), made.arrays["tiles"].reshape(20, 1, 8, 8)
    under = np.stack([m2.decode(codes, label=label) for label in range(10)])
    drawn = np.abs(under - tiles).reshape(10, 20, -1).max(-1).argmin(0)
    assert np.abs(under[drawn, np.arange(20)] - tiles).max() < 1e-5
    assert len(set(drawn.tolist())) > 3


def test_reconstructions_are_of_the_class_that_the_model_takes_an_image_for(m2, digits_data):
    made = make_picture(m2, digits_data, Recipe(what="reconstructions", rows=1, cols=4, image=5))
    seen = m2.encode(np.array([5]))
    np.testing.assert_allclose(made.arrays["tiles"][1, 0], seen.reconstructions[0], rtol=1e-4, atol=1e-5)
