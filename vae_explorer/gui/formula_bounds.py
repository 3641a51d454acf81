"""The pages of the bound itself: the ELBO, its two readings, importance weights, log p(x) and the gap, the loss."""

from __future__ import annotations

import numpy as np

from vae_explorer.config import RunConfig
from vae_explorer.config_rules import LABELLED
from vae_explorer.engine.messages import Inspected
from vae_explorer.gui.bound_words import has_plain_terms, is_weighed_bound, loss_note
from vae_explorer.gui.formula_page import (
    JOINT,
    KL,
    LIKELIHOOD,
    TRUE_KL,
    Floats,
    FormulaContext,
    Page,
    TermLine,
    coloured,
    tr,
)
from vae_explorer.latent.bound_terms import BoundTerms, Estimate, mean_of, running_log_mean_exp, running_mean


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
        " ".join(part for part in (context.comparison, prior_note(context)) if part),
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
    lines = _estimated_gap(context) if context.inspected is None else _exact_gap(context, context.inspected)
    note = tr("Not collapse: with q = p(z) and a decoder that ignores z the gap is 0, and so is the KL.")
    return Page(formula, lines, " ".join(part for part in (note, prior_note(context)) if part))


def _gap_meaning() -> str:
    return tr("How far q is from the true posterior: what the bound is loose by, never negative.")


def _exact_gap(context: FormulaContext, exact: Inspected) -> tuple[TermLine, ...]:
    curves, over = context.exact_history, tr("of this image, over the steps since it was selected")
    if not curves and context.exact_of_terms is not None and context.terms is not None:
        curves, over = _climb(context.terms, log_px=exact.log_px), tr("as K draws come to it, k = 1 ... K")
    log_px = tr("By quadrature over all codes; the error is the change at double resolution.")
    return (
        TermLine("", "log p(x)", "bound", log_px, Estimate(exact.log_px, exact.log_px_error),
                 curve=curves.get("log_px"), over=over),
        TermLine("=", "ELBO", "elbo", tr("By quadrature over q, no draws; its own error."),
                 Estimate(exact.elbo, exact.elbo_error), curve=curves.get("elbo"), over=over),
        TermLine("+", TRUE_KL, "gap", _gap_meaning(), Estimate(exact.gap, exact.error),
                 curve=curves.get("gap"), over=over),
    )  # fmt: skip


def _estimated_gap(context: FormulaContext) -> tuple[TermLine, ...]:
    terms = context.terms
    bound = None if terms is None else terms.iwae
    rest = None if terms is None or bound is None else Estimate(bound.value - terms.sampled.value, bound.error)
    curves, over = {} if terms is None else _climb(terms), tr("k = 1 ... K")
    log_px = tr("Importance-weighted bound of the K draws: biased low.")
    return (
        TermLine("", tr("log p(x), estimate"), "bound", log_px, bound, curve=curves.get("log_px"), over=over),
        TermLine("=", "ELBO", "elbo", tr("Mean of the same log-weights."), None if terms is None else terms.sampled,
                 curve=curves.get("elbo"), over=over),
        TermLine("+", TRUE_KL, "gap", _gap_meaning() + " " + tr("An estimate, too small."), rest,
                 curve=curves.get("gap"), over=over),
    )  # fmt: skip


def _climb(terms: BoundTerms, *, log_px: float | None = None) -> dict[str, Floats]:
    """The estimates by the first k draws, (K,); the gap is that to `log_px` where it is known."""
    bounds, means = running_log_mean_exp(terms.log_weight), running_mean(terms.log_weight)
    return {"log_px": bounds, "elbo": means, "gap": (bounds if log_px is None else log_px) - means}


def prior_note(context: FormulaContext) -> str:
    """What is to be known of log p(z) where it is no more than an estimate itself."""
    config, terms = context.config, context.terms
    if config is None or config.model.kind != "m1m2" or terms is None or terms.kl is not None:
        return ""
    return tr(
        "log p(z) of the stacked model is itself an estimate by importance weights, a little low; so is all of this."
    )


def loss_page(context: FormulaContext) -> Page:
    """What training minimises: the same terms, weighed; a number only where these are all that an image's loss has."""
    terms, config = context.terms, context.config
    is_plain = config is None or has_plain_terms(config, free_bits=context.free_bits)
    is_all = config is None or is_weighed_bound(config, free_bits=context.free_bits)
    formula = f"loss = − {coloured(LIKELIHOOD, 'distortion')} + β {coloured(KL, 'kl')}"
    if not is_all:
        formula = f"−ELBO<sub>β</sub> = − {coloured(LIKELIHOOD, 'distortion')} + β {coloured(KL, 'kl')} &nbsp; ≠ loss"
    likelihood = None if terms is None else terms.expected_log_likelihood
    distortion = None if likelihood is None else Estimate(-likelihood.value, likelihood.error)
    kl = None if terms is None or not is_plain else terms.best_kl
    weighed = None if kl is None else Estimate(context.beta * kl.value, abs(context.beta) * (kl.error or 0.0))
    lines = (
        TermLine("", "loss", "objective", tr("Of this image, nats; minus the ELBO exactly where β = 1."),
                 _weighed_loss(context) if is_all else None, "" if is_all else tr("no number"),
                 context.over_training("loss"), tr("mean over the images, over training")),
        TermLine("=", f"−{LIKELIHOOD}", "distortion", tr("Reconstruction loss; its weight is always 1."), distortion,
                 curve=context.over_training("distortion"), over=tr("mean over the images, over training")),
        TermLine("+", f"β · KL, β = {context.beta:.3g}", "kl",
                 tr("Below 1 the loss is no bound, above 1 a looser one; the ELBO is always shown at β = 1."),
                 weighed, "" if is_plain else tr("not in the loss like this"),
                 context.over_training("beta"), tr("β over training")),
    )  # fmt: skip
    return Page(formula, lines, "" if config is None or is_all else _why_no_number(context, config))


def _weighed_loss(context: FormulaContext) -> Estimate | None:
    terms = context.terms
    if terms is None:
        return None
    draws = -terms.log_likelihood
    if terms.kl is not None:
        return mean_of(draws + context.beta * terms.kl)
    return mean_of(draws + context.beta * (terms.log_posterior - terms.log_prior))


def _why_no_number(context: FormulaContext, config: RunConfig) -> str:
    if config.model.kind in LABELLED:
        return tr(
            "The loss weighs images with and without labels and adds what labels cost q(y|x): no one image has it."
        )
    if config.model.kind == "autoencoder":
        return tr("An autoencoder's loss is the distortion alone; see Autoencoder.")
    note = loss_note(config, beta=context.beta, free_bits=context.free_bits)
    return "" if note is None else tr("The loss of this run is another number.") + " " + note.reason
