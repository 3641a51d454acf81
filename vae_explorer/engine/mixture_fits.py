"""EM on the points that come with a question: it needs no model, and so is worked without one too."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from vae_explorer.engine.messages import FitMixture, MixtureFitted
from vae_explorer.engine.slices import Slices, read_only
from vae_explorer.latent import em

PAIRS_A_SLICE = 200_000
"""Points times components that the rounds of EM in one slice touch: some milliseconds."""


def fit_slices(request: FitMixture, *, step: int) -> Slices[MixtureFitted]:
    """Do one action of EM, a 'fit' in slices of some rounds; the answer carries `step`, of the weights that are shown.

    Raises UsageError for points, components or a mixture that cannot be fitted.
    """
    if request.action == "fit":
        stage = yield from _rounds(request)
    else:
        stage = _act(request)
        yield 1.0
    return MixtureFitted(
        request.channel, request.id, step, stage.mixture, read_only(stage.responsibilities.astype(np.float32)),
        stage.log_likelihood, stage.bound, stage.iterations, stage.mixture.is_at_floor,
    )  # fmt: skip


def _act(request: FitMixture) -> em.Stage:
    return em.act(
        request.action, request.points, mixture=request.mixture, responsibilities=request.responsibilities,
        components=request.components, covariance=request.covariance, floor=request.floor, seed=request.seed,
        iterations=request.iterations,
    )  # fmt: skip


def _rounds(request: FitMixture) -> Slices[em.Stage]:
    """Fit a slice's rounds at a time, each from the mixture before, until one stands or all rounds are done."""
    done, mixture = 0, request.mixture
    pairs = len(request.points) * (1 if mixture is None else mixture.n_components)
    at_once = min(20, max(1, PAIRS_A_SLICE // max(1, pairs)))
    while True:
        wanted = min(at_once, request.iterations - done)
        stage = _act(replace(request, mixture=mixture, iterations=wanted))
        done, mixture = done + stage.iterations, stage.mixture
        if stage.iterations < wanted or done >= request.iterations:
            return replace(stage, iterations=done)
        yield done / request.iterations
