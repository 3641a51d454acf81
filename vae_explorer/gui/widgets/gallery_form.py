"""`GalleryForm`: the choices that make a gallery picture, and the recipe that they come to."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QCheckBox, QComboBox, QGridLayout, QHBoxLayout, QLabel, QWidget

from vae_explorer.export.recipe import CodeSource, MixtureRecipe, PictureKind, Recipe
from vae_explorer.gui.selection import Selection
from vae_explorer.gui.theme import GRID_PX
from vae_explorer.gui.widgets.glyph_button import GlyphButton
from vae_explorer.gui.widgets.latent_view import latent_name
from vae_explorer.gui.widgets.number_field import NumberField

SHAPES: dict[PictureKind, tuple[int, int]] = {
    "manifold": (12, 12), "samples": (8, 12), "reconstructions": (2, 10), "traversal": (5, 11),
    "interpolation": (1, 10), "classes": (6, 10),
}  # fmt: skip
"""Rows and columns that each kind begins with."""
FROM_IMAGE: tuple[PictureKind, ...] = ("reconstructions", "traversal", "classes")
"""Kinds that may begin with the selected image."""
SCALES = (1, 2, 3, 4, 6, 8, 12, 16)
MOST_TILES = 100


class GalleryForm(QWidget):
    """Rows of labelled fields; what has no effect on the chosen kind is hidden.

    changed(): another recipe. path_chosen(str): linear or spherical, which is the selection's and not the form's.
    """

    changed = Signal()
    path_chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._latent_dim = 2
        self._shapes = dict(SHAPES)
        self._is_drawing = False
        self._has_prior = True
        self._label: int | None = None
        self._mixture: MixtureRecipe | None = None
        self._make_fields()
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(GRID_PX // 2)
        grid.setVerticalSpacing(GRID_PX // 2)
        grid.setColumnStretch(1, 1)
        grid.setColumnStretch(3, 1)
        grid.addWidget(self._kind, 0, 0, 1, 4)
        self._labels: dict[QWidget, QLabel] = {}
        for row, (left, right) in enumerate(self._pairs(), start=1):
            for column, (text, field) in ((0, left), (2, right)):
                self._labels[field] = QLabel(text)
                grid.addWidget(self._labels[field], row, column)
                grid.addWidget(field, row, column + 1)
        grid.addLayout(self._make_last_row(), len(self._pairs()) + 1, 0, 1, 4)
        self._connect()
        self._show_relevant()

    def _pairs(self) -> list[tuple[tuple[str, QWidget], tuple[str, QWidget]]]:
        return [
            ((self.tr("Rows"), self._rows), (self.tr("Cols"), self._cols)),
            ((self.tr("Scale"), self._scale), (self.tr("Gap"), self._gap)),
            ((self.tr("Seed"), self._seed_row), ("", self._captions)),
        ]

    def _make_last_row(self) -> QHBoxLayout:
        """What only one kind needs shares a row, so that the form keeps its height."""
        row = QHBoxLayout()
        row.setSpacing(GRID_PX // 2)
        for field in (self._source, self._ends, self._path, self._split, self._axes):
            row.addWidget(field, 1)
        row.addWidget(self._from_image)
        return row

    # ---- parts ----------------------------------------------------------------------------------------------------

    def _make_fields(self) -> None:
        self._kind = _combo("gallery_what", self.tr("What the picture shows."))
        for kind, text in (
            ("manifold", self.tr("Manifold")),
            ("samples", self.tr("Samples")),
            ("reconstructions", self.tr("Reconstructions")),
            ("traversal", self.tr("Traversals")),
            ("interpolation", self.tr("Interpolation")),
        ):
            self._kind.addItem(text, kind)
        self._rows = _whole("gallery_rows", 12, 1, MOST_TILES, self.tr("Rows of tiles (pairs for reconstructions)."))
        self._cols = _whole("gallery_cols", 12, 1, MOST_TILES, self.tr("Tiles a row."))
        self._gap = _whole("gallery_gap", 2, 0, 64, self.tr("Pixels between the tiles."))
        self._scale = _combo("gallery_scale", self.tr("Pixels of the picture a pixel of an image; auto: 28 a side."))
        self._scale.addItem(self.tr("auto"), None)
        for scale in SCALES:
            self._scale.addItem(f"{scale} ×", scale)
        self._captions = QCheckBox(self.tr("Captions"))
        self._captions.setObjectName("gallery_captions")
        self._captions.setToolTip(self.tr("Write title, step and coordinates into the picture."))
        self._make_seed_row()
        self._make_ends()
        self._source = _combo("gallery_source", "")
        self._offer_sources()
        self._split = _combo("gallery_split", self.tr("Which images are reconstructed."))
        self._from_image = QCheckBox(self.tr("from image"))
        self._from_image.setObjectName("gallery_from_image")
        self._from_image.setToolTip(
            self.tr(
                "Traversals go through the selected image's code; reconstructions begin with the selected image; its "
                "style is that under every class."
            )
        )
        self._make_axes()

    def _make_seed_row(self) -> None:
        self._seed = _whole("gallery_seed", 0, 0, 2**31 - 1, self.tr("The same seed draws the same codes and noise."))
        dice = GlyphButton("dice", self.tr("Another seed"))
        dice.setObjectName("gallery_dice")
        dice.clicked.connect(self.reseed)
        self._seed_row = QWidget()
        row = QHBoxLayout(self._seed_row)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(2)
        row.addWidget(self._seed, 1)
        row.addWidget(dice)

    def _make_ends(self) -> None:
        self._ends = _combo(
            "gallery_ends", self.tr("Between the ends A and B of the map, or between two codes that the seed draws.")
        )
        self._ends.addItem(self.tr("From A to B"), "selection")
        self._ends.addItem(self.tr("Drawn ends"), "drawn")
        self._path = _combo("gallery_path", self.tr("Straight, or along the arc around 0."))
        self._path.addItem(self.tr("Linear"), "linear")
        self._path.addItem(self.tr("Spherical"), "spherical")

    def _make_axes(self) -> None:
        self._axes = QWidget()
        row = QHBoxLayout(self._axes)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(GRID_PX // 2)
        self._axis_boxes = [
            _combo(f"gallery_axis_{i}", self.tr("Which two latent dimensions; auto: the most used.")) for i in (0, 1)
        ]
        for box in self._axis_boxes:
            row.addWidget(box, 1)

    def _connect(self) -> None:
        self._kind.currentIndexChanged.connect(self._on_kind)
        for box in (self._scale, self._source, self._split, self._ends, *self._axis_boxes):
            box.currentIndexChanged.connect(self._on_changed)
        for field in (self._gap, self._seed):
            field.value_changed.connect(self._on_changed)
        for field in (self._rows, self._cols):
            field.value_changed.connect(self._on_shape)
        for check in (self._captions, self._from_image):
            check.toggled.connect(self._on_changed)
        self._path.currentIndexChanged.connect(self._on_path)

    # ---- what the person does -------------------------------------------------------------------------------------

    def _on_changed(self) -> None:
        self._show_relevant()
        self.changed.emit()

    def _on_shape(self) -> None:
        self._shapes[self.kind] = (int(self._rows.value()), int(self._cols.value()))
        self.changed.emit()

    def _on_kind(self) -> None:
        rows, cols = self._shapes[self.kind]
        self._rows.set_value(rows)
        self._cols.set_value(cols)
        self._on_changed()

    def reseed(self) -> None:
        """Take the next seed."""
        self._seed.step_by(1)

    def _on_path(self) -> None:
        self.path_chosen.emit(self._path.currentData())

    # ---- what is shown --------------------------------------------------------------------------------------------

    @property
    def kind(self) -> PictureKind:
        """What the picture shows."""
        kind: PictureKind = self._kind.currentData()
        return kind

    def set_latent_dim(self, latent_dim: int) -> None:
        """Offer the axes of a model; the choice goes back to auto."""
        self._latent_dim = latent_dim
        for box in self._axis_boxes:
            was_blocked = box.blockSignals(True)
            box.clear()
            box.addItem(self.tr("auto"), None)
            for dim in range(latent_dim):
                box.addItem(latent_name(dim), dim)
            box.blockSignals(was_blocked)
        self._show_relevant()

    def set_has_prior(self, has_prior: bool) -> None:
        """Offer samples of the prior and of the aggregate posterior, or of the box of an autoencoder's codes."""
        self._has_prior = has_prior
        self._offer_sources()

    def set_has_classes(self, has_classes: bool) -> None:
        """Offer styles under every class (M2), or not."""
        place = self._kind.findData("classes")
        if has_classes and place < 0:
            self._kind.addItem(self.tr("Styles under every class"), "classes")
        elif not has_classes and place >= 0:
            if self.kind == "classes":
                self._kind.setCurrentIndex(0)
            self._kind.removeItem(place)

    def set_label(self, label: int | None) -> None:
        """Take the class (M2) that pictures other than those of all classes are decoded as, without emitting."""
        self._label = label

    def set_mixture(self, mixture: MixtureRecipe | None) -> None:
        """Offer samples of a mixture, and choose them; None takes the offer away, without emitting."""
        self._mixture = mixture
        self._offer_sources()
        if mixture is not None:
            self._choose_source("mixture")
            self._kind.setCurrentIndex(self._kind.findData("samples"))
            self.changed.emit()

    def _offer_sources(self) -> None:
        chosen = self._source.currentData()
        was_blocked = self._source.blockSignals(True)
        self._source.clear()
        self._source.addItem(
            self.tr("of the prior") if self._has_prior else self.tr("of the box of its codes"), "prior"
        )
        if self._has_prior:
            self._source.addItem(self.tr("of the aggregate posterior"), "aggregate")
        if self._mixture is not None:
            self._source.addItem(self.tr("of the mixture by EM"), "mixture")
        self._source.blockSignals(was_blocked)
        self._choose_source(chosen)
        help_ = self.tr("Where the codes are drawn: from p(z), or from the q(z|x) of images at random.")
        if not self._has_prior:
            help_ = self.tr("An autoencoder has neither p(z) nor q(z|x): the box of its codes stands for them.")
        help_ = f"{help_} {self.tr('A mixture that was fitted in the EM panel can be used here.')}"
        self._source.setToolTip(help_)
        self._source.setAccessibleName(help_)

    def _choose_source(self, source: str | None) -> None:
        was_blocked = self._source.blockSignals(True)
        self._source.setCurrentIndex(max(0, self._source.findData(source)))
        self._source.blockSignals(was_blocked)

    def set_splits(self, names: Sequence[tuple[str, str | None]]) -> None:
        """Offer splits as (label, name); None is the held-out one."""
        was_blocked = self._split.blockSignals(True)
        self._split.clear()
        for label, name in names:
            self._split.addItem(label, name)
        self._split.blockSignals(was_blocked)

    def set_path(self, path: str) -> None:
        """Show the path of the selection, without emitting."""
        was_blocked = self._path.blockSignals(True)
        self._path.setCurrentIndex(self._path.findData(path))
        self._path.blockSignals(was_blocked)

    def set_drawing(self, is_drawing: bool) -> None:
        """Show the seed also where only the noise of draws depends on it."""
        self._is_drawing = is_drawing
        self._show_relevant()

    def recipe(self, selection: Selection) -> Recipe:
        """Return the recipe of the choices; ends, path and image are the selection's."""
        kind = self.kind
        has_ends = kind == "interpolation" and self._ends.currentData() == "selection"
        source: CodeSource = self._source.currentData() if kind == "samples" else "prior"
        has_image = kind in FROM_IMAGE and self._from_image.isChecked()
        return Recipe(
            what=kind,
            rows=int(self._rows.value()),
            cols=int(self._cols.value()),
            seed=int(self._seed.value()),
            scale=self._scale.currentData(),
            gap=int(self._gap.value()),
            captions=self._captions.isChecked(),
            split=self._split.currentData() if kind == "reconstructions" else None,
            image=selection.image if has_image else None,
            start=tuple(selection.end_a.tolist()) if has_ends else None,
            end=tuple(selection.end_b.tolist()) if has_ends else None,
            path=selection.path if kind == "interpolation" else "linear",
            axes=self._chosen_axes() if kind in ("manifold", "traversal") else None,
            draw=self._is_drawing,
            source=source,
            mixture=self._mixture if source == "mixture" else None,
            label=self._label if kind not in ("classes", "reconstructions") else None,
        )

    def _chosen_axes(self) -> tuple[int, int] | None:
        first, second = (box.currentData() for box in self._axis_boxes)
        return None if first is None or second is None else (first, second)

    def _show_relevant(self) -> None:
        kind = self.kind
        has_drawn_ends = kind == "interpolation" and self._ends.currentData() == "drawn"
        relevant = {
            self._source: kind == "samples",
            self._ends: kind == "interpolation",
            self._path: kind == "interpolation",
            self._split: kind == "reconstructions",
            self._from_image: kind in FROM_IMAGE,
            self._axes: kind == "traversal" or (kind == "manifold" and self._latent_dim > 2),
        }
        for field, is_relevant in relevant.items():
            field.setVisible(is_relevant)
        has_style_of_image = kind == "classes" and self._from_image.isChecked()
        has_drawn_styles = kind == "classes" and not has_style_of_image
        has_seed = kind == "samples" or has_drawn_ends or has_drawn_styles or self._is_drawing
        self._seed_row.setEnabled(has_seed)
        self._labels[self._seed_row].setEnabled(has_seed)
        has_fixed_rows = has_style_of_image or (kind == "traversal" and self._chosen_axes() is not None)
        self._rows.setEnabled(not has_fixed_rows)
        self._cols.setEnabled(kind != "classes")


def _combo(name: str, help_: str) -> QComboBox:
    box = QComboBox()
    box.setObjectName(name)
    box.setToolTip(help_)
    box.setAccessibleName(help_)
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    box.setMinimumContentsLength(4)
    return box


def _whole(name: str, value: int, least: int, most: int, help_: str) -> NumberField:
    field = NumberField(value, minimum=least, maximum=most, is_integer=True, step=1)
    field.setObjectName(name)
    field.set_help(help_)
    field.setAccessibleName(help_)
    field.setMinimumWidth(5 * GRID_PX)
    return field
