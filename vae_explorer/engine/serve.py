"""Answers questions from a model: small ones at once, large ones in slices, a failing one with its sentence."""

from __future__ import annotations

import logging
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from vae_explorer.data.image_data import ImageData
from vae_explorer.engine.failures import sentence_of
from vae_explorer.engine.gap_estimates import gap_slices
from vae_explorer.engine.messages import (
    SMALL_BATCH,
    Answer,
    Decode,
    Decoded,
    Encode,
    Encoded,
    EstimateGaps,
    FitMixture,
    Render,
    Rendered,
    Request,
    RequestFailed,
)
from vae_explorer.engine.mixture_fits import fit_slices
from vae_explorer.engine.questions import Lattice, theory_slices
from vae_explorer.engine.slices import Slices, drain, read_only
from vae_explorer.errors import UsageError, VaeExplorerError
from vae_explorer.evaluation.pictures import picture_slices
from vae_explorer.latent.mosaic import to_uint8

log = logging.getLogger(__name__)


class Looker(Protocol):
    """What can be asked without touching the training: a session between its steps, or a frozen copy."""

    @property
    def step(self) -> int:
        """Step of the weights."""

    def decode(
        self, z: NDArray[np.float32], *, draw_seed: int | None = None, label: int | None = None
    ) -> NDArray[np.float32]:
        """Return pictures (n, C, H, W) of codes (n, latent_dim)."""

    def encode(self, indices: NDArray[np.int64], *, draw_seed: int | None = None) -> Any:
        """Return posterior, reconstructions and figures of images by index."""


def answer(request: Request, model: Looker, data: ImageData) -> Answer:
    """Answer a small request; a failure becomes RequestFailed."""
    return drain(answer_slices(request, model, data))


def answer_slices(
    request: Request, model: Any, data: Any, *, lattice: Lattice | None = None, is_live: bool = False
) -> Slices[Answer]:
    """Answer a request in slices of SMALL_BATCH codes or so; a failure becomes RequestFailed.

    model, data: of the open run; both None where the question needs none. lattice: what is decoded of `model` for
    exact posteriors; None decodes it for this question alone. is_live: whether the weights move on meanwhile.
    """
    try:
        match request:
            case Decode():
                return (yield from _decode(request, model, model.config.model.latent_dim))
            case Encode():
                return (yield from _encode(request, model, len(data)))
            case Render():
                return (yield from _render(request, model, data))
            case FitMixture():
                return (yield from fit_slices(request, step=0 if model is None else model.step))
            case EstimateGaps():
                return (yield from gap_slices(request, model, n_images=len(data)))
            case _:
                shared = lattice or Lattice(model)
                return (yield from theory_slices(request, shared, n_images=len(data), is_live=is_live))
    except Exception as error:
        if not isinstance(error, VaeExplorerError):
            log.exception("request %s of channel %s failed", request.id, request.channel)
        return RequestFailed(request.channel, request.id, sentence_of(error))


def _decode(request: Decode, model: Any, latent_dim: int) -> Slices[Answer]:
    z = np.array(request.z, dtype=np.float32)
    if z.ndim != 2 or z.shape[1] != latent_dim or not np.isfinite(z).all():
        raise UsageError(f"Codes of shape {z.shape} cannot be decoded: expected (n, {latent_dim}) finite numbers.")
    parts = []
    for number, start in enumerate(range(0, len(z), SMALL_BATCH)):
        part = z[start : start + SMALL_BATCH]
        images = model.decode(part, draw_seed=_seed_of_part(request.draw_seed, number), label=request.label)
        parts.append(to_uint8(images) if request.is_8_bit else images)
        yield min((start + SMALL_BATCH) / len(z), 1.0)
    images = np.concatenate(parts) if parts else model.decode(z)
    return Decoded(request.channel, request.id, model.step, read_only(z), read_only(images))


_ENCODED = (
    "loc", "scale", "kl_per_dim", "elbo", "kl", "distortion", "elbo_mc_se", "reconstructions", "class_probabilities",
    "kl_mc_se",
)  # fmt: skip


def _encode(request: Encode, model: Looker, n_images: int) -> Slices[Answer]:
    indices = np.array(request.indices, dtype=np.int64)
    if len(indices) == 0 or indices.min() < 0 or indices.max() >= n_images:
        raise UsageError(f"An image was asked for that is not there: the data has images 0 to {n_images - 1}.")
    parts = []
    for number, start in enumerate(range(0, len(indices), SMALL_BATCH)):
        part = indices[start : start + SMALL_BATCH]
        parts.append(model.encode(part, draw_seed=_seed_of_part(request.draw_seed, number)))
        yield min((start + SMALL_BATCH) / len(indices), 1.0)
    arrays = {name: _joined([getattr(part, name) for part in parts]) for name in _ENCODED}
    return Encoded(request.channel, request.id, model.step, read_only(indices), **arrays)


def _render(request: Render, model: Any, data: ImageData) -> Slices[Answer]:
    result = yield from picture_slices(model, data, request.recipe)
    if result.picture is None:
        raise UsageError(f"A table of {request.recipe.what} cannot be shown as a picture; export it as .csv or .npz.")
    codes = result.arrays.get("codes")
    return Rendered(
        request.channel, request.id, model.step, request.recipe, read_only(result.picture),
        read_only(result.arrays["tiles"]), None if codes is None else read_only(codes),
    )  # fmt: skip


def _seed_of_part(seed: int | None, number: int) -> int | None:
    """Each part of a long question draws noise of its own, far from that of the next seed."""
    return None if seed is None else (seed + number * 1_000_003) % 2**31


def _joined(parts: list[NDArray[Any] | None]) -> Any:
    known = [part for part in parts if part is not None]
    return read_only(np.concatenate(known)) if known else None
