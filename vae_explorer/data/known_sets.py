"""The IDX sets that are known by name: their files with pinned digests, mirrors, classes and licences."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

DATA_DIR_VARIABLE = "VAE_EXPLORER_DATA"
"""Names the folder of data sets instead of the platform's own."""

TRAIN_IMAGES = "train-images-idx3-ubyte.gz"
TRAIN_LABELS = "train-labels-idx1-ubyte.gz"
TEST_IMAGES = "t10k-images-idx3-ubyte.gz"
TEST_LABELS = "t10k-labels-idx1-ubyte.gz"


@dataclass(frozen=True)
class KnownSet:
    """60,000 training and 10,000 test images of 28 x 28 grey pixels in ten classes, as four IDX files.

    files: SHA-256 of each file as published (.gz). plain_digests: SHA-256 of the image files once unpacked.
    mirrors: addresses that end in a slash, tried in order; what they send is checked against `files`.
    """

    name: str
    title: str
    class_names: tuple[str, ...]
    licence: str
    mirrors: tuple[str, ...]
    files: dict[str, str]
    n_download_bytes: int
    plain_digests: tuple[str, ...] = ()


def _files(train_images: str, train_labels: str, test_images: str, test_labels: str) -> dict[str, str]:
    return {
        TRAIN_IMAGES: train_images,
        TRAIN_LABELS: train_labels,
        TEST_IMAGES: test_images,
        TEST_LABELS: test_labels,
    }


KNOWN_SETS: dict[str, KnownSet] = {
    "mnist": KnownSet(
        name="mnist",
        title="MNIST",
        class_names=tuple("0123456789"),
        licence="CC BY-SA 3.0, Y. LeCun and C. Cortes",
        mirrors=(
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
        ),
        files=_files(
            "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        ),
        n_download_bytes=11_594_722,
        plain_digests=(
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        ),
    ),
    "fashion-mnist": KnownSet(
        name="fashion-mnist",
        title="Fashion-MNIST",
        class_names=(
            "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
        ),
        licence="MIT, Zalando SE",
        mirrors=(
            "https://fashion-mnist.s3.eu-central-1.amazonaws.com/",
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
            "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
        ),
        files=_files(
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        ),
        n_download_bytes=30_878_645,
        plain_digests=(
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        ),
    ),
    "kmnist": KnownSet(
        name="kmnist",
        title="Kuzushiji-MNIST",
        class_names=("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
        licence="CC BY-SA 4.0, Center for Open Data in the Humanities",
        mirrors=(
            "https://codh.rois.ac.jp/kmnist/dataset/kmnist/",
            "http://codh.rois.ac.jp/kmnist/dataset/kmnist/",
            "https://web.archive.org/web/2020id_/http://codh.rois.ac.jp/kmnist/dataset/kmnist/",
        ),
        files=_files(
            "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4",
            "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17",
            "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5",
            "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c",
        ),
        n_download_bytes=21_240_888,
    ),
}  # fmt: skip


def datasets_dir() -> Path:
    """Return the folder of downloaded and own data sets, one sub-folder each; it need not exist."""
    named = os.environ.get(DATA_DIR_VARIABLE)
    if named:
        return Path(named).expanduser()
    import platformdirs

    return Path(platformdirs.user_data_dir("vae-explorer", appauthor=False)) / "datasets"


def set_of_digest(sha256: str) -> KnownSet | None:
    """Return the known set that has an image file of this digest, packed or not."""
    for known in KNOWN_SETS.values():
        if sha256 in (known.files[TRAIN_IMAGES], known.files[TEST_IMAGES], *known.plain_digests):
            return known
    return None
