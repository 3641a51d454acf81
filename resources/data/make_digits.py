"""Makes digits.npz from the copy of the UCI handwritten digits that scikit-learn ships (see ATTRIBUTION.md).

Run from anywhere, with scikit-learn installed: python resources/data/make_digits.py
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

OUT = Path(__file__).resolve().parent / "digits.npz"
EPOCH = (1980, 1, 1, 0, 0, 0)


def main() -> None:
    """Write images uint8 (1797, 8, 8), values 0 to 16, and labels uint8 (1797,); the same bytes each time."""
    digits = load_digits()
    arrays = {"images": digits.images.astype(np.uint8), "labels": digits.target.astype(np.uint8)}
    assert np.array_equal(arrays["images"], digits.images), "the values are whole numbers"
    with zipfile.ZipFile(OUT, "w") as archive:
        for name, array in arrays.items():
            buffer = io.BytesIO()
            np.lib.format.write_array(buffer, array, allow_pickle=False)
            info = zipfile.ZipInfo(f"{name}.npy", date_time=EPOCH)
            archive.writestr(info, buffer.getvalue(), compress_type=zipfile.ZIP_DEFLATED, compresslevel=9)
    print(f"{OUT.name}: {OUT.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
