"""The pages of what else may hold the codes near the prior: other similarities of q and p, free bits, correlation."""

from __future__ import annotations

import numpy as np

from vae_explorer.gui.formula_page import KL, LIKELIHOOD, Floats, FormulaContext, Page, Q, TermLine, coloured, tr
from vae_explorer.latent.bound_terms import Estimate

ALPHA = 0.5
"""Order of the Renyi divergence that is shown where the run has none of its own."""


def similarities_page(context: FormulaContext) -> Page:
    """KL[q ‖ p] and what the loss may hold in its place, of the selected image's q and N(0, I)."""
    formula = f"− {coloured(LIKELIHOOD, 'distortion')} + β {coloured(f'D[{Q}, p(z)]', 'kl')}"
    config, q = context.config, context.normal_q
    alpha = config.objective.renyi_alpha if config is not None and config.objective.similarity == "renyi" else ALPHA
    no_bound = " " + tr("In the place of the KL: no longer a bound.")
    kl, reverse, distance, divergence = (None,) * 4 if q is None else _parts(*q, alpha=alpha)
    lines = (
        _line(KL, tr("The one that makes the loss a bound."), kl),
        _line(f"KL[p(z) ‖ {Q}]", tr("The other way round: q has to cover all of the prior.") + no_bound, reverse),
        _line(f"D<sub>{alpha:g}</sub>[{Q} ‖ p(z)]", tr("Rényi divergence; the KL for α to 1.") + no_bound, divergence),
        _line("W<sub>2</sub>²", tr("Squared Wasserstein-2 distance, of no nats.") + no_bound, distance),
    )  # fmt: skip
    note = "" if q is not None else _missing(context)
    return Page(
        formula, lines, note or tr("Nats, but for W₂². The small curves: what each dimension has of it, sorted.")
    )


def _parts(loc: Floats, scale: Floats, *, alpha: float) -> tuple[Floats, Floats, Floats, Floats]:
    """Return by dimension, (d,), of N(loc, scale^2) and N(0, 1): KL, reverse KL, squared W2, Renyi of order alpha."""
    square, log_scale = np.square(scale), np.log(scale)
    kl = 0.5 * (np.square(loc) + square - 1.0) - log_scale
    reverse = log_scale + (1.0 + np.square(loc)) / (2.0 * square) - 0.5
    distance = np.square(loc) + np.square(scale - 1.0)
    mixed = alpha + (1.0 - alpha) * square
    divergence = -log_scale + np.log(mixed) / (2.0 * (1.0 - alpha)) + alpha * np.square(loc) / (2.0 * mixed)
    return kl, reverse, distance, divergence


def free_bits_page(context: FormulaContext) -> Page:
    """What each dimension costs where its first lambda nats are free (Kingma et al. 2016, eq. 15)."""
    penalty = "Σ<sub>j</sub> max(λ, mean KL<sub>j</sub>)"
    formula = f"loss = − {coloured(LIKELIHOOD, 'distortion')} + β {coloured(penalty, 'kl')}"
    mean, q, bits = context.mean_kl, context.normal_q, context.free_bits
    n_free = None if mean is None else int((mean < bits).sum())
    lines = (
        _line(penalty, tr("What the loss counts, the mean being over all images here, over a batch in training."),
              None if mean is None else np.maximum(bits, mean)),
        _line("Σ<sub>j</sub> mean KL<sub>j</sub>", tr("What the codes cost in truth; the ELBO counts this."), mean),
        TermLine("", tr("dimensions below λ"), "muted",
                 tr("The KL does not push these any more; λ = {bits} nats.").format(bits=f"{bits:.3g}"),
                 text="" if mean is None else tr("{n} of {d}").format(n=n_free, d=len(mean))),
        _line(KL, tr("Of the selected image alone: λ is held against the mean, not against this."),
              None if q is None else _parts(*q, alpha=ALPHA)[0]),
    )  # fmt: skip
    note = tr("No longer the bound: minus the loss lies below the ELBO, as λ is paid where less is used.")
    return Page(formula, lines, note if mean is not None else _missing(context))


def correlation_page(context: FormulaContext) -> Page:
    """The total correlation of the codes (Chen et al. 2018, eq. 2)."""
    symbol = "KL[q(z) ‖ Π<sub>j</sub> q(z<sub>j</sub>)]"
    formula = f"loss = −ELBO + w {coloured(symbol, 'kl')}, &nbsp; q(z) = mean of {Q} over the images"
    seen = context.history.get("total_correlation")
    newest = None if seen is None or not len(seen) else Estimate(float(seen[-1]), None)
    weight = None if context.config is None else context.config.objective.tc_weight
    share = None if context.correlation is None else Estimate(context.correlation, None)
    lines = (
        TermLine("", symbol, "kl", tr("How far the dimensions of all codes are from independent, by the last batch."),
                 newest, "" if newest is not None or weight != 0 else tr("not trained"),
                 context.over_training("total_correlation"), tr("over training")),
        TermLine("", "log q(z) − Σ<sub>j</sub> log q(z<sub>j</sub>)", "kl",
                 tr("At this image's mean code: its part in it, of either sign, from all codes of the map."), share),
        TermLine("", tr("weight w"), "objective", tr("Its factor in the loss, beside the KL, which holds it once."),
                 text="" if weight is None else f"{weight:g}"),
    )  # fmt: skip
    note = tr(
        "No longer the bound: with w > 0 minus the loss lies below the ELBO. Nats, estimated from a batch: biased."
    )
    return Page(formula, lines, note)


def correlation_at(code: Floats, loc: Floats, scale: Floats) -> float:
    """Return log q(z) - sum_j log q(z_j), nats, at a code (d,), q(z) the mean of N(loc, scale^2), both (n, d)."""
    log_q = -0.5 * np.square((code - loc) / scale) - np.log(scale)  # the constants cancel, as does that of the mean
    n_dims, log_n = log_q.shape[1], np.log(len(log_q))
    joint = np.logaddexp.reduce(log_q.sum(axis=1)) - log_n
    return float(joint - (np.logaddexp.reduce(log_q, axis=0).sum() - n_dims * log_n))


def _line(symbol: str, meaning: str, parts: Floats | None) -> TermLine:
    if parts is None:
        return TermLine("", symbol, "kl", meaning)
    over = tr("of each dimension, largest first")
    return TermLine("", symbol, "kl", meaning, Estimate(float(parts.sum()), 0.0), curve=np.sort(parts)[::-1], over=over)


def _missing(context: FormulaContext) -> str:
    model = None if context.config is None else context.config.model
    if model is not None and (model.kind != "vae" or model.prior != "standard_normal"):
        return tr("Closed forms are there for a VAE with the prior N(0, I) only.")
    return tr("Select an image of a trained run to see its numbers.")
