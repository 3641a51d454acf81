"""`BoundReading`: log p(x) of one image, its ELBO and what lies between them, in nats; and words about them."""

from __future__ import annotations

import math
from dataclasses import dataclass

from PySide6.QtCore import QCoreApplication

from vae_explorer.engine.messages import Climbed, Improved, Inspected
from vae_explorer.gui.widgets.bound_equation import nats

K_HAT_MOST = 0.7
"""Above this the log-weights' mean has no variance to speak of and its errors mean nothing (Vehtari et al. 2024)."""


def _tr(text: str) -> str:
    return QCoreApplication.translate("bound", text)


@dataclass(frozen=True)
class BoundReading:
    """log_px: exact by quadrature where `is_exact`, else an estimate from below; error: of log_px.

    start: the ELBO of the encoder's q, elbo: of the q that is shown. amortisation: what the best q for this image
    wins over the encoder's, None while that is unknown.
    """

    log_px: float
    error: float
    start: float
    elbo: float
    amortisation: float | None
    is_exact: bool
    start_error: float | None = None
    """Of the ELBO: by its rule where it is exact, else its standard error by the samples."""

    @property
    def gap(self) -> float:
        """log p(x) minus the ELBO of the encoder's q."""
        return self.log_px - self.start

    @property
    def family(self) -> float | None:
        """What is left of the gap under the best q, None while that is unknown."""
        return None if self.amortisation is None else self.gap - self.amortisation

    @property
    def to_win(self) -> float | None:
        """What is left of the amortisation gap under the q that is shown."""
        return None if self.amortisation is None else self.start + self.amortisation - self.elbo


def exact_reading(answer: Inspected, improved: Improved | None, elbo_now: float | None) -> BoundReading:
    """Read a quadrature; improved: the best q where it is known, elbo_now: of the q on the way there."""
    return BoundReading(
        answer.log_px, answer.log_px_error, answer.elbo, _moved(answer.elbo, improved, elbo_now),
        _amortisation(improved, answer.index, answer.step), is_exact=True,
        start_error=answer.elbo_error,
    )  # fmt: skip


def estimated_reading(answer: Climbed, improved: Improved | None, elbo_now: float | None) -> BoundReading:
    """Read the ladder: its first rung is the ELBO, its last the estimate of log p(x)."""
    start = float(answer.bounds[0])
    return BoundReading(
        answer.log_px, answer.log_px_mc_se, start, _moved(start, improved, elbo_now),
        _amortisation(improved, answer.index, answer.step), is_exact=False, start_error=float(answer.errors[0]),
    )  # fmt: skip


def _amortisation(improved: Improved | None, index: int, step: int) -> float | None:
    is_of_it = improved is not None and (improved.index, improved.step) == (index, step)
    return improved.amortisation_gap if is_of_it and improved is not None else None


def _moved(start: float, improved: Improved | None, elbo_now: float | None) -> float:
    # By how much it has climbed, from the start that is shown: the way was measured on points of its own.
    return start if improved is None or elbo_now is None else start + elbo_now - float(improved.elbo[0])


def plain_nats(value: float) -> str:
    """Return a figure in nats; what rounds to nothing has no sign."""
    return nats(0.0 if abs(value) < 0.005 else value)


def error_text(error: float) -> str:
    """Return '± 0.0004' with one digit that matters, as nobody needs more of an error."""
    if not math.isfinite(error):
        return _tr("± ?")
    if error < 5e-5:
        return "± <0.0001"
    digits = max(0, 1 - math.ceil(math.log10(error)))
    return f"± {error:.{digits}f}"


def is_trustworthy(answer: Climbed) -> bool:
    """Whether the estimate's own errors can be believed: never where k-hat is not known, always where all weights are
    equal, so that it is minus infinity."""
    return answer.k_hat <= K_HAT_MOST


def trust_text(answer: Climbed) -> str:
    """Return ESS and k-hat of the ladder with a plain word about them."""
    samples = int(answer.k[-1])
    text = _tr("ESS {ess} of {k} · k-hat {k_hat} · {word}")
    if is_trustworthy(answer):
        word = _tr("can be trusted")
    elif not math.isnan(answer.k_hat):
        word = _tr("not to be trusted: a few codes carry all the weight")
    else:
        word = _tr("too few codes to judge it")
    k_hat = _k_hat_text(answer.k_hat)
    return text.format(ess=f"{answer.ess:,.0f}", k=f"{samples:,}", k_hat=k_hat, word=word)


def _k_hat_text(k_hat: float) -> str:
    if math.isnan(k_hat):
        return "–"
    return (f"{k_hat:.2f}" if math.isfinite(k_hat) else f"{k_hat:+}".replace("inf", "∞")).replace("-", "−")
