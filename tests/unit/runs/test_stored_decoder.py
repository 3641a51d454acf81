"""Pictures from a checkpoint by NumPy are those of the torch model, or left to it."""

import numpy as np
import pytest

from vae_explorer.data.image_data import ImageData, Provenance, Splits
from vae_explorer.runs import stored_decoder
from vae_explorer.runs.folder import RunFolder
from vae_explorer.runs.stored_decoder import StoredDecoder
from vae_explorer.training.session import TrainingSession

KINDS = {
    "relu": {},
    "tanh": {"model.activation": "tanh"},
    "silu": {"model.activation": "silu"},
    "softplus": {"model.activation": "softplus"},
    "deep": {"model.hidden": [12, 7], "model.latent_dim": 5},
    "affine": {"model.hidden": []},
    "continuous": {"model.likelihood": "continuous_bernoulli"},
    "gaussian": {"model.likelihood": "gaussian", "model.variance": "learnt"},
    "free means": {"model.likelihood": "gaussian", "model.output": "identity"},
    "scale by the decoder": {"model.likelihood": "gaussian", "model.variance": "decoder"},
    "bernoulli without a scale": {"model.variance": "decoder"},
    "autoencoder": {"model.kind": "autoencoder"},
    "vampprior": {"model.prior": "vampprior", "model.components": 5},
}
LEFT_TO_TORCH = {
    "conv": {"model.network": "conv", "model.channels": [3]},
    "logistic": {"model.likelihood": "discretised_logistic"},
    "m2": {"model.kind": "m2"},
    "m1m2": {"model.kind": "m1m2", "model.style_dim": 3},
}


@pytest.fixture(scope="module")
def coloured():
    images = np.random.default_rng(0).integers(0, 256, (20, 3, 4, 5), dtype=np.uint8)
    return ImageData(images, 255, Splits(np.arange(20), np.arange(0), np.arange(0)), Provenance("array", "noise"))


@pytest.fixture
def save(tiny_config, tmp_path):
    """Function that saves an untrained model of some settings; returns the session and the decoder of its run."""

    def save_run(data, settings, **shown_settings):
        session = TrainingSession.new(tiny_config.with_values(settings), data)
        run = RunFolder.create(tmp_path / "run", config=tiny_config.with_values(shown_settings or settings),
                               data=data, device="cpu")  # fmt: skip
        arrays, meta = session.state()
        run.write_checkpoint(meta["step"], arrays, meta)
        return session, StoredDecoder(run, run.find_checkpoint(), data.shape)

    return save_run


def codes(n, latent_dim, *, size=2.0):
    return (size * np.random.default_rng(1).standard_normal((n, latent_dim))).astype(np.float32)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [0.0, 2.0, 1000.0])
def test_its_means_are_those_of_the_model(save, coloured, kind, size):
    session, decoder = save(coloured, KINDS[kind])
    z = codes(9, session.config.model.latent_dim, size=size)
    images, expected = decoder.decode(z), session.decode(z)
    assert (images.dtype, images.shape) == (np.float32, (9, 3, 4, 5))
    scale = max(1.0, float(np.abs(expected).max()))  # free means of distant codes are large
    np.testing.assert_allclose(images, expected, rtol=0, atol=1e-5 * scale)
    assert decoder.step == session.step


@pytest.mark.parametrize("kind", LEFT_TO_TORCH)
def test_what_takes_more_than_a_few_lines_is_left_to_torch(save, digits_data, kind):
    _, decoder = save(digits_data, LEFT_TO_TORCH[kind])
    assert decoder.decode(codes(3, 2)) is None


def test_codes_of_other_dimensions_are_left_to_torch(save, coloured):
    _, decoder = save(coloured, {})
    assert decoder.decode(codes(3, 4)) is None


def test_a_decoder_that_takes_long_is_left_to_torch(save, coloured, monkeypatch):
    monkeypatch.setattr(stored_decoder, "MOST_WEIGHTS", 16 * (2 + 60) - 1)
    _, decoder = save(coloured, {})
    assert decoder.decode(codes(3, 2)) is None


def test_weights_that_do_not_fit_the_configuration_are_no_decoder(save, coloured):
    _, decoder = save(coloured, {"model.hidden": [16]}, **{"model.hidden": [17]})
    assert decoder.decode(codes(3, 2)) is None


@pytest.mark.parametrize("harm", ["cut", "gone"])
def test_a_checkpoint_that_cannot_be_read_is_no_decoder(save, coloured, tmp_path, harm):
    _, decoder = save(coloured, {})
    (path,) = (tmp_path / "run" / "checkpoints").iterdir()
    if harm == "cut":
        path.write_bytes(path.read_bytes()[:-1])
    else:
        path.unlink()
    assert decoder.decode(codes(3, 2)) is None


def test_of_a_checkpoint_the_named_arrays_alone_are_read(save, coloured, tmp_path):
    session, _ = save(coloured, {})
    run = RunFolder.open(tmp_path / "run")
    arrays, meta = run.read_checkpoint(run.find_checkpoint(), only={"model.decoder.0.bias", "no such array"})
    assert meta["step"] == session.step
    (bias,) = arrays.values()
    np.testing.assert_array_equal(bias, session.state()[0]["model.decoder.0.bias"])
