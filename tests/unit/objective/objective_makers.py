"""Small models, images and objectives for the tests of what is minimised."""

from __future__ import annotations

import torch

from vae_explorer.model.model import build_model
from vae_explorer.objective.objective import build_objective
from vae_explorer.objective.terms import Batch, Live

SHAPE = (1, 3, 3)


def config_of(tiny_config, **values):
    """`tiny_config` with a small network and the given settings, '__' for the dot of a key."""
    keys = {name.replace("__", "."): value for name, value in values.items()}
    return tiny_config.with_values({"model.hidden": [6], "model.activation": "tanh", **keys})


def model_of(config, *, spread=True):
    """A model of 3 x 3 images; with `spread` its posterior is away from the prior, so that no term is 0."""
    model = build_model(config, SHAPE, 16)
    if spread:
        with torch.no_grad():
            model.encoder[-1].weight.mul_(2.0)
            model.encoder[-1].bias.copy_(torch.tensor([1.5, -0.5, -0.7, 0.3]))
            model.decoder[0].weight.mul_(3.0)
    return model


def images(n, seed=1):
    return torch.rand(n, *SHAPE, generator=torch.Generator().manual_seed(seed))


def noise_of(samples, n, latent_dim=2, seed=2):
    return torch.randn(samples, n, latent_dim, generator=torch.Generator().manual_seed(seed))


def live(beta=1.0, free_bits=0.0):
    return Live(beta=torch.tensor(beta), free_bits=torch.tensor(free_bits))


def means_of(config, model, x, noise, *, beta=1.0, free_bits=0.0, prior_z=None, n_images=100):
    """Means over one batch, by the objective of a configuration."""
    objective = build_objective(config, n_images=n_images)
    return objective.means(model, Batch(x, prior_z=prior_z), noise=noise, live=live(beta, free_bits), step=0)
