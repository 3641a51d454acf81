"""Words and numbers of the curves: terms with their one-line meaning, values in nats, times and marks."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication

from vae_explorer.gui.widgets.curve_store import Term
from vae_explorer.runs.records import MarkRecord


def _tr(text: str) -> str:
    return QCoreApplication.translate("curves", text)


def term_name(term: Term, *, is_short: bool = False) -> str:
    """Return the name of a term on screen."""
    short, name = {
        "elbo": (_tr("ELBO"), _tr("ELBO")),
        "kl": (_tr("KL"), _tr("KL")),
        "distortion": (_tr("Recon"), _tr("Reconstruction loss")),
        "objective": (_tr("objective"), _tr("objective, −loss")),
        "bound": (_tr("IWAE"), _tr("IWAE bound")),
        "beta": (_tr("beta"), _tr("beta")),
        "mmd": (_tr("MMD"), _tr("MMD squared")),
        "total_correlation": (_tr("TC"), _tr("Total correlation")),
        "similarity": (_tr("Similarity"), _tr("Similarity")),
        "classification_error": (_tr("Error"), _tr("Classification error")),
        "classification_loss": (_tr("−log q(y|x)"), _tr("Classification loss")),
    }[term]
    return short if is_short else name


def term_help(term: Term) -> str:
    """Return the one-line meaning of a term."""
    return {
        "elbo": _tr(
            "ELBO = -(reconstruction loss + KL), the bound on log p(x) at beta 1; nats per image, up is better."
        ),
        "kl": _tr("KL[q(z|x) ‖ p(z)]: what the codes tell beyond the prior; nats per image."),
        "distortion": _tr("Reconstruction loss, -E_q log p(x|z): how badly codes explain their image; nats per image."),
        "objective": _tr("What is maximised: minus the loss, with its weights and further terms; nats per image."),
        "bound": _tr("The importance-weighted bound that is trained, tighter than the ELBO; nats per image."),
        "beta": _tr("Weight of the KL in the loss, its warm-up included."),
        "mmd": _tr("Unbiased estimate of the squared maximum mean discrepancy of codes and prior; no nats."),
        "total_correlation": _tr("How much the codes' dimensions tell of one another, KL[q(z) ‖ Π q(z_j)]; nats."),
        "similarity": _tr("What stands in the place of KL[q ‖ p] in the loss, mean over images."),
        "classification_error": _tr("Share of the images whose most probable class is not their label."),
        "classification_loss": _tr("Mean of −log q(y|x) over images that have a label; nats."),
    }[term]


def figure_text(term: Term, value: float | None) -> str:
    """Return a term's value as it is read: nats with two decimals, shares in per cent, else three digits."""
    if value is None or term not in ("beta", "mmd", "similarity", "classification_error"):
        return nats_text(value)
    return f"{100 * value:.1f} %" if term == "classification_error" else f"{value:.3g}".replace("-", "−")


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
    if mark.name == "warmup" and mark.value == 0:
        return _tr("warm-up as configured from step {step}").format(step=f"{mark.step:,}")
    name = _tr("learning rate") if mark.name == "learning_rate" else mark.name
    return _tr("{name} {value} from step {step}").format(name=name, value=f"{mark.value:g}", step=f"{mark.step:,}")
