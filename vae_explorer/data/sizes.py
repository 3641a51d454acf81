"""How large an image may be, asked before it is unpacked."""

from __future__ import annotations

from pathlib import Path

from vae_explorer.data.reading import bad_file

MAX_SIDE = 512
"""Pixels a side that are taken without `data.side`; a network on larger images is rarely meant."""


def check_side(where: str | Path, height: int, width: int, side: int | None) -> None:
    """Raise DataError for images above MAX_SIDE pixels a side where no `data.side` brings them down."""
    if side is None and max(height, width) > MAX_SIDE:
        raise bad_file(
            where,
            f"images of {width:,} x {height:,} pixels",
            f"at most {MAX_SIDE} a side",
            "set data.side, such as data.side=64, to resize them",
        )
