"""`LatentView`: which plane of latent space the map shows, and everything that is drawn on it, in its coordinates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vae_explorer.engine.messages import CodesSnapshot, Encoded
from vae_explorer.gui.selection import Selection
from vae_explorer.gui.widgets.map_layers import Overlay
from vae_explorer.latent.geometry import posterior_ellipse
from vae_explorer.latent.paths import interpolate
from vae_explorer.latent.projection import Basis, axis_basis, line_basis, pca_basis
from vae_explorer.latent.statistics import place_of

Points = NDArray[np.float32]
Range = tuple[float, float]
Axes = tuple[int, int]
T = TypeVar("T")

PATH_POINTS = 65
RANGE_SAMPLE = 5000
PADDING = 0.06
"""Share of the span that stays free around the points."""


@dataclass(frozen=True, eq=False)
class _Path:
    """The path from A to B in coordinates of the map: its ends (2,) and points (n, 2)."""

    a: Points | None = None
    b: Points | None = None
    points: Points | None = None


_NO_PATH = _Path()


class _Newest(Generic[T]):
    """The newest result of some work, done again only where it would be of other objects.

    What a click leaves as it is stays the same object, by which the map knows that it need not be drawn again.
    """

    def __init__(self) -> None:
        self._sources: tuple[object, ...] | None = None
        self._result: T

    def of(self, sources: tuple[object, ...], work: Callable[[], T]) -> T:
        """Return what `work` makes of these objects."""
        before = self._sources
        if before is None or any(one is not other for one, other in zip(before, sources, strict=True)):
            self._result, self._sources = work(), sources
        return self._result


class LatentView:
    """Two latent dimensions, the two main directions of the codes, or (latent_dim 1) the code against the bound.

    What a click on the map decodes is `lift` of its coordinates: a code of the plane through the selected code.
    """

    def __init__(self, latent_dim: int, axes: Axes | Literal["pca"] | None = None) -> None:
        """axes: two latent dimensions or 'pca'; None: the first two, or the line of latent_dim 1."""
        self.latent_dim = latent_dim
        self._axes: Axes | Literal["pca"] = (0, 1) if axes is None else axes
        self._codes: CodesSnapshot | None = None
        self._encoded: Encoded | None = None
        self._other_q: tuple[Points, Points] | None = None
        self.basis: Basis = self._first_basis(np.zeros(latent_dim))
        self._newest_path = _Newest[_Path]()
        self._newest_rings = _Newest[tuple[Points, ...]]()
        self._newest_q = _Newest[tuple[tuple[Points, ...], Points | None]]()
        self.points: Points = np.zeros((0, 2), dtype=np.float32)
        """Map coordinates (n, 2) of the newest snapshot's codes."""

    @property
    def codes(self) -> CodesSnapshot | None:
        """The newest snapshot."""
        return self._codes

    @property
    def is_line(self) -> bool:
        """Whether only x means a code and y is a figure of each image (latent_dim 1)."""
        return self.latent_dim == 1

    @property
    def axis_names(self) -> tuple[str, str]:
        """Names of x and y."""
        if self.is_line:
            is_bound = self._codes is None or has_bound(self._codes)
            return latent_name(0), "ELBO, nats per image" if is_bound else "−distortion, nats per image"
        if self._axes == "pca":
            return "PC 1", "PC 2"
        i, j = self._axes
        return latent_name(int(i)), latent_name(int(j))

    def set_axes(self, axes: Axes | Literal["pca"], through: ArrayLike) -> None:
        """Show two other latent dimensions, or the main directions, in the plane through a code (d,)."""
        self._axes = axes
        self.basis = self._first_basis(np.asarray(through))
        self._project()

    def set_codes(self, codes: CodesSnapshot | None, through: ArrayLike) -> None:
        """Take a new snapshot; main directions are found anew, matched to those before."""
        self._codes = codes
        if self._axes == "pca" and codes is not None and not self.is_line:
            self.basis = pca_basis(codes.loc, np.asarray(through), self.basis if self.basis.kind == "pca" else None)
        self._project()

    def set_encoded(self, answer: Encoded) -> None:
        """Take q(z|x) of a selected image, for one that the snapshot has not."""
        self._encoded = answer if answer.loc.shape[1] == self.latent_dim else None

    def set_other_q(self, loc: Points | None, scale: Points | None = None) -> None:
        """Show a q (latent_dim,) of the selected image in place of the encoder's, which is left as an outline."""
        self._other_q = None if loc is None or scale is None else (loc, scale)

    def set_through(self, code: ArrayLike) -> None:
        """Move the plane through another code (d,); the points stay where they are."""
        self.basis = self.basis.with_through(code)

    def lift(self, x: float, y: float) -> Points:
        """Return the code (latent_dim,) at map coordinates: what a click there decodes."""
        code: Points = self.basis.lift((x, y))[0]
        return code

    def project(self, code: ArrayLike) -> Points:
        """Return map coordinates (2,) of a code (latent_dim,); on a line, y is the middle of the points."""
        xy = self.basis.project(code)[0].astype(np.float32)
        if self.is_line:
            xy[1] = self._middle()
        return xy

    def plane_offset(self) -> NDArray[np.float64]:
        """Return the part (d,) of the plane's place that no click in it changes, and its directions: (3 d,)."""
        basis = self.basis
        normal = basis.through - basis.u * (basis.u @ basis.through) - basis.v * (basis.v @ basis.through)
        return np.concatenate([normal, basis.u, basis.v])

    def natural_range(self, *, has_prior: bool) -> tuple[Range, Range]:
        """Return ranges of x and y that show all but the outermost points, and the prior's rings if it has some."""
        # Quantiles of an even sample: the range is asked for with every snapshot.
        some = self.points[:: max(1, len(self.points) // RANGE_SAMPLE)]
        finite = some[np.isfinite(some).all(axis=1)]
        reach = 3.3 if has_prior else 1.0
        if not len(finite):
            return (-reach, reach), ((-1.0, 1.0) if self.is_line else (-reach, reach))
        low, high = np.quantile(finite, (0.002, 0.998), axis=0)
        if has_prior:
            middle = self.basis.project(np.zeros(self.latent_dim))[0]
            n_axes = 1 if self.is_line else 2
            low[:n_axes] = np.minimum(low, middle - reach)[:n_axes]
            high[:n_axes] = np.maximum(high, middle + reach)[:n_axes]
        pad = np.maximum((high - low) * PADDING, 1e-3)
        low, high = low - pad, high + pad
        return (float(low[0]), float(high[0])), (float(low[1]), float(high[1]))

    def overlay(self, selection: Selection, *, has_rings: bool, has_path: bool) -> Overlay:
        """Return what is drawn over the points for a selection."""
        # A plane's directions; moved through another code they stay the same objects.
        plane = (self.basis.center, self.basis.u, self.basis.v)
        ends = (selection.end_a, selection.end_b, selection.path)
        path = _NO_PATH
        if has_path:
            # On a line the path lies in the middle of the points.
            points = self.points if self.is_line else None
            path = self._newest_path.of((*ends, *plane, points), lambda: self._path(selection))
        image = selection.image
        known = self._known_of(image)
        ellipses, start = self._newest_q.of((image, known, self._other_q, *plane), lambda: self._q_of(image, known))
        return Overlay(
            crosshair=self.project(selection.code), is_line=self.is_line,
            end_a=path.a, end_b=path.b, path=path.points, ellipses=ellipses, start=start,
            rings=self._newest_rings.of(plane, self._rings) if has_rings else (),
        )  # fmt: skip

    def _path(self, selection: Selection) -> _Path:
        a, b, share = selection.end_a, selection.end_b, np.linspace(0.0, 1.0, PATH_POINTS)
        points = self._project_all(interpolate(a, b, share, path=selection.path))
        return _Path(self.project(a), self.project(b), points)

    def _q_of(
        self, image: int | None, known: CodesSnapshot | Encoded | None
    ) -> tuple[tuple[Points, ...], Points | None]:
        """Return the ellipses of an image's q, and the outline of the encoder's where another q is shown."""
        place = None if image is None or known is None else place_of(image, known.indices)
        ellipses = () if known is None or place is None else self._ellipses_of(known, place)
        if self._other_q is None or not ellipses:
            return ellipses, None
        return self._outlines(*self._other_q, height=float(ellipses[0][0, 1])), ellipses[0]

    def _first_basis(self, through: NDArray[np.floating]) -> Basis:
        if self.is_line:
            return line_basis()
        if self._axes == "pca":
            codes = np.eye(self.latent_dim, dtype=np.float32) if self._codes is None else self._codes.loc
            return pca_basis(codes, through)
        return axis_basis(int(self._axes[0]), int(self._axes[1]), through)

    def _project(self) -> None:
        if self._codes is None:
            self.points = np.zeros((0, 2), dtype=np.float32)
            return
        if self.basis.kind == "axes" and self.basis.axes is not None:
            # Columns as they are: a product in double precision takes 30 ms for 1,000,000 points.
            is_whole = self.latent_dim == 2 and self.basis.axes == (0, 1)
            self.points = self._codes.loc if is_whole else self._codes.loc[:, list(self.basis.axes)]
            return
        self.points = self.basis.project(self._codes.loc).astype(np.float32)
        if self.is_line:
            self.points[:, 1] = self._codes.elbo if has_bound(self._codes) else -self._codes.distortion

    def _project_all(self, codes: ArrayLike) -> Points:
        xy = self.basis.project(codes).astype(np.float32)
        if self.is_line:
            xy[:, 1] = self._middle()
        return xy

    def _middle(self) -> float:
        finite = self.points[np.isfinite(self.points[:, 1]), 1]
        return float(np.median(finite)) if len(finite) else 0.0

    def _known_of(self, image: int | None) -> CodesSnapshot | Encoded | None:
        """Return who knows an image's q."""
        sources: tuple[CodesSnapshot | Encoded | None, ...] = (self._codes, self._encoded)
        for known in sources:
            if image is not None and known is not None and place_of(image, known.indices) is not None:
                return known
        return None

    def _ellipses_of(self, known: CodesSnapshot | Encoded, place: int) -> tuple[Points, ...]:
        loc, scale = known.loc[place], known.scale[place]
        if not scale.any():
            return ()
        figure = known.elbo if has_bound(known) else -known.distortion
        return self._outlines(loc, scale, height=float(figure[place]))

    def _outlines(self, loc: Points, scale: Points, *, height: float) -> tuple[Points, ...]:
        """Return q's ellipses; on a line they lie at a height, the image's figure."""
        outlines = [posterior_ellipse(loc, scale, self.basis, n_sigma).astype(np.float32) for n_sigma in (1.0, 2.0)]
        if self.is_line:
            for outline in outlines:
                outline[:, 1] = height
        return tuple(outlines)

    def _rings(self) -> tuple[Points, ...]:
        if self.is_line:
            return tuple(np.array([[sigma, 0.0], [-sigma, 0.0]], dtype=np.float32) for sigma in (1, 2, 3))
        angle = np.linspace(0.25 * np.pi, 2.25 * np.pi, 129)
        circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
        middle = self.basis.project(np.zeros(self.latent_dim))
        return tuple((middle + sigma * circle).astype(np.float32) for sigma in (1, 2, 3))


def has_bound(known: CodesSnapshot | Encoded) -> bool:
    """Whether these images have a bound: an autoencoder's have none."""
    return not np.isnan(known.elbo).all()


def latent_name(axis: int) -> str:
    """Return the name of a latent dimension, counted from 0 as on the command line: 'z₀'."""
    return "z" + str(axis).translate(str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉"))
