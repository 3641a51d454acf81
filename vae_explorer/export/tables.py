"""Codes as a table: one row an image, in plain CSV."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def codes_csv(
    *,
    index: NDArray[np.int64],
    label: NDArray[np.int64] | None,
    z: NDArray[Any],
    sigma: NDArray[Any],
    elbo: NDArray[Any],
    kl: NDArray[Any],
    distortion: NDArray[Any],
) -> bytes:
    """Return the table index,label,z0..,sigma0..,elbo,kl,distortion as UTF-8; figures in nats per image.

    index, label: (n,); z, sigma: (n, d); elbo, kl, distortion: (n,). An unknown label (-1) and a figure that the
    model does not have (NaN) are empty cells. Nine digits: a float32 is read back exactly.
    """
    n, d = z.shape
    columns = ["index", "label", *(f"z{k}" for k in range(d)), *(f"sigma{k}" for k in range(d))]
    lines = [",".join([*columns, "elbo", "kl", "distortion"])]
    labels = np.full(n, -1, dtype=np.int64) if label is None else label
    figures = np.column_stack([z, sigma, elbo, kl, distortion]).astype(np.float64)
    row_format = ",".join(["%.9g"] * figures.shape[1])
    for image, class_, row in zip(index.tolist(), labels.tolist(), figures.tolist(), strict=True):
        cells = (row_format % tuple(row)).replace("nan", "")
        lines.append(f"{image},{class_ if class_ >= 0 else ''},{cells}")
    return ("\n".join(lines) + "\n").encode()
