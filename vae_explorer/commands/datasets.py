"""`vae-explorer datasets`: the data sets that can be named, and whether they are here."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from vae_explorer.commands.console import write_json, write_line
from vae_explorer.data.catalog import describe_datasets


def run(args: argparse.Namespace) -> int:
    """Write what is known of each data set."""
    rows = describe_datasets()
    if args.is_json:
        write_json(rows)
    else:
        width = max(len(row["name"]) for row in rows)
        for row in rows:
            write_line(_line(row, width))
    return 0


def _line(row: Mapping[str, object], width: int) -> str:
    """Say one row; images and shape are blank where they are known only once the set is read."""
    shape, images = row["shape"], row["images"]
    size = f"{images:,} images" if isinstance(images, int) else ""
    sides = "x".join(map(str, shape)) if isinstance(shape, tuple) else ""
    state = "here" if row["available"] else "to be fetched"
    return f"{row['name']:<{width}} {size:>15}  {sides:<8} {state:<14} {row['title']}, {row['where']}"
