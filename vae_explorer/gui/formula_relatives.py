"""The pages of the bound's relatives: the plain autoencoder, M2, the maximum mean discrepancy, and EM."""

from __future__ import annotations

import math

import numpy as np

from vae_explorer.engine.messages import Encoded
from vae_explorer.gui.formula_page import KL, LIKELIHOOD, EmReading, FormulaContext, Page, TermLine, coloured, tr
from vae_explorer.latent import em
from vae_explorer.latent.bound_terms import Estimate
from vae_explorer.latent.mixture import Mixture

EM_POINTS = 500
EM_COMPONENTS = 5


def autoencoder_page(context: FormulaContext) -> Page:
    """What is left of the bound when a code is a point."""
    encoded, config = context.encoded, context.config
    is_point = config is not None and config.model.kind == "autoencoder"
    formula = (
        f"VAE: {coloured(LIKELIHOOD, 'distortion')} − {coloured(KL, 'kl')} "
        f"&nbsp; autoencoder: {coloured('log p(x | z = e(x))', 'distortion')}"
    )
    if is_point:
        distortion = None if encoded is None else Estimate(-float(encoded.distortion[0]), 0.0)
    else:
        distortion = None if context.terms is None else context.terms.expected_log_likelihood
    kl = None if is_point or context.terms is None else context.terms.best_kl
    first = "log p(x | z = e(x))" if is_point else LIKELIHOOD
    return Page(
        formula,
        (
            TermLine(
                "", first, "distortion", tr("Both are trained on this: explain the image by its code."), distortion
            ),
            TermLine(
                "−",
                KL,
                "kl",
                tr("Only the VAE pays for its code; without it the codes lie anywhere, with holes between them."),
                kl,
                tr("none: a point has no density") if is_point else "",
            ),
            TermLine(
                "",
                "log p(x)",
                "bound",
                tr("An autoencoder has no prior, so no bound, no log p(x), and nothing honest to sample from."),
                text=tr("none") if is_point else tr("≥ ELBO"),
            ),
        ),
    )


def m2_page(context: FormulaContext) -> Page:
    """M2's bounds of labelled and unlabelled images (Kingma et al. 2014, eqs. 6 to 9)."""
    q_y = "q(y|x)"
    labelled = (
        f"{coloured('E<sub>q</sub>[log p(x|y,z)]', 'distortion')} + log p(y) − {coloured('KL[q(z|x,y) ‖ p(z)]', 'kl')}"
    )
    formula = f"L(x,y) = {labelled} &nbsp; U(x) = Σ<sub>y</sub> {q_y} L(x,y) + H[{q_y}]"
    encoded = context.encoded
    shares = None if encoded is None or encoded.class_probabilities is None else encoded.class_probabilities[0]
    if encoded is None or shares is None:
        lines = (
            TermLine("", "U(x)", "elbo", tr("Bound of an unlabelled image: every class tried, weighed by q(y|x).")),
            TermLine("", f"H[{q_y}]", "muted", tr("What not knowing the class is worth; 0 where it is certain.")),
            TermLine("", f"α · −log {q_y}", "muted", tr("Beside the bounds, so that q(y|x) learns from labels too.")),
        )
        return Page(formula, lines, tr("Train with kind = m2 and select an image to see its numbers."))
    return Page(formula, _m2_lines(context, encoded, np.asarray(shares, dtype=np.float64), q_y))


def _m2_lines(context: FormulaContext, encoded: Encoded, shares: np.ndarray, q_y: str) -> tuple[TermLine, ...]:
    entropy = float(-(shares * np.log(np.maximum(shares, 1e-30))).sum())
    best = int(np.argmax(shares))
    lines = [
        TermLine(
            "",
            "U(x)",
            "elbo",
            tr("Bound of this image without its label: every class tried, weighed by q(y|x)."),
            Estimate(float(encoded.elbo[0]), float(encoded.elbo_mc_se[0])),
        ),
        TermLine(
            "",
            "Σ<sub>y</sub> q KL<sub>z</sub> + KL[q(y) ‖ p(y)]",
            "kl",
            tr("What class and code cost together."),
            Estimate(float(encoded.kl[0]), 0.0),
        ),
        TermLine(
            "",
            f"H[{q_y}]",
            "muted",
            tr("What not knowing the class is worth, log Y nats at most."),
            Estimate(entropy, 0.0),
            curve=np.sort(shares)[::-1],
            over=tr("q(y|x), largest first"),
        ),
        TermLine(
            "",
            f"max {q_y}",
            "muted",
            tr("Most probable class: {n}.").format(n=best),
            text=f"{100 * shares[best]:.1f} %",
        ),
    ]
    if context.label is not None and 0 <= context.label < len(shares):
        cost = -math.log(max(float(shares[context.label]), 1e-30))
        meaning = tr("What the label costs q(y|x); times α in the loss of images whose label is used.")
        lines.append(TermLine("", f"−log {q_y}", "objective", meaning, Estimate(cost, 0.0)))
    return tuple(lines)


def mmd_page(context: FormulaContext) -> Page:
    """The maximum mean discrepancy of all codes and the prior (Zhao et al. 2019; Tolstikhin et al. 2018)."""
    formula = (
        f"{coloured('MMD²', 'kl')} = E k(z,z′) + E k(u,u′) − 2 E k(z,u), &nbsp; z ~ q(z) = mean of q(z|x), u ~ p(z)"
    )
    values = context.history.get("mmd")
    newest = None if values is None or not len(values) else float(values[-1])
    config = context.config
    weight = 0.0 if config is None else config.objective.mmd_weight
    lines = (
        TermLine(
            "",
            "MMD²",
            "kl",
            tr("Compares all codes together with the prior, not each q with it: no KL, no bound, no nats."),
            text="" if newest is None else f"{newest:.3g}".replace("-", "−"),
            curve=context.over_training("mmd"),
            over=tr("over training"),
        ),
        TermLine(
            "",
            tr("weight"),
            "objective",
            tr("Its factor in the loss, beside the KL or (WAE) in its place."),
            text="" if config is None else f"{weight:g}",
        ),
        TermLine(
            "",
            KL,
            "kl",
            tr("What it stands beside or in the place of, for this image."),
            None if context.terms is None else context.terms.best_kl,
        ),
    )
    note = "" if newest is not None else tr("This run has no MMD in its loss; set objective.mmd_weight for a new one.")
    return Page(formula, lines, note or tr("The unbiased estimate may fall below 0 when codes and prior agree."))


def em_page(context: FormulaContext) -> Page:
    """Jensen's bound of a mixture, whose best q is known."""
    bound = "E<sub>q</sub>[log p(z,k) − log q(k)]"
    formula = (
        f"log p(z) = log Σ<sub>k</sub> π<sub>k</sub> N(z; μ<sub>k</sub>, Σ<sub>k</sub>) ≥ {coloured(bound, 'elbo')}"
    )
    reading = context.em
    before = None if reading is None else Estimate(reading.bound_before, 0.0)
    after = None if reading is None else Estimate(reading.bound_after, 0.0)
    log_density = None if reading is None else Estimate(reading.log_density, 0.0)
    gap = None if reading is None else Estimate(reading.log_density - reading.bound_before, 0.0)
    return Page(
        formula,
        (
            TermLine(
                "",
                "log p(z)",
                "bound",
                tr("Density of this image's code under a mixture of all codes, nats."),
                log_density,
            ),
            TermLine(
                "≥",
                bound,
                "elbo",
                tr("Jensen's bound with all of q on the nearest component: an ELBO without an encoder."),
                before,
            ),
            TermLine("+", "KL[q(k) ‖ p(k|z)]", "gap", tr("The gap: how far q is from the true responsibilities."), gap),
            TermLine(
                "=",
                tr("after the E step"),
                "elbo",
                tr("q = p(k|z): the bound touches. A VAE's encoder is a lazy E step; see EM."),
                after,
            ),
        ),
        "" if reading is not None else tr("Select an image of a trained run: its code is read under a small mixture."),
    )


def em_reading(codes: np.ndarray, code: np.ndarray) -> EmReading:
    """Return one code (d,) under a small mixture started on codes (n, d)."""
    points = np.asarray(codes, dtype=np.float64)
    points = points[:: max(1, len(points) // EM_POINTS)]
    mixture: Mixture = em.start(points, min(EM_COMPONENTS, len(points)), covariance="diagonal").mixture
    point = np.asarray(code, dtype=np.float64)[None]
    shares, log_density = em.expect(point, mixture)
    nearest = np.argmin(np.square(mixture.means - point).sum(axis=1))
    hard = np.eye(mixture.n_components)[[nearest]]
    return EmReading(log_density, em.jensen_bound(point, hard, mixture), em.jensen_bound(point, shares, mixture))
