"""The likelihoods of a lattice: the digits that matrix products in single precision keep."""

import numpy as np
import pytest
import torch

from vae_explorer.config import RunConfig
from vae_explorer.data.image_data import ImageData, Provenance, Splits
from vae_explorer.evaluation.lattice_likelihood import lattice_slices
from vae_explorer.evaluation.slices import drain
from vae_explorer.model.likelihoods import Bernoulli, ContinuousBernoulli
from vae_explorer.model.model import build_model
from vae_explorer.model.pixels import Pixels
from vae_explorer.objective.reading import FrozenModel


@pytest.mark.parametrize(
    ("name", "likelihood"), [("bernoulli", Bernoulli), ("continuous_bernoulli", ContinuousBernoulli)]
)
@pytest.mark.parametrize("hidden", [[], [100]])
def test_bright_pixels_that_are_sure_keep_the_digits_of_double_precision(name, likelihood, hidden):
    """x . logits and the sum of log(1 + exp(logits)) are some 7,000 nats there, and cancel."""
    images = np.full((6, 1, 28, 28), 255, np.uint8)
    images[:, :, 10:14, 10:14] = np.random.default_rng(0).integers(0, 256, (6, 1, 4, 4))
    every = np.arange(6)
    data = ImageData(images, 255, Splits(every, every[:0], every[:0]), Provenance("array", "noise"))
    config = RunConfig().with_values(
        {"model.hidden": hidden, "model.latent_dim": 2, "model.likelihood": name, "train.device": "cpu"}
    )
    model = build_model(config, data.shape, 255).requires_grad_(False)
    model.decoder[-2].weight.mul_(0.2)
    model.decoder[-2].bias.fill_(9.0)
    reader = FrozenModel(step=1, config=config, model=model, pixels=Pixels(data, config, torch.device("cpu")))
    codes = torch.randn(500, 2, generator=torch.Generator().manual_seed(0))
    x = reader.pixels.take_seeded(every, 0)
    values = drain(drain(lattice_slices(reader, codes)).slices(x))
    exact = likelihood(model.likelihood(codes).logits.double())
    known = np.stack([exact.log_prob(image.double()).numpy() for image in x])
    # The values, 1,700 nats or so, lie 1.2e-4 apart in float32: eight of those steps, whatever the processor's sums do.
    np.testing.assert_allclose(values, known, rtol=0, atol=1e-3)
