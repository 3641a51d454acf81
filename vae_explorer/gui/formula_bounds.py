"""The pages of the bound itself: the ELBO, its two readings, importance weights, log p(x) and the gap, the loss."""

from __future__ import annotations

import math

import numpy as np

from vae_explorer.gui.formula_page import (
    JOINT,
    KL,
    LIKELIHOOD,
    TRUE_KL,
    FormulaContext,
    Page,
    Q,
    TermLine,
    coloured,
    tr,
)
from vae_explorer.latent.bound_terms import Estimate, running_log_mean_exp, running_mean


def elbo_page(context: FormulaContext) -> Page:
    """The bound and its two terms."""
    terms = context.terms
    formula = f"log p(x) ≥ {coloured('ELBO', 'elbo')} = {coloured(LIKELIHOOD, 'distortion')} − {coloured(KL, 'kl')}"
    draws = tr("running mean over the K draws")
    has_closed = terms is None or terms.kl is not None
    kl_meaning = tr("What the code costs: how far q is from the prior. Never negative; closed form, no draws.")
    if not has_closed:
        kl_meaning = tr(
            "What the code costs: how far q is from the prior; sampled, since this prior has no closed form."
        )
    return Page(
        formula,
        (
            TermLine(
                "",
                "ELBO",
                "elbo",
                tr("A lower bound of log p(x), nats per image; higher is better."),
                None if terms is None else terms.elbo,
                curve=None if terms is None else running_mean(terms.log_likelihood - terms.best_kl.value),
                over=draws,
            ),
            TermLine(
                "=",
                LIKELIHOOD,
                "distortion",
                tr("How well codes drawn from q explain the image: minus the reconstruction loss."),
                None if terms is None else terms.expected_log_likelihood,
                curve=None if terms is None else running_mean(terms.log_likelihood),
                over=draws,
            ),
            TermLine(
                "−",
                KL,
                "kl",
                kl_meaning,
                None if terms is None else terms.best_kl,
                curve=context.over_training("kl"),
                over=tr("mean over the images, over training"),
            ),
        ),
        context.comparison,
    )


def readings_page(context: FormulaContext) -> Page:
    """The same bound twice: KL in closed form, and everything sampled."""
    terms = context.terms
    formula = (
        f"{coloured('ELBO', 'elbo')} = {coloured(LIKELIHOOD, 'distortion')} − {coloured(KL, 'kl')} "
        f"= {coloured(JOINT, 'elbo')}"
    )
    draws = tr("running mean over the K draws")
    lines = [
        TermLine(
            "①",
            f"{LIKELIHOOD} − {KL}",
            "elbo",
            tr("First reading: the KL in closed form, the rest from K draws."),
            None if terms is None else terms.closed,
            "" if terms is None or terms.closed else tr("no closed form"),
            curve=None if terms is None or terms.kl is None else running_mean(terms.log_likelihood - terms.kl),
            over=draws,
        ),
        TermLine(
            "②",
            JOINT,
            "elbo",
            tr("Second reading: everything from the same K draws, the mean of the log-weights."),
            None if terms is None else terms.sampled,
            curve=None if terms is None else running_mean(terms.log_weight),
            over=draws,
        ),
        TermLine(
            "②−①",
            tr("difference"),
            "kl",
            _difference_meaning(context),
            None if terms is None else terms.difference,
            curve=None
            if terms is None or terms.kl is None
            else running_mean(terms.log_prior - terms.log_posterior + terms.kl),
            over=draws,
        ),
    ]
    return Page(formula, tuple(lines))


def _difference_meaning(context: FormulaContext) -> str:
    difference = None if context.terms is None else context.terms.difference
    if difference is None or not difference.error:
        return tr("0 in expectation: the noise of the sampled KL alone.")
    text = tr("0 in expectation; here {n} Monte Carlo standard errors from it, the noise of the sampled KL alone.")
    return text.format(n=f"{abs(difference.value) / difference.error:.1f}")


def importance_page(context: FormulaContext) -> Page:
    """The importance-weighted bound of the same draws."""
    terms = context.terms
    k = "K" if terms is None else str(terms.samples)
    bound = "log <sup>1</sup>⁄<sub>K</sub> Σ<sub>k</sub> w<sub>k</sub>"
    formula = (
        f"{coloured('ELBO', 'elbo')} ≤ L<sub>K</sub> = E[{bound}] ≤ log p(x),"
        f" &nbsp; w<sub>k</sub> = p(x,z<sub>k</sub>) / q(z<sub>k</sub>|x)"
    )
    share = None if terms is None else float(terms.normalised_weights.max())
    return Page(
        formula,
        (
            TermLine(
                "",
                "L<sub>1</sub> = ELBO",
                "elbo",
                tr("Mean of the log of each weight: K = 1, K times over."),
                None if terms is None else terms.sampled,
                curve=None if terms is None else running_mean(terms.log_weight),
                over=tr("running mean over K draws"),
            ),
            TermLine(
                "≤",
                f"L<sub>{k}</sub>",
                "bound",
                tr("Log of the mean weight (IWAE): tighter with every draw."),
                None if terms is None else terms.iwae,
                curve=None if terms is None else running_log_mean_exp(terms.log_weight),
                over=tr("k = 1 ... K"),
            ),
            TermLine(
                "",
                tr("effective samples"),
                "muted",
                tr("1 / Σ of squared normalised weights: how many draws count."),
                text="" if terms is None else tr("{n} of {k}").format(n=f"{terms.effective_samples:.1f}", k=k),
                curve=None if terms is None else np.sort(terms.normalised_weights)[::-1],
                over=tr("normalised weights, largest first"),
            ),
            TermLine(
                "",
                tr("largest weight"),
                "muted",
                tr("The best draw's share of all weight; near 1 the estimate is not to be trusted."),
                text="" if share is None else f"{100 * share:.0f} %",
            ),
        ),
    )


def gap_page(context: FormulaContext) -> Page:
    """log p(x) = ELBO + gap: exact where quadrature can tell."""
    formula = f"log p(x) = {coloured('ELBO', 'elbo')} + {coloured(TRUE_KL, 'gap')}"
    exact, terms = context.inspected, context.terms
    meaning = tr("How far q is from the true posterior: what the bound is loose by, never negative.")
    if exact is not None:
        error = exact.error
        lines = (
            TermLine(
                "",
                "log p(x)",
                "bound",
                tr("By quadrature over all codes; the error is the change at double resolution."),
                Estimate(exact.log_px, error),
            ),
            TermLine("=", "ELBO", "elbo", tr("By quadrature over q, no draws."), Estimate(exact.elbo, 0.0)),
            TermLine("+", TRUE_KL, "gap", meaning, Estimate(exact.gap, error)),
        )
    else:
        bound = None if terms is None else terms.iwae
        rest = None if terms is None or bound is None else Estimate(bound.value - terms.sampled.value, bound.error)
        lines = (
            TermLine(
                "",
                tr("log p(x), estimate"),
                "bound",
                tr("Importance-weighted bound of the K draws: biased low."),
                bound,
            ),
            TermLine(
                "=", "ELBO", "elbo", tr("Mean of the same log-weights."), None if terms is None else terms.sampled
            ),
            TermLine("+", TRUE_KL, "gap", meaning + " " + tr("An estimate, too small."), rest),
        )
    return Page(
        formula,
        lines,
        tr("Not collapse: with q = p(z) and a decoder that ignores z the gap is 0, and so is the KL."),
    )


def loss_page(context: FormulaContext) -> Page:
    """What training minimises: the same terms, weighed."""
    terms, config = context.terms, context.config
    has_free_bits = context.free_bits > 0
    penalty = "Σ<sub>j</sub> max(λ, KL<sub>j</sub>)" if has_free_bits else KL
    formula = f"loss = − {coloured(LIKELIHOOD, 'distortion')} + β {coloured(penalty, 'kl')}"
    distortion = (
        None if terms is None else Estimate(-terms.expected_log_likelihood.value, terms.expected_log_likelihood.error)
    )
    weighed = None if terms is None else context.beta * terms.best_kl.value
    loss = None if distortion is None or weighed is None else Estimate(distortion.value + weighed, distortion.error)
    lines = [
        TermLine(
            "",
            "loss",
            "objective",
            tr("Of this image, nats; minus the ELBO exactly where β = 1."),
            loss,
            curve=context.over_training("loss"),
            over=tr("mean over the images, over training"),
        ),
        TermLine(
            "=",
            f"−{LIKELIHOOD}",
            "distortion",
            tr("Reconstruction loss; its weight is always 1."),
            distortion,
            curve=context.over_training("distortion"),
            over=tr("mean over the images, over training"),
        ),
        TermLine(
            "+",
            f"β · KL, β = {context.beta:.3g}",
            "kl",
            tr("Below 1 the loss is no bound, above 1 a looser one; the ELBO is always shown at β = 1."),
            None if weighed is None else Estimate(weighed, 0.0),
            curve=context.over_training("beta"),
            over=tr("β over training"),
        ),
    ]
    note = ""
    if has_free_bits:
        note = tr(
            "Free bits, λ = {bits}: a dimension whose KL, averaged over the batch, is below λ costs λ all the same."
        )
        note = note.format(bits=f"{context.free_bits:.3g}")
    elif config is not None and config.objective.similarity != "kl":
        note = tr("This run puts another similarity in the place of the KL; see Curves.")
    return Page(formula, tuple(lines), note)


def is_known(value: float | None) -> bool:
    """Whether a figure of the engine is there: neither None nor NaN."""
    return value is not None and math.isfinite(value)


__all__ = ["Q", "elbo_page", "gap_page", "importance_page", "is_known", "loss_page", "readings_page"]
