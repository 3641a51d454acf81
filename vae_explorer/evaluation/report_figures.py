"""From the figures of single images to those of a split: means with their errors, None where there is none."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from vae_explorer.data.image_data import ImageData
from vae_explorer.evaluation.diagnostics import MutualInformation, active_units
from vae_explorer.evaluation.exact_posterior import ExactPosterior
from vae_explorer.evaluation.importance import ImageFigures
from vae_explorer.objective.reading import FrozenModel

Float = NDArray[np.float64]
Figures = dict[str, Any]

BAD_K_HAT = 0.7
"""Above this an estimate by importance sampling is not to be trusted (Vehtari et al. 2024)."""
MISSED_ERRORS = 5.0
"""So many of its own errors below the exact value, an estimate has missed mass that none of its draws came upon."""

BOUND = (
    "elbo", "distortion", "kl", "elbo_se", "distortion_se", "kl_se", "elbo_mc_se", "kl_mc_se", "kl_per_dim",
    "bits_per_dim",
)  # fmt: skip
SAMPLED = ("log_px", "log_px_se", "log_px_mc_se", "ess_median", "k_hat_median", "k_hat_bad_share")
CODES = ("active_units", "mutual_information", "mutual_information_mc_se", "n_information")
EXACT = (
    "log_px_exact", "log_px_exact_se", "log_px_exact_error", "elbo_exact", "elbo_exact_error", "gap", "gap_se",
    "gap_error", "n_missed",
)  # fmt: skip
IMPROVED = ("amortisation_gap", "amortisation_gap_se", "family_gap", "family_gap_se")


def image_figures(images: ImageFigures, model: FrozenModel) -> Figures:
    """The bound and its terms."""
    figures: Figures = dict.fromkeys(BOUND) | _mean("distortion", images.distortion)
    if images.kl is None:
        return figures
    figures |= _mean("kl", images.kl)
    figures |= {
        "elbo": -(figures["distortion"] + figures["kl"]),
        "elbo_se": standard_error(images.distortion + images.kl),
        "elbo_mc_se": error_of_mean(images.elbo_mc_se), "kl_mc_se": error_of_mean(images.kl_mc_se),
        "kl_per_dim": None if images.kl_per_dim is None else images.kl_per_dim.mean(axis=0).tolist(),
    }  # fmt: skip
    return figures | {"bits_per_dim": bits_per_dim(figures["elbo"], model)}


def sampled_log_px(images: ImageFigures, *, samples: int) -> Figures:
    """log p(x) by importance sampling, and how its weights are."""
    figures: Figures = dict.fromkeys(SAMPLED)
    if images.log_px is None or images.ess is None or images.k_hat is None:
        return figures
    figures |= _mean("log_px", images.log_px) | {"ess_median": float(np.median(images.ess))}
    figures["log_px_mc_se"] = error_of_mean(images.log_px_mc_se)
    if not np.isnan(images.k_hat).any():  # so few samples have no tail
        # Equal weights have -inf: the best there is, which JSON cannot hold.
        k_hat = np.maximum(images.k_hat, -1.0)
        figures |= {"k_hat_median": float(np.median(k_hat)), "k_hat_bad_share": float((k_hat > BAD_K_HAT).mean())}
    return figures


def information_figures(images: ImageFigures, information: MutualInformation | None) -> Figures:
    """What codes say of their images, those of M2 under the most probable class; nothing of an autoencoder.

    information: None where a class is in the code too, as the aggregate posterior is over both then.
    """
    figures: Figures = dict.fromkeys(CODES)
    if images.kl is None:
        return figures
    figures["active_units"] = active_units(images.loc)
    if information is not None:
        figures |= {
            "mutual_information": information.value, "mutual_information_mc_se": information.mc_se,
            "n_information": information.n_images,
        }  # fmt: skip
    return figures


def exact_figures(exact: Sequence[ExactPosterior]) -> Figures:
    """log p(x) and the gap by quadrature, means over the images that were integrated.

    The errors of integrals are means too: they do not cancel out over images.
    """
    figures: Figures = dict.fromkeys(EXACT) | {"n_exact": len(exact)}
    if not exact:
        return figures
    log_px, gap = np.array([one.log_px for one in exact]), np.array([one.gap for one in exact])
    return figures | _mean("log_px_exact", log_px) | _mean("gap", gap) | {
        "log_px_exact_error": float(np.mean([one.log_px_error for one in exact])),
        "elbo_exact": float(np.mean([one.elbo for one in exact])),
        "elbo_exact_error": float(np.mean([one.elbo_error for one in exact])),
        "gap_error": float(np.mean([one.error for one in exact])),
    }  # fmt: skip


def missed_figures(exact: Sequence[ExactPosterior], images: ImageFigures) -> Figures:
    """Of how many integrated images log p(x) from samples is far too low although k-hat is good.

    A second mode where q hardly draws leaves no trace in the weights: the exact value alone shows it. Nothing where no
    image was integrated, or so few samples were drawn that there is no k-hat.
    """
    if not exact or images.log_px is None or images.k_hat is None or np.isnan(images.k_hat).any():
        return {}
    assert images.log_px_mc_se is not None
    place_of = {index: place for place, index in enumerate(images.indices.tolist())}
    places = np.array([place_of[one.index] for one in exact])
    most = MISSED_ERRORS * images.log_px_mc_se[places] + np.array([one.log_px_error for one in exact])
    is_low = np.array([one.log_px for one in exact]) - images.log_px[places] > most
    return {"n_missed": int((is_low & (images.k_hat[places] <= BAD_K_HAT)).sum())}


def improved_figures(amortisation_gaps: Sequence[float], family_gaps: Sequence[float]) -> Figures:
    """The two parts of the gap, means over the images whose q was improved: of these images they add up to the gap.

    What a better q of its own would win an image, and what no diagonal Gaussian can; family_gaps is empty where log
    p(x) is not known exactly.
    """
    figures: Figures = dict.fromkeys(IMPROVED) | {"n_improved": len(amortisation_gaps)}
    for name, gaps in (("amortisation_gap", amortisation_gaps), ("family_gap", family_gaps)):
        if gaps:
            figures |= _mean(name, np.array(gaps))
    return figures


def classification_error(images: ImageFigures, data: ImageData) -> float | None:
    """Share of the images with a known label whose most probable class is another one."""
    if images.predicted is None or data.labels is None:
        return None
    labels = data.labels[images.indices]
    is_known = labels >= 0
    return float((images.predicted != labels)[is_known].mean()) if is_known.any() else None


@torch.no_grad()
def bits_per_dim(elbo: float, model: FrozenModel) -> float | None:
    """Return the bound as bits a pixel value, or None where the likelihood is no density of the data.

    A density of x = v / max_value on [0, 1] is turned into one of v, whose steps are 1: log2(max_value) is added.
    """
    bits = -elbo / (math.prod(model.model.shape) * math.log(2))
    if model.model.likelihood(torch.zeros(1, model.latent_dim, device=model.pixels.device)).is_density:
        return bits + math.log2(model.pixels.max_value)
    if model.config.model.likelihood == "bernoulli" and not model.pixels.is_binary():
        return None
    return bits


def difference_of_means(first: Float | None, second: Float | None) -> float | None:
    """Mean of the differences of (n,) and (n,), None where one is not known."""
    return None if first is None or second is None else float((first - second).mean())


def standard_error(values: Float) -> float | None:
    """Standard error of the mean of (n,); None for one value."""
    return None if len(values) < 2 else float(values.std(ddof=1) / math.sqrt(len(values)))


def error_of_mean(errors: Float | None) -> float | None:
    """Error of a mean from the independent errors (n,) of what it is over; None where they are not known."""
    if errors is None or np.isnan(errors).any():
        return None
    return float(np.sqrt(np.square(errors).sum()) / len(errors))


def _mean(name: str, values: Float) -> Figures:
    return {name: float(values.mean()), f"{name}_se": standard_error(values)}
