"""vae_explorer: a desktop latent-space explorer for variational autoencoders, and the headless library under it."""

__version__ = "0.1.0"
