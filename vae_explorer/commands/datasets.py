"""`vae-explorer datasets`: the data sets that can be named, and whether they are here."""

from __future__ import annotations

import argparse

from vae_explorer.commands.console import write_json, write_line
from vae_explorer.data.catalog import describe_datasets


def run(args: argparse.Namespace) -> int:
    """Write what is known of each data set."""
    rows = describe_datasets()
    if args.is_json:
        write_json(rows)
        return 0
    for row in rows:
        shape = "x".join(str(side) for side in row["shape"])
        state = "here" if row["available"] else "to be fetched"
        write_line(f"{row['name']:<15} {row['images']:>7,} images {shape:<9} {state:<14} {row['title']}")
    return 0
