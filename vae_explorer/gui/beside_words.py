"""What is said of the autoencoder beside a run: how well it reconstructs, and how much of its box is hole."""

from __future__ import annotations

import math

import numpy as np
from PySide6.QtCore import QCoreApplication

from vae_explorer.config import RunConfig
from vae_explorer.config_rules import has_normal_prior
from vae_explorer.engine.messages import CodesSnapshot
from vae_explorer.gui.widgets.figure import number_text
from vae_explorer.latent.holes import NEIGHBOUR_DISTANCES, box_hole_share, hole_distance, prior_hole_share


def _tr(text: str) -> str:
    return QCoreApplication.translate("beside_words", text)


def state_text(step: int, codes: CodesSnapshot | None, run: CodesSnapshot | None) -> str:
    """Return step and distortion of the autoencoder, with that of the run beside it."""
    parts = [_tr("step {step}").format(step=f"{step:,}")]
    if codes is not None:
        beside = "" if run is None else _tr(" (VAE {nats})").format(nats=_nats(run))
        parts.append(_tr("distortion {nats} nats").format(nats=_nats(codes)) + beside)
    return " · ".join(parts)


def holes_text(codes: CodesSnapshot, run: CodesSnapshot | None, config: RunConfig | None) -> str:
    """Return how much of the box of the autoencoder's codes is hole, and of the run's prior where that is N(0, I)."""
    text = _tr("{share} of the box of its codes: farther than {far} from any.")
    lines = [text.format(share=_percent(box_hole_share(codes.loc)), far=_distance(codes))]
    if run is not None and config is not None and has_normal_prior(config):
        text = _tr("{share} of the VAE's prior: farther than {far} from any.")
        lines.append(text.format(share=_percent(prior_hole_share(run.loc)), far=_distance(run)))
    return "\n".join(lines)


def holes_help() -> str:
    """Return what a hole is."""
    return _tr(
        "Holes: places far from the code of any image, which the decoder has never seen. Far is {factor} times the "
        "codes' median distance to their nearest neighbour. Samples of an autoencoder can only be taken from the box "
        "of its codes, those of a VAE are taken from its prior."
    ).format(factor=f"{NEIGHBOUR_DISTANCES:g}")


def _nats(codes: CodesSnapshot) -> str:
    return number_text(float(np.mean(codes.distortion)), 2)


def _percent(share: float) -> str:
    return "–" if math.isnan(share) else f"{100 * share:.0f}\N{NO-BREAK SPACE}%"


def _distance(codes: CodesSnapshot) -> str:
    return f"{hole_distance(codes.loc):.2g}"
