"""The figures of an evaluation in words: each with its error, its unit and its meaning, for the results table."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QCoreApplication

from vae_explorer.gui.widgets.curve_text import nats_text
from vae_explorer.latent.told import translated


@dataclass(frozen=True)
class ReportRow:
    """One line of the table, all of it text."""

    key: str
    name: str
    value: str
    error: str
    unit: str
    meaning: str


def _tr(text: str) -> str:
    return QCoreApplication.translate("report", text)


def report_rows(report: dict[str, Any]) -> list[ReportRow]:
    """Return the lines of a report as `vae-explorer evaluate --json` has it; figures that it lacks are left out."""
    return [
        ReportRow(key, name, _value_text(report[key], unit), _error_text(report, key), unit, meaning)
        for key, name, unit, meaning in _known()
        if _is_number(report.get(key))
    ]


def report_notes(report: dict[str, Any]) -> list[str]:
    """Return the sentences of a report: what is missing and why, what is not to be trusted, the verdict on collapse."""
    return [translated(sentence, _tr_words) for sentence in report.get("words") or ()]


def _tr_words(text: str) -> str:
    said = _tr(text)
    return said if said != text else QCoreApplication.translate("verdict", text)


def _known() -> list[tuple[str, str, str, str]]:
    nats = _tr("nats")
    return [
        ("elbo", _tr("ELBO"), nats, _tr("−(reconstruction loss + KL): a lower bound of log p(x).")),
        ("distortion", _tr("Reconstruction loss"), nats, _tr("−E_q log p(x|z).")),
        ("kl", _tr("KL"), nats, _tr("KL[q(z|x) ‖ p(z)]: what a code costs.")),
        ("log_px", _tr("log p(x), sampled"), nats, _tr("By importance sampling; biased low.")),
        ("log_px_exact", _tr("log p(x), exact"), nats, _tr("By quadrature over all codes.")),
        ("elbo_exact", _tr("ELBO of the same images"), nats, _tr("By quadrature over q.")),
        ("gap", _tr("Gap"), nats, _tr("log p(x) − ELBO = KL[q(z|x) ‖ p(z|x)].")),
        ("gap_estimate", _tr("Gap, estimate"), nats, _tr("Sampled log p(x) − ELBO; too small.")),
        ("amortisation_gap", _tr("Amortisation gap"), nats, _tr("What a better q of its own would win an image.")),
        ("family_gap", _tr("Family gap"), nats, _tr("What is left of the same images' gap with it.")),
        ("bits_per_dim", _tr("Bits per dimension"), _tr("bits"), _tr("−ELBO / (D ln 2) for pixel values.")),
        ("active_units", _tr("Active units"), "", _tr("Dimensions whose mean varies over images by more than 0.01.")),
        ("mutual_information", _tr("Mutual information"), nats, _tr("KL − KL[aggregate posterior ‖ prior].")),
        ("ess_median", _tr("Effective samples"), "", _tr("Median over images, of the samples drawn.")),
        ("k_hat_median", _tr("Pareto k-hat"), "", _tr("Median; above 0.7 the weights' tail is too heavy.")),
        ("k_hat_bad_share", _tr("k-hat above 0.7"), "%", _tr("Share of images whose log p(x) is not to be trusted.")),
        ("classification_error", _tr("Classification error"), "%", _tr("Images whose most probable class is wrong.")),
    ]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _value_text(value: float, unit: str) -> str:
    if unit == "%":
        return f"{100 * value:.1f}"
    if isinstance(value, int):
        return f"{value:,}"
    return nats_text(value)


def _error_text(report: dict[str, Any], key: str) -> str:
    """'± 0.42 images ± 0.01 draws', or as much of it as the report has."""
    sources = (("_se", _tr("images")), ("_mc_se", _tr("draws")), ("_error", _tr("quadrature")))
    known = [(report.get(key + suffix), words) for suffix, words in sources]
    return "  ".join(f"± {_small(value)} {words}" for value, words in known if _is_number(value))


def _small(value: Any) -> str:
    return f"{value:.2f}" if value >= 0.095 else f"{value:.2g}"
