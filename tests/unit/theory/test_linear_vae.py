"""The linear VAE against probabilistic PCA, whose likelihood and posterior are closed forms (Lucas et al. 2019).

With weights at the solution of Tipping & Bishop 1999 the encoder can be the true posterior, for it has a diagonal
covariance, the same for all images: then the bound has no gap, and every sample's log-weight is log p(x).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest
import scipy.stats
import torch
from numpy.typing import NDArray

from vae_explorer.config import read_config_file
from vae_explorer.data.catalog import open_data
from vae_explorer.evaluation.exact_posterior import grid_slices, inspect_slices
from vae_explorer.evaluation.report import evaluate
from vae_explorer.evaluation.slices import drain
from vae_explorer.model.model import build_model
from vae_explorer.model.pixels import Pixels
from vae_explorer.objective.bounds import iwae_bound
from vae_explorer.objective.elbo import image_terms
from vae_explorer.objective.log_weights import importance_log_weights
from vae_explorer.objective.reading import FrozenModel
from vae_explorer.resource_files import preset_path
from vae_explorer.training.session import Advance, TrainingSession

CLOSED_FORM = {2: 0.0057, 10: 17.4519}
"""Mean of log p(x), nats per image, at the maximum likelihood of probabilistic PCA on all 1,797 digits / 16."""


@dataclass(frozen=True)
class Ppca:
    """Probabilistic PCA at its maximum likelihood; x (N, D), float64.

    axes (D, q), eigenvalues (q,), of the covariance with 1 / N; noise: its other eigenvalues' mean, sigma squared.
    """

    x: NDArray[np.float64]
    mean: NDArray[np.float64]
    axes: NDArray[np.float64]
    eigenvalues: NDArray[np.float64]
    noise: float

    @classmethod
    def fit(cls, x: NDArray[np.float64], latent_dim: int) -> Ppca:
        values, vectors = np.linalg.eigh(np.cov(x.T, bias=True))
        values, vectors = values[::-1], vectors[:, ::-1]
        return cls(x, x.mean(0), vectors[:, :latent_dim], values[:latent_dim], float(values[latent_dim:].mean()))

    @property
    def weights(self) -> NDArray[np.float64]:
        return self.axes * np.sqrt(self.eigenvalues - self.noise)

    @property
    def log_px(self) -> NDArray[np.float64]:
        """log p(x) of every image, (N,), by SciPy."""
        covariance = self.weights @ self.weights.T + self.noise * np.eye(self.x.shape[1])
        return scipy.stats.multivariate_normal(self.mean, covariance).logpdf(self.x)

    @property
    def posterior(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean (N, q) and standard deviations (q,) of p(z|x), whose covariance is diagonal."""
        loc = (self.x - self.mean) @ self.weights / self.eigenvalues
        return loc, np.sqrt(self.noise / self.eigenvalues)


@pytest.fixture(scope="module")
def data():
    return open_data(preset().data)


def preset(**values):
    return read_config_file(preset_path("ppca")).with_values(
        {"train.device": "cpu", **{key.replace("__", "."): value for key, value in values.items()}}
    )


def fit(data, latent_dim):
    return Ppca.fit(data.images.reshape(len(data), -1).astype(np.float64) / data.max_value, latent_dim)


def model_at(ppca, data):
    """The preset's model with the weights of probabilistic PCA, in double precision."""
    latent_dim = len(ppca.eigenvalues)
    model = build_model(preset(model__latent_dim=latent_dim), data.shape, data.max_value).double()
    (encoder,) = [layer for layer in model.encoder if isinstance(layer, torch.nn.Linear)]
    (decoder,) = [layer for layer in model.decoder if isinstance(layer, torch.nn.Linear)]
    to_loc = ppca.weights.T / ppca.eigenvalues[:, None]
    _, scale = ppca.posterior
    with torch.no_grad():
        encoder.weight.copy_(torch.from_numpy(np.vstack((to_loc, np.zeros_like(to_loc)))))
        encoder.bias.copy_(torch.from_numpy(np.concatenate((-to_loc @ ppca.mean, np.log(scale)))))
        decoder.weight.copy_(torch.from_numpy(ppca.weights.copy()))
        decoder.bias.copy_(torch.from_numpy(ppca.mean))
        model.learnt_log_scale.fill_(0.5 * math.log(ppca.noise))
    return model.requires_grad_(False)


def noise(samples, images, latent_dim):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(samples, images, latent_dim, generator=generator, dtype=torch.float64)


@pytest.fixture(scope="module", params=[2, 10], ids="latent_dim={}".format)
def known(request, data):
    ppca = fit(data, request.param)
    return ppca, model_at(ppca, data)


def images_of(ppca, data):
    return torch.from_numpy(ppca.x).view(-1, *data.shape)


def test_the_closed_form_is_that_of_the_issue(known):
    ppca, _ = known
    assert ppca.log_px.mean() == pytest.approx(CLOSED_FORM[len(ppca.eigenvalues)], abs=5e-5)


def test_the_scale_of_the_optimum_is_above_its_floor(known):
    _, model = known
    assert model.learnt_log_scale.item() > model.log_scale_floor + 0.5


def test_the_encoder_is_the_true_posterior(known, data):
    ppca, model = known
    q = model.posterior(images_of(ppca, data))
    loc, scale = ppca.posterior
    np.testing.assert_allclose(q.loc.numpy(), loc, atol=1e-10)
    np.testing.assert_allclose(q.scale.numpy(), np.broadcast_to(scale, loc.shape), rtol=1e-10)


def test_every_log_weight_and_every_bound_is_log_p_of_x(known, data):
    ppca, model = known
    x = images_of(ppca, data)[:300]
    log_weight = importance_log_weights(model, x, noise(20, 300, model.latent_dim)).numpy()
    np.testing.assert_allclose(log_weight, np.broadcast_to(ppca.log_px[:300], (20, 300)), atol=1e-8)
    for k in (1, 5, 20):
        bound = iwae_bound(torch.from_numpy(log_weight[:k]))
        np.testing.assert_allclose(bound.numpy(), ppca.log_px[:300], atol=1e-8)


def test_the_elbo_is_log_p_of_x_up_to_the_noise_of_its_samples(known, data):
    ppca, model = known
    terms = image_terms(model, images_of(ppca, data), noise(64, len(data), model.latent_dim))
    error = terms.log_likelihood.std(0) / 8  # of 64 samples, each image
    assert terms.elbo.mean().item() == pytest.approx(
        ppca.log_px.mean(), abs=5 * error.square().mean().sqrt().item() / math.sqrt(len(data))
    )
    assert (np.abs(terms.elbo.numpy() - ppca.log_px) < 6 * error.numpy()).all()


def exact_elbo(model, x):
    """The mean ELBO of a linear VAE without sampling.

    log p(x|z) is quadratic in z, so its mean over q is that over the 2 d codes sqrt(d) standard deviations away.
    """
    d = model.latent_dim
    axes = math.sqrt(d) * torch.cat((torch.eye(d), -torch.eye(d))).to(x.dtype)
    return image_terms(model, x, axes[:, None].expand(-1, len(x), -1)).elbo.mean()


def test_no_step_from_the_optimum_raises_the_elbo(known, data):
    ppca, model = known
    model.requires_grad_(True)
    try:
        elbo = exact_elbo(model, images_of(ppca, data))
        gradients = torch.autograd.grad(elbo, list(model.parameters()))
    finally:
        model.requires_grad_(False)
    assert elbo.item() == pytest.approx(ppca.log_px.mean(), abs=1e-9)
    assert max(gradient.abs().max().item() for gradient in gradients) < 1e-8


def reader_of(model, data, config):
    return FrozenModel(step=0, config=config, model=model.float(), pixels=Pixels(data, config, torch.device("cpu")))


@pytest.mark.parametrize("latent_dim", [1, 2])
def test_the_quadrature_is_log_p_of_x_and_its_posterior_that_of_ppca(data, latent_dim):
    ppca = fit(data, latent_dim)
    reader = reader_of(model_at(ppca, data), data, preset(model__latent_dim=latent_dim))
    grid = drain(grid_slices(reader))
    loc, scale = ppca.posterior
    for index in (0, 700, 1796):
        exact = drain(inspect_slices(reader, grid, index, is_fine=True))
        assert exact.log_px == pytest.approx(ppca.log_px[index], abs=1e-3)
        assert exact.gap == pytest.approx(0, abs=1e-3)
        np.testing.assert_allclose(exact.mode, loc[index], atol=0.3 * scale.max())
        mean, variance = moments(exact)
        np.testing.assert_allclose(mean, loc[index], atol=1e-2)
        np.testing.assert_allclose(np.sqrt(variance), scale, rtol=0.03)


def moments(exact):
    """Mean and variance, (latent_dim,), of the posterior on its picture."""
    x_low, x_high, y_low, y_high = exact.extent
    rows, cols = exact.log_density.shape
    x = x_low + (x_high - x_low) / cols * (np.arange(cols) + 0.5)
    y = y_low + (y_high - y_low) / rows * (np.arange(rows) + 0.5)
    mass = np.exp(exact.log_density.astype(np.float64))
    mass /= mass.sum()
    axes = [(x, mass.sum(0)), (y, mass.sum(1))][: len(exact.loc)]
    mean = np.array([(axis * share).sum() for axis, share in axes])
    return mean, np.array(
        [((axis - centre) ** 2 * share).sum() for (axis, share), centre in zip(axes, mean, strict=True)]
    )


def trained(config, data):
    session = TrainingSession.new(config, data)
    while session.step < session.target_step:
        assert session.advance() is Advance.STEP
    return session


def test_a_short_training_comes_near_ppca(data):
    """A twentieth of the preset's steps, in two dimensions; the whole is the slow test below."""
    schedule = "75: 0.3, 97: 0.1, 120: 0.03, 135: 0.01"
    session = trained(preset(train__epochs=150, train__lr_schedule=schedule), data)
    ppca = fit(data, 2)
    elbo = exact_elbo(session.frozen().model.double(), images_of(ppca, data)).item()
    assert ppca.log_px.mean() - 0.1 < elbo < ppca.log_px.mean()
    assert session.scale == pytest.approx(math.sqrt(ppca.noise), rel=0.02)
    assert not session.is_scale_at_floor


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("latent_dim", [2, 10])
def test_the_preset_trains_to_the_closed_form(data, latent_dim):
    session = trained(preset(model__latent_dim=latent_dim), data)
    ppca, frozen = fit(data, latent_dim), session.frozen()
    report = evaluate(frozen, data, split="all", samples=256)
    assert report["elbo"] == pytest.approx(CLOSED_FORM[latent_dim], abs=0.02)
    elbo = exact_elbo(frozen.model.double(), images_of(ppca, data)).item()
    assert ppca.log_px.mean() - 0.02 < elbo < ppca.log_px.mean()
