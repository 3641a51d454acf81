"""What the Bound microscope says in words: what is shown, where it comes from, what an improved q has won."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication

from vae_explorer.config import RunConfig
from vae_explorer.engine.messages import Climbed, Inspected
from vae_explorer.gui.panels.q_walk import QWalk
from vae_explorer.gui.widgets.bound_reading import BoundReading, plain_nats


def _tr(text: str) -> str:
    return QCoreApplication.translate("bound", text)


def empty_text(config: RunConfig | None, *, is_open: bool, has_image: bool) -> str:
    """Return what to do before there is anything to see; '' where there is something."""
    if config is None or not is_open:
        return _tr("Open a run or press Train, then click a point of the map.")
    if config.model.kind == "autoencoder":
        return _tr(
            "An autoencoder has no bound: its code is a point and not a distribution, so there is no log p(x) "
            "to lie below. Train a VAE on the same images to see one."
        )
    if not has_image:
        return _tr("Click a point of the map: how tight the bound of its image is appears here.")
    return ""


def caption_text(image: int, answer: Inspected | Climbed | None) -> str:
    """Return which image, which step, and how well its figures are known."""
    parts = [_tr("Image {index}").format(index=f"{image:,}")]
    if answer is None:
        parts.append(_tr("working it out …"))
    else:
        parts.append(_tr("step {step}").format(step=f"{answer.step:,}"))
        if isinstance(answer, Climbed):
            parts.append(_tr("estimated, biased low"))
        else:
            parts.append(_tr("by quadrature") if answer.is_fine else _tr("by quadrature, coarse"))
        parts.append(_tr("nats"))
    return " · ".join(parts)


def note_text(reading: BoundReading | None, walk: QWalk, *, is_training: bool) -> str:
    """Return what the parts of the gap mean for this image, or how to see them."""
    if reading is None:
        return ""
    if reading.amortisation is None or reading.family is None:
        return _tr("Pause to see both parts of the gap.") if is_training and walk.has_one_q else ""
    if walk.now is None:
        words = _tr("A better q would win {won} nats; the other {left} no diagonal Gaussian can win.")
    elif walk.is_under_way:
        words = _tr("q walks to its best: {won} nats are to be won.")
    else:
        words = _tr("Won {won} nats, the amortisation gap; {left} are left, the family gap.")
    # An estimate from below may lie under the best q's own bound.
    return words.format(won=plain_nats(reading.amortisation), left=plain_nats(max(reading.family, 0.0)))


def reason_text(config: RunConfig) -> str:
    """Return why there is no exact value for this kind of model."""
    if config.model.kind != "vae":
        return _tr("With classes summed out there is no quadrature: log p(x) is the ladder's last rung.")
    text = _tr("Quadrature needs latent_dim 1 or 2; with {n}, log p(x) is the ladder's last rung.")
    return text.format(n=config.model.latent_dim)


def ladder_caption(climbed: Climbed | None) -> str:
    """Return what the ladder is of."""
    if climbed is None:
        return _tr("Importance-weighted bounds by k")
    text = _tr("Bounds of k = 1 … {k} codes · step {step} · nats")
    return text.format(k=f"{int(climbed.k[-1]):,}", step=f"{climbed.step:,}")


def button_texts(walk: QWalk) -> tuple[str, str]:
    """Return words and tooltip of the button that improves q."""
    is_away = walk.now is not None or walk.is_under_way
    text = _tr("Back to the encoder's q") if is_away else _tr("Improve q for this image")
    if walk.can_walk:
        return text, _tr("Optimise mean and scale of q for this image alone, on the map and in the bar (key I).")
    if not walk.has_one_q:
        return text, _tr("There is no one q(z|x) to improve: q is over classes and codes together.")
    return text, _tr("Pause the training first: q is improved under weights that stand still.")
