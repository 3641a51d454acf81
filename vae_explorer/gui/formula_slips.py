"""The page of common slips: each as it is written, the wrong number beside the right one for the selected image."""

from __future__ import annotations

import numpy as np

from vae_explorer.gui.formula_page import KL, LIKELIHOOD, TRUE_KL, FormulaContext, Page, TermLine, tr
from vae_explorer.latent.bound_terms import BoundTerms, Estimate, log_mean_exp

WRONG, RIGHT = "✗", "✓"


def slips_page(context: FormulaContext) -> Page:
    """Pairs of lines: what is wrong, in the colour of errors, and what is right."""
    terms = context.terms
    elbo = None if terms is None else terms.elbo
    right = TermLine(RIGHT, f"{LIKELIHOOD} − {KL}", "elbo", tr("The ELBO of this image."), elbo)
    lines: list[TermLine] = []
    for slip in (_plus, _mean_over_pixels, _true_posterior):
        lines += [slip(context), right]
    lines += [
        _one_draw(terms),
        TermLine(RIGHT, tr("mean of K draws"), "elbo", tr("With its error by the draws."), elbo),
    ]
    lines += [
        _upside_down(terms),
        TermLine(
            RIGHT, "log mean w", "bound", tr("The best draw has most of the weight."),
            None if terms is None else terms.iwae,
        ),
    ]  # fmt: skip
    lines += [_sign(terms), right]
    note = "" if terms is not None else tr("Select an image to see its numbers.")
    return Page(tr("What is written by mistake, and what it does to the number"), tuple(lines), note)


def _plus(context: FormulaContext) -> TermLine:
    terms = context.terms
    value = None
    if terms is not None:
        value = Estimate(terms.expected_log_likelihood.value + terms.best_kl.value, terms.expected_log_likelihood.error)
    meaning = tr("A plus before the KL: codes are paid for being far from the prior; this may exceed log p(x).")
    return TermLine(WRONG, f"{LIKELIHOOD} + {KL}", "error", meaning, value)


def _mean_over_pixels(context: FormulaContext) -> TermLine:
    terms, pixels = context.terms, max(1, context.pixels)
    value = None
    if terms is not None:
        likelihood = terms.expected_log_likelihood
        error = None if likelihood.error is None else likelihood.error / pixels
        value = Estimate(likelihood.value / pixels - terms.best_kl.value, error)
    meaning = tr("Mean over the {d} pixels, sum over latents: in truth β = {d}, and the posterior collapses.")
    symbol = f"<sup>1</sup>⁄<sub>D</sub> {LIKELIHOOD} − {KL}"
    return TermLine(WRONG, symbol, "error", meaning.format(d=f"{context.pixels:,}" if context.pixels else "D"), value)


def _true_posterior(context: FormulaContext) -> TermLine:
    terms, exact = context.terms, context.exact_of_terms
    value, text = None, ""
    if terms is not None and exact is not None:
        value = Estimate(terms.expected_log_likelihood.value - exact.gap, terms.expected_log_likelihood.error)
    elif terms is not None and context.latent_dim > 2:
        text = tr("not known")
    meaning = tr("The KL inside the ELBO goes to the prior; the one to the true posterior is the gap above it.")
    return TermLine(WRONG, f"{LIKELIHOOD} − {TRUE_KL}", "error", meaning, value, text)


def _one_draw(terms: BoundTerms | None) -> TermLine:
    value = None if terms is None else Estimate(float(terms.log_weight[0]), None)
    curve = None if terms is None else np.sort(terms.log_weight)
    meaning = tr("One draw taken for the expectation: K = 1 is unbiased, but this far off by chance.")
    return TermLine(
        WRONG, "log w<sub>1</sub>", "error", meaning, value, curve=curve, over=tr("all K log-weights, sorted")
    )


def _upside_down(terms: BoundTerms | None) -> TermLine:
    value = None if terms is None else Estimate(-log_mean_exp(-terms.log_weight), None)
    meaning = tr("Weights upside down (the harmonic mean): the worst draw has most of the weight.")
    return TermLine(WRONG, "−log mean <sup>1</sup>⁄<sub>w</sub>", "error", meaning, value)


def _sign(terms: BoundTerms | None) -> TermLine:
    value = None if terms is None else Estimate(-terms.elbo.value, terms.elbo.error)
    meaning = tr("A loss that is called ELBO: minus the bound, so that lower would be better.")
    return TermLine(WRONG, f"−{LIKELIHOOD} + {KL}", "error", meaning, value)
