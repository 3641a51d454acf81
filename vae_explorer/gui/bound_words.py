"""What the loss of a run is to log p(x), and which of its numbers compare, in words for wherever they are shown."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QCoreApplication

from vae_explorer.config import RunConfig
from vae_explorer.config_rules import is_relevant
from vae_explorer.data.image_data import ImageData

N_LOOKED_AT = 200
"""Images whose pixels tell whether the data are binary."""


@dataclass(frozen=True)
class LossNote:
    """badge: two or three words; reason: one sentence."""

    badge: str
    reason: str


def _tr(text: str) -> str:
    return QCoreApplication.translate("bound_words", text)


def loss_note(config: RunConfig, *, beta: float, free_bits: float) -> LossNote | None:
    """Return what makes minus the loss another number than the ELBO; None where the ELBO itself is trained.

    beta, free_bits: the live values; beta with its warm-up, as it stands now.
    """
    objective = config.objective
    if config.model.kind == "autoencoder":
        return None
    if objective.similarity != "kl":
        return LossNote(_tr("no longer a bound"), _similarity_reason(objective.similarity))
    is_iwae = objective.bound == "iwae" and is_relevant("objective.bound", config)
    if is_iwae and beta != 1.0:
        text = _tr("beta {beta} weighs the log-weights of the importance-weighted bound, which holds at beta 1 only.")
        return LossNote(_tr("no longer a bound"), text.format(beta=f"{beta:.3g}"))
    if beta < 1.0:
        text = _tr("beta {beta} < 1 counts the KL too low: minus the loss may lie above log p(x).")
        return LossNote(_tr("no longer a bound"), text.format(beta=f"{beta:.3g}"))
    added = []
    if beta > 1.0:
        added.append(_tr("beta {beta}").format(beta=f"{beta:.3g}"))
    if free_bits > 0 and is_relevant("objective.free_bits", config):
        added.append(_tr("free bits {bits}").format(bits=f"{free_bits:.3g}"))
    for value, words in (
        (objective.mmd_weight * is_relevant("objective.mmd_weight", config), _tr("MMD")),
        (objective.tc_weight * is_relevant("objective.tc_weight", config), _tr("total correlation")),
        (objective.weight_prior or 0.0, _tr("weight prior")),
    ):
        if value > 0:
            added.append(words)
    if added:
        text = _tr("{what}: minus the loss lies below the ELBO, which is shown at beta 1 without them.")
        return LossNote(_tr("weighted"), text.format(what=_listed(added)))
    if is_iwae:
        text = _tr("{k} importance samples: what is maximised lies between the ELBO and log p(x).")
        return LossNote(_tr("tighter bound"), text.format(k=objective.samples))
    return None


def is_weighed_bound(config: RunConfig, *, free_bits: float) -> bool:
    """Whether the loss of an image is its distortion + beta KL and nothing else."""
    objective = config.objective
    others = (
        objective.mmd_weight * is_relevant("objective.mmd_weight", config),
        objective.tc_weight * is_relevant("objective.tc_weight", config),
        objective.weight_prior or 0.0,
    )
    return has_plain_terms(config, free_bits=free_bits) and not any(others)


def has_plain_terms(config: RunConfig, *, free_bits: float) -> bool:
    """Whether distortion and beta KL of an image are terms of the loss, other terms beside them or not."""
    objective = config.objective
    is_iwae = objective.bound == "iwae" and is_relevant("objective.bound", config)
    has_free_bits = free_bits > 0 and is_relevant("objective.free_bits", config)
    return config.model.kind == "vae" and objective.similarity == "kl" and not is_iwae and not has_free_bits


def _similarity_reason(similarity: str) -> str:
    name = {
        "mmd": _tr("MMD of all codes"),
        "reverse_kl": _tr("KL[p ‖ q]"),
        "wasserstein2": _tr("squared Wasserstein-2"),
        "renyi": _tr("a Rényi divergence"),
    }[similarity]
    text = _tr("{name} stands in the place of KL[q ‖ p]; the ELBO beside it still is the bound, but is not trained.")
    return text.format(name=name)


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + _tr(" and ") + words[-1]


def comparison_note(config: RunConfig, data: ImageData | None) -> str:
    """Return why a run's numbers compare with no others ('' where they do): Bernoulli on pixels that are grey."""
    if data is None or config.model.likelihood != "bernoulli" or config.data.binarize != "none" or _is_binary(data):
        return ""
    return _tr("Bernoulli on grey pixels is no density: its numbers do not compare beyond these images.")


def _is_binary(data: ImageData) -> bool:
    looked_at = data.images[:: max(1, len(data) // N_LOOKED_AT)]
    return bool(np.isin(looked_at, (0, data.max_value)).all())
