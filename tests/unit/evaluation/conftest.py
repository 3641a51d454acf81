"""A trained model that the tests of evaluation share."""

from __future__ import annotations

import pytest
from known_models import trained

from vae_explorer.config import RunConfig
from vae_explorer.data.image_data import ImageData
from vae_explorer.objective.reading import FrozenModel


@pytest.fixture(scope="session")
def plane_model(tiny_config: RunConfig, digits_data: ImageData) -> FrozenModel:
    """A VAE with two latent dimensions, trained long enough that its posteriors are narrow."""
    return trained(tiny_config, digits_data, steps=800, model__hidden=[32], train__learning_rate=5e-3)
