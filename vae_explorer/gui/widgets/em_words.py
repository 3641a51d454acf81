"""Words of the EM panel: what a step did, and of what points."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication

from vae_explorer.engine.messages import CodesSnapshot
from vae_explorer.gui.theme import current_theme
from vae_explorer.gui.widgets.em_history import EmStep
from vae_explorer.gui.widgets.em_points import EmPoints


def _tr(text: str) -> str:
    return QCoreApplication.translate("em", text)


def step_text(step: EmStep, *, is_fitting: bool, has_risen: bool) -> str:
    """Return what a step did and both figures after it, as rich text; the bound in its colour. Nats a point.

    has_risen: whether the bound is higher than before the step.
    """
    deed = {
        "start": _tr("Start: each point belongs to its nearest seed."),
        "e": _tr("E step: the bound touches log p(x)."),
        "m": _tr("M step: bound and log p(x) have risen.") if has_risen else _tr("M step: all was won; E goes on."),
        "fit": _tr("Fit: rounds of M and E.") if is_fitting else _tr("Fit: it stands."),
    }[step.action]
    text = _tr("log p(x) <b>{likelihood}</b>, <span style='color: {colour}'>bound <b>{bound}</b></span>")
    likelihood, bound = (f"{value:.4f}".replace("-", "−") for value in (step.result.log_likelihood, step.result.bound))
    return f"{deed} {text.format(likelihood=likelihood, bound=bound, colour=current_theme().elbo)}"


def points_text(points: EmPoints, step: EmStep | None, codes: CodesSnapshot | None) -> str:
    """Return how many points of what are shown; codes: the model's newest, where the points are codes."""
    n, n_all = f"{len(points.points):,}", f"{points.n_all:,}"
    if points.step is None:
        parts = [_tr("{n} drawn points").format(n=n)]
    else:
        of = _tr("{n} codes") if n == n_all else _tr("a sample of {n} of {all} codes")
        parts = [of.format(n=n, all=n_all), _tr("step {step}").format(step=f"{points.step:,}")]
        if points.n_dims > 2:
            parts.append(_tr("seen along their two main directions"))
    if codes is not None and codes.step != points.step:
        parts.append(_tr("the model is at step {step}: Start takes its codes").format(step=f"{codes.step:,}"))
    if step is not None and step.result.is_at_floor:
        parts.append(_tr("a covariance is at its floor"))
    return " · ".join(parts)
