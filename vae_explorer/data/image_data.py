"""`ImageData`: the one form that every source of images ends in."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vae_explorer.data.image_store import check_whole, mapping_of, parts_of, rest

SplitName = Literal["train", "validation", "test", "all"]


@dataclass(frozen=True)
class Provenance:
    """Where images came from and what was understood on the way, in words for people."""

    source: str
    """Kind of source: 'digits', 'shapes', 'idx', 'folder', 'array'."""
    title: str
    """Name for people: 'digits', 'MNIST', the folder's name."""
    path: str | None = None
    """Absolute path of the file or folder; None for embedded and drawn images. Never written into exports."""
    understood: tuple[str, ...] = ()
    """Sentences on how the input was read, such as 'floats in 0..1 were scaled by 255'."""
    skipped: tuple[str, ...] = ()
    """One sentence a file that was left out, with its reason."""
    has_own_test_split: bool = False
    """Whether train and test are the source's own (IDX sets), not drawn by a seed."""


@dataclass(frozen=True)
class Splits:
    """Indices of the images of each split: int64, ascending, disjoint; together all images."""

    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    test: NDArray[np.int64]


@dataclass(frozen=True)
class ImageData:
    """Images with what is known of them; immutable, its arrays are read-only.

    images: uint8 (N, C, H, W), values 0 to max_value; x = images / max_value lies in [0, 1]. What is larger than memory
    lies in a mapped file: whoever goes through all images does it in parts.
    max_value: 1 to 255 (16 for digits).
    splits: train, validation and test indices.
    labels: int64 (N,), -1 where unknown, or None; class_names: a name for each label from 0.
    factors: float32 (N, F) of drawn shapes, or None; factor_names: a name for each column.
    digest: hex SHA-256 over shape, max_value, images and labels; a run refuses to resume on another.
    """

    images: NDArray[np.uint8]
    max_value: int
    splits: Splits
    provenance: Provenance
    labels: NDArray[np.int64] | None = None
    class_names: tuple[str, ...] = ()
    factors: NDArray[np.float32] | None = None
    factor_names: tuple[str, ...] = ()
    digest: str = field(default="")

    def __post_init__(self) -> None:
        if self.images.dtype != np.uint8 or self.images.ndim != 4:
            raise ValueError(f"images must be uint8 (N, C, H, W), got {self.images.dtype} {self.images.shape}")
        for array in (self.images, self.labels, self.factors, *vars(self.splits).values()):
            if array is not None:
                array.flags.writeable = False
        if not self.digest:
            object.__setattr__(self, "digest", content_digest(self.images, self.max_value, self.labels))

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W) of one image."""
        return self.images.shape[1], self.images.shape[2], self.images.shape[3]

    def __len__(self) -> int:
        return len(self.images)

    @property
    def held_out_name(self) -> SplitName | None:
        """'validation' where there is one, else 'test', else None (everything is trained on)."""
        if len(self.splits.validation):
            return "validation"
        return "test" if len(self.splits.test) else None

    def indices(self, split: SplitName) -> NDArray[np.int64]:
        """Return the indices of a split; 'all' is every image in order."""
        if split == "all":
            return np.arange(len(self.images))
        indices: NDArray[np.int64] = getattr(self.splits, split)
        return indices

    @property
    def is_mapped(self) -> bool:
        """Whether the images lie in a file."""
        return mapping_of(self.images) is not None

    def check_whole(self) -> None:
        """Raise DataError when the file that the images lie in was cut short; to be asked before they are used."""
        check_whole(self.images, self.provenance.path or self.provenance.title)

    def rows(self, indices: NDArray[np.int64]) -> ImageRows:
        """Return the images of `indices` (n,) without copying them."""
        return ImageRows(self.images, indices)

    def with_splits(self, splits: Splits) -> ImageData:
        """Return the same images under other splits; the digest, which is of the content, stays."""
        return replace(self, splits=splits)


@dataclass(frozen=True)
class ImageRows:
    """Some of the images of a data set, which are copied when they are taken."""

    images: NDArray[np.uint8]
    indices: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, places: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return the images (k, C, H, W) at `places` (k,) of `indices`."""
        return self.images[self.indices[places]]


def content_digest(
    images: NDArray[np.uint8],
    max_value: int,
    labels: NDArray[np.int64] | None,
    *,
    on_share: Callable[[float], None] = lambda share: None,
) -> str:
    """Return the hex SHA-256 of shape, max_value, images and labels; on_share: told what part is done, 0 to 1."""
    digest = hashlib.sha256(f"{images.shape} {max_value} {labels is not None}".encode())
    for part in parts_of(images):
        on_share(part.start / len(images))
        digest.update(np.ascontiguousarray(images[part]).data)
    rest(images)
    if labels is not None:
        digest.update(np.ascontiguousarray(labels, dtype="<i8").data)
    return digest.hexdigest()
