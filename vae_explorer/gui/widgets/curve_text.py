"""Words and numbers of the curves: terms with their one-line meaning, values in nats, times and marks."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication

from vae_explorer.gui.widgets.curve_store import Term
from vae_explorer.runs.records import MarkRecord


def _tr(text: str) -> str:
    return QCoreApplication.translate("curves", text)


def term_name(term: Term, *, is_short: bool = False) -> str:
    """Return the name of a term on screen."""
    if term == "distortion":
        return _tr("Recon") if is_short else _tr("Reconstruction loss")
    return {"elbo": _tr("ELBO"), "kl": _tr("KL")}[term]


def term_help(term: Term) -> str:
    """Return the one-line meaning of a term."""
    return {
        "elbo": _tr(
            "ELBO = -(reconstruction loss + KL), the bound on log p(x) at beta 1; nats per image, up is better."
        ),
        "kl": _tr("KL[q(z|x) ‖ p(z)]: what the codes tell beyond the prior; nats per image."),
        "distortion": _tr("Reconstruction loss, -E_q log p(x|z): how badly codes explain their image; nats per image."),
    }[term]


def nats_text(value: float | None) -> str:
    """Return a value with as many decimals as matter: '−151.20', '4.93', '12,345'."""
    if value is None:
        return "–"
    decimals = 2 if abs(value) < 1000 else 1 if abs(value) < 10_000 else 0
    return f"{value:,.{decimals}f}".replace("-", "−")


def duration_text(seconds: float) -> str:
    """Return a time of training: '42 s', '3 min 12 s', '2 h 05 min'."""
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def mark_text(mark: MarkRecord) -> str:
    """Return what was changed by hand: 'beta 4 from step 1,200'."""
    if mark.name == "part":
        whose = {1.0: _tr("encoder alone"), 2.0: _tr("decoder alone")}.get(mark.value, _tr("all weights"))
        return _tr("{whose} from step {step}").format(whose=whose, step=f"{mark.step:,}")
    name = _tr("learning rate") if mark.name == "learning_rate" else mark.name
    return _tr("{name} {value} from step {step}").format(name=name, value=f"{mark.value:g}", step=f"{mark.step:,}")
