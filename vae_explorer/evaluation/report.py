"""What a trained model is worth on a split: bound, log p(x), gap and what its codes say, each with its error."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vae_explorer.data.image_data import ImageData, SplitName
from vae_explorer.errors import DivergedError, UsageError
from vae_explorer.evaluation.diagnostics import MutualInformation, mutual_information_slices, variance_of_means
from vae_explorer.evaluation.exact_posterior import ExactPosterior, posterior_slices
from vae_explorer.evaluation.importance import ImageFigures, figures_slices, images_at_once, joined_figures
from vae_explorer.evaluation.improve import amortisation_slices
from vae_explorer.evaluation.report_figures import (
    classification_error,
    difference_of_means,
    exact_figures,
    image_figures,
    improved_figures,
    information_figures,
    missed_figures,
    sampled_log_px,
)
from vae_explorer.evaluation.report_words import History, words_of
from vae_explorer.evaluation.shared_grid import grid_slices, quadrature_obstacle
from vae_explorer.evaluation.slices import Slices, between, rising
from vae_explorer.latent.statistics import spread_indices
from vae_explorer.objective.reading import SAMPLES, FrozenModel

UNIT = "nats per image"
EXACT_IMAGES = 200
"""Images whose log p(x) is integrated, where nothing else is asked."""
IMPROVED_IMAGES = 32
"""Of these at most so many get a better q: that takes a second for some tens of them."""
_TOGETHER = 16
"""Images that share one pass through the lattice."""
_CODES_OF_EXACT, _CODES_OF_GRID, _CODES_OF_IMPROVED = 8000, 40_000, 20_000
"""Codes that are decoded for each, roughly: progress goes by them."""

Indices = NDArray[np.int64]


class Evaluation:
    """An evaluation that is worked in slices, and whose report can be read at any time.

    Whoever ends it early closes the slices and reads the report of the images that were done; what was not begun is
    None there.
    """

    def __init__(
        self,
        model: FrozenModel,
        data: ImageData,
        *,
        split: SplitName,
        samples: int = SAMPLES,
        exact_images: int = EXACT_IMAGES,
        seed: int = 0,
        history: History | None = None,
    ) -> None:
        """Check the question; `history`: steps and kl_per_dim of the training, for the words on collapse.

        Raises UsageError for an empty split and for samples that are none or do not fit in memory.
        """
        self._indices = data.indices(split)
        if len(self._indices) == 0:
            raise UsageError(f"The data have no {split} images; choose another split, such as train or all.")
        if samples < 1:
            raise UsageError(f"samples = {samples}: expected at least one draw an image.")
        if exact_images < 0:
            raise UsageError(f"exact_images = {exact_images}: expected 0 or more images.")
        self._at_once = images_at_once(model, samples)
        self._model, self._data, self._history = model, data, history
        self._samples, self._seed = samples, seed
        self._has_quadrature = quadrature_obstacle(model) is None
        self._wanted = self._indices[spread_indices(len(self._indices), exact_images)]
        self._parts: list[ImageFigures] = []
        self._information: MutualInformation | None = None
        self._exact: list[ExactPosterior] = []
        self._amortisation_gaps: list[float] = []
        self._family_gaps: list[float] = []
        self._is_complete = False

    @property
    def has_report(self) -> bool:
        """Whether the first images are done, so that there is something to report."""
        return bool(self._parts)

    def slices(self) -> Slices[dict[str, Any]]:
        """Work it out; yields the share that is done, returns the report.

        Raises DivergedError as soon as a figure of an image is not finite.
        """
        yield from rising(self._work())
        self._is_complete = True
        return self.report()

    def report(self) -> dict[str, Any]:
        """Return the figures of the images done so far: flat, JSON can hold it, None where there is no such figure.

        is_complete tells whether the evaluation came to its end.
        """
        if not self._parts:
            raise UsageError("No image was evaluated before the end; let it run longer, or take fewer --samples.")
        images, model = joined_figures(self._parts), self._model
        figures = image_figures(images, model)
        figures |= sampled_log_px(images, samples=self._samples)
        figures |= information_figures(images, self._information)
        figures |= exact_figures(self._exact) | missed_figures(self._exact, images)
        figures |= improved_figures(self._amortisation_gaps, self._family_gaps)
        figures |= {
            # Biased low, so left out where the gap itself is known.
            "gap_estimate": None if self._exact else difference_of_means(images.log_px, images.elbo),
            "classification_error": classification_error(images, self._data),
            "n": len(images.indices), "step": model.step, "samples": self._samples, "unit": UNIT,
            "is_complete": self._is_complete,
        }  # fmt: skip
        # The verdict is on z alone: where a class is in the code too, it does not hold.
        has_verdict = figures["active_units"] is not None and not model.n_classes
        variances = variance_of_means(images.loc) if has_verdict else None
        return figures | {
            "words": words_of(
                figures, model, n_asked=len(self._indices), variances=variances, history=self._history
            )
        }  # fmt: skip

    def _work(self) -> Slices[None]:
        works = self._works()
        whole, done = sum(codes for _, codes in works), 0.0
        for work, codes in works:
            yield from between(work(), done / whole, (done + codes) / whole)
            done += codes
        yield 1.0

    def _works(self) -> list[tuple[Callable[[], Slices[None]], float]]:
        """What has to be worked out, in order, with the codes that it decodes, roughly."""
        n, wanted = len(self._indices), len(self._wanted)
        works: list[tuple[Callable[[], Slices[None]], float]] = [(self._draw, n * self._samples)]
        if self._model.is_autoencoder or self._model.n_classes:
            return works
        works.append((self._inform, 4 * n))
        if wanted and self._has_quadrature:
            works.append((self._integrate, _CODES_OF_GRID + _CODES_OF_EXACT * wanted))
        if wanted:
            works.append((self._improve, _CODES_OF_IMPROVED * min(IMPROVED_IMAGES, wanted)))
        return works

    def _draw(self) -> Slices[None]:
        """K codes of every image."""
        n = len(self._indices)
        for first in range(0, n, self._at_once):
            part = self._indices[first : first + self._at_once]
            work = figures_slices(self._model, part, samples=self._samples, seed=self._seed)
            figures = yield from between(work, first / n, (first + len(part)) / n)
            self._check_finite(figures)
            self._parts.append(figures)

    def _check_finite(self, figures: ImageFigures) -> None:
        values = [figures.distortion] if figures.elbo is None else [figures.distortion, figures.elbo]
        if not all(np.isfinite(value).all() for value in values):
            raise DivergedError(
                f"The checkpoint of step {self._model.step} gives no finite figures; try --checkpoint 0, --checkpoint "
                "best, or the one of an earlier step."
            )

    def _inform(self) -> Slices[None]:
        images = joined_figures(self._parts)
        self._information = yield from mutual_information_slices(images.loc, images.scale, seed=self._seed)

    def _integrate(self) -> Slices[None]:
        """log p(x) and the gap of some images, by quadrature."""
        model, n = self._model, len(self._wanted)
        grid = yield from between(grid_slices(model), 0.0, 0.1)
        for first in range(0, n, _TOGETHER):
            part = self._wanted[first : first + _TOGETHER]
            x = model.pixels.take_seeded(part, self._seed)
            share = 0.1 + 0.9 * first / n
            log_joint = yield from between(grid.log_joint_slices(x), share, share)
            for image, index, values in zip(x, part.tolist(), log_joint, strict=True):
                yield 0.1 + 0.9 * len(self._exact) / n
                exact = posterior_slices(model, grid, image, log_joint=values, index=index, is_fine=True)
                self._exact.append((yield from between(exact, share, share)))

    def _improve(self) -> Slices[None]:
        """The two parts of the gap of some images, of those that were integrated where there are such."""
        chosen = spread_indices(len(self._wanted), IMPROVED_IMAGES)
        for number, place in enumerate(chosen.tolist()):
            x = self._model.pixels.take_seeded(self._wanted[place : place + 1], self._seed)
            modes = self._exact[place].mode[None] if self._exact else None
            gaps = yield from between(
                amortisation_slices(self._model, x, modes, seed=self._seed),
                number / len(chosen),
                (number + 1) / len(chosen),
            )
            self._amortisation_gaps.extend(gaps.tolist())
            if self._exact:
                self._family_gaps.append(self._exact[place].gap - float(gaps[0]))


def evaluate(
    model: FrozenModel,
    data: ImageData,
    *,
    split: SplitName,
    samples: int = SAMPLES,
    exact_images: int = EXACT_IMAGES,
    seed: int = 0,
    history: History | None = None,
    progress: Callable[[float], None] | None = None,
) -> dict[str, Any]:
    """Return a flat dictionary that JSON can hold, nats per image; None where there is no such figure.

    From `samples` codes of every image of the split: elbo = -(distortion + kl), kl in closed form where there is one;
    log_px, biased low; active_units, mutual_information. From up to `exact_images` of them, spread evenly, with one or
    two latent dimensions: log_px_exact, elbo_exact, gap. From some of these amortisation_gap and, what
    is left of the gap of the same images, family_gap. *_se: standard error over the images; *_mc_se: by the draws
    alone; *_error: what an integral may be off by. bits_per_dim: None where the likelihood is no density of the data
    (Bernoulli on grey pixels). words: sentences on how far to trust it. An autoencoder has a distortion only.

    Raises UsageError for an empty split and for samples that do not fit, DivergedError as soon as a figure of an image
    is not finite.
    """
    evaluation = Evaluation(
        model, data, split=split, samples=samples, exact_images=exact_images, seed=seed, history=history
    )
    slices = evaluation.slices()
    while True:
        try:
            share = next(slices)
        except StopIteration as end:
            report: dict[str, Any] = end.value
            return report
        if progress is not None:
            progress(share)
