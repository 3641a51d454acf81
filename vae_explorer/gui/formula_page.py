"""What a page of formulae holds: lines of terms with their live numbers, and what the numbers are taken from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QCoreApplication

from vae_explorer.config import RunConfig
from vae_explorer.engine.messages import Encoded, Inspected
from vae_explorer.gui.theme import current_theme
from vae_explorer.gui.widgets.plot_style import term_colour
from vae_explorer.latent.bound_terms import BoundTerms, Estimate

Floats = NDArray[np.float64]
PageName = Literal[
    "elbo", "readings", "importance", "gap", "loss", "autoencoder", "m2", "mmd", "em", "plate", "slips",
    "similarities", "free_bits", "correlation",
]  # fmt: skip


@dataclass(frozen=True)
class TermLine:
    """One term: sign, symbol (rich text), colour by the term's name, its number, and one line of meaning.

    curve: (n,) values to draw small; over: what they run over, for the tooltip. text: shown in place of a number.
    """

    sign: str
    symbol: str
    colour: str
    meaning: str
    estimate: Estimate | None = None
    text: str = ""
    curve: Floats | None = None
    over: str = ""


@dataclass(frozen=True)
class Page:
    """One entry of the list: the formula as rich text, its terms, and a note below."""

    formula: str
    lines: tuple[TermLine, ...]
    note: str = ""


@dataclass(frozen=True)
class EmReading:
    """One code under a mixture: log p(z), and Jensen's bound before and after the E step, nats."""

    log_density: float
    bound_before: float
    bound_after: float


@dataclass(frozen=True)
class FormulaContext:
    """What the pages' numbers are taken from; what is None is not known (yet).

    terms_step: of the weights behind `terms`. history: figures over training by name, (n,). exact_history: log_px, elbo
    and gap of the image over the steps seen since it was selected. mean_kl: of each dimension, the mean over images,
    (latent_dim,). correlation: log q(z) - sum_j log q(z_j) at the image's code. label: the selected image's class.
    """

    config: RunConfig | None = None
    terms: BoundTerms | None = None
    terms_step: int | None = None
    inspected: Inspected | None = None
    encoded: Encoded | None = None
    em: EmReading | None = None
    beta: float = 1.0
    free_bits: float = 0.0
    history: dict[str, Floats] = field(default_factory=dict)
    exact_history: dict[str, Floats] = field(default_factory=dict)
    mean_kl: Floats | None = None
    correlation: float | None = None
    pixels: int = 0
    latent_dim: int = 0
    label: int | None = None
    comparison: str = ""
    """What the numbers do not compare with, as `bound_words.comparison_note` says it."""

    @property
    def exact_of_terms(self) -> Inspected | None:
        """The exact posterior where it is of the same weights as the terms, so that both go into one number."""
        exact = self.inspected
        return exact if exact is not None and exact.step == self.terms_step else None

    @property
    def normal_q(self) -> tuple[Floats, Floats] | None:
        """loc and scale (d,) of the image's q where it is a VAE's whose prior is N(0, I)."""
        model, encoded = None if self.config is None else self.config.model, self.encoded
        if model is None or encoded is None or model.kind != "vae" or model.prior != "standard_normal":
            return None
        return encoded.loc[0].astype(np.float64), encoded.scale[0].astype(np.float64)

    def over_training(self, name: str) -> Floats | None:
        """Return a figure over training, None where there are fewer than two points of it."""
        values = self.history.get(name)
        return values if values is not None and len(values) > 1 else None


def tr(text: str) -> str:
    """Translate a text of the formula pages."""
    return QCoreApplication.translate("formula", text)


def coloured(symbol: str, term: str) -> str:
    """Return rich text in a term's colour."""
    return f'<span style="color:{term_colour(term, current_theme()).name()}">{symbol}</span>'


Q = "q(z|x)"
LIKELIHOOD = "E<sub>q</sub>[log p(x|z)]"
KL = f"KL[{Q} ‖ p(z)]"
TRUE_KL = f"KL[{Q} ‖ p(z|x)]"
JOINT = f"E<sub>q</sub>[log p(x,z) − log {Q}]"
