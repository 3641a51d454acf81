"""What has to be said of an evaluation in plain sentences: what not to trust, what is missing and why, the verdict."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vae_explorer.evaluation.improve import FIGURE_DRAWS
from vae_explorer.evaluation.report_figures import BAD_K_HAT
from vae_explorer.evaluation.shared_grid import quadrature_obstacle
from vae_explorer.latent.collapse import collapse_verdict
from vae_explorer.latent.collapse_words import verdict_sentences
from vae_explorer.latent.told import Template, Told
from vae_explorer.objective.reading import FrozenModel
from vae_explorer.runs.records import LogRecord, MetricRecord

Float = NDArray[np.float64]
History = tuple[NDArray[np.int64], Float]
"""Steps (T,) and kl_per_dim (T, latent_dim), nats, of a training."""

MOST_BAD = 0.05
"""More images than this with a bad k-hat, and log p(x) is not to be trusted."""
EXACT_ERROR = 5e-3
"""Nats: an integral that may be off by more is said to be."""


def history_of(records: Iterable[LogRecord]) -> History | None:
    """Return what the words on collapse need of a training's log; None where it has no kl by dimension."""
    rows = [
        (record.step, record.kl_per_dim)
        for record in records
        if isinstance(record, MetricRecord) and record.split == "train" and record.kl_per_dim is not None
    ]
    return (np.array([step for step, _ in rows]), np.array([kl for _, kl in rows])) if rows else None


def words_of(
    figures: dict[str, Any], model: FrozenModel, *, n_asked: int, variances: Float | None, history: History | None
) -> list[str]:
    """Return the sentences, each of which can be said in another language.

    n_asked: images of the split. variances: (latent_dim,), of the posterior mean over images, where there is one.
    history: of the training, for the step from which a dimension is off.
    """
    sentences = [*_of_extent(figures, n_asked), *_of_bound(figures, model), *_of_samples(figures)]
    if variances is not None:
        steps, kl = _with_now(history, figures["kl_per_dim"], step=model.step)
        sentences += verdict_sentences(collapse_verdict(steps, kl, variances), Template)
        if figures["gap"] is not None:
            text = "Apart from that the bound is loose by {gap:.3g} nats, its gap."
            sentences.append(Told(text, gap=figures["gap"]))
    return sentences


def _with_now(history: History | None, kl_per_dim: list[float] | None, *, step: int) -> History:
    """Return the history with the report's own figures at its end: its last record is a mean over many steps."""
    if kl_per_dim is None:
        return history or (np.empty(0, dtype=np.int64), np.empty((0, 0)))
    if history is None:
        return np.array([step]), np.array([kl_per_dim])
    return np.append(history[0], step), np.vstack([history[1], kl_per_dim])


def _of_extent(figures: dict[str, Any], n_asked: int) -> Iterator[str]:
    n = figures["n"]
    if not figures["is_complete"]:
        text = "The evaluation was ended early: {n:,} of {asked:,} images are done; what was not begun is missing."
        yield Told(text, n=n, asked=n_asked)
    if 0 < figures["n_exact"] < n:
        text = "log_px_exact, elbo_exact and gap are means over {some:,} of the {n:,} images."
        yield Told(text, some=figures["n_exact"], n=n)
    if 0 < figures["n_improved"] < n:
        yield from _of_improved(figures, n)
    if figures["n_improved"] and figures["gap"] is None:
        text = "amortisation_gap comes from {draws:,} fixed codes an image, so it has an error by these too."
        yield Told(text, draws=FIGURE_DRAWS)
    if figures["n_information"] is not None and figures["n_information"] < n:
        yield Told("mutual_information is that of {some:,} of the {n:,} images.", some=figures["n_information"], n=n)


def _of_improved(figures: dict[str, Any], n: int) -> Iterator[str]:
    some = figures["n_improved"]
    if figures["family_gap"] is None:
        yield Told("amortisation_gap is the mean over {some:,} of the {n:,} images.", some=some, n=n)
        return
    text = (
        "amortisation_gap and family_gap are means over {some:,} of the {n:,} images; they add up to the gap of these, "
        "{whole:.3g} nats."
    )
    yield Told(text, some=some, n=n, whole=figures["amortisation_gap"] + figures["family_gap"])


def _of_bound(figures: dict[str, Any], model: FrozenModel) -> Iterator[str]:
    if figures["elbo"] is None:
        yield "An autoencoder has no prior: no bound, no log p(x) and no KL, only a distortion."
        return
    if figures["bits_per_dim"] is None:
        yield (
            "A Bernoulli likelihood is no density of grey pixels: there are no bits per dimension, and the figures "
            "compare with those of other Bernoulli models of the same images only."
        )
    if figures["gap_estimate"] is not None:
        yield "gap_estimate is too low: log p(x) from samples is biased low, and its exact value is not known here."
    if (figures["log_px_exact_error"] or 0.0) > EXACT_ERROR:
        text = (
            "log_px_exact may be off by {error:.2g} nats: the posteriors are too narrow, or reach beyond the lattice."
        )
        yield Told(text, error=figures["log_px_exact_error"])
    if model.n_classes:
        yield from _of_classes(figures, model)


def _of_classes(figures: dict[str, Any], model: FrozenModel) -> Iterator[str]:
    obstacle = quadrature_obstacle(model, samples=figures["samples"])
    if obstacle is not None:
        yield obstacle
    codes = "q(z|x, y) with the most probable class y" if model.config.model.kind == "m2" else "the code of M1"
    text = (
        "active_units counts the means of {codes}; mutual_information is not told, as what an image is known by is a "
        "class and a code together."
    )
    yield Told(text, codes=Template(codes))


def _of_samples(figures: dict[str, Any]) -> Iterator[str]:
    bad = figures["k_hat_bad_share"]
    if figures["log_px"] is None:
        return
    if bad is None:
        text = "{samples} samples an image are too few to say how far log_px is to be trusted; take more."
        yield Told(text, samples=figures["samples"])
    elif bad > MOST_BAD:
        instead = " or read log_px_exact" if figures["log_px_exact"] is not None else ""
        text = (
            "log_px is not to be trusted: for {bad:.0%} of the images Pareto k-hat is above {most}, so that a few "
            "codes decide and the estimate is too low by an unknown amount; take more samples{instead}."
        )
        yield Told(text, bad=bad, most=BAD_K_HAT, instead=Template(instead))
    if figures["n_missed"]:
        text = (
            "log_px is too low for {missed:,} of the {n:,} integrated images although their k-hat is good: their "
            "posteriors have mass where q hardly draws, which leaves no trace in the weights; read log_px_exact."
        )
        yield Told(text, missed=figures["n_missed"], n=figures["n_exact"])
