"""From the options of `train` to a configuration: preset or file first, then each option in order."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from vae_explorer.config import FIELDS, RunConfig, parse_assignment
from vae_explorer.config_rules import check_together, note_without_effect
from vae_explorer.data.catalog import is_path
from vae_explorer.resource_files import preset_path
from vae_explorer.sweep_config import SWEPT, read_sweep_file, split_betas


def config_from(args: argparse.Namespace) -> RunConfig:
    """Build the configuration: --config, then --dataset, --set, --epochs or --steps, --seed, --device override.

    A data path becomes absolute, so that the run finds its images from anywhere. Raises ConfigError (also where
    settings do not go together), UsageError, and DataError for a file that cannot be read.
    """
    return sweep_from(args)[0]


def sweep_from(args: argparse.Namespace) -> tuple[RunConfig, tuple[float, ...] | None]:
    """Return the configuration as `config_from` does, and the betas where they are a list, else None."""
    config, betas = _file_of(args)
    values: dict[str, Any] = {}
    if args.dataset is not None:
        values["data.name"] = args.dataset
    values.update(parse_assignment(text) for text in args.assignments)
    if args.epochs is not None:
        values.update({"train.epochs": args.epochs, "train.steps": None})
    for key, value in (("train.steps", args.steps), ("train.seed", args.seed), ("train.device", args.device)):
        if value is not None:
            values[key] = value
    betas = None if SWEPT in values else betas
    values, asked = split_betas(values)
    config = config.with_values(values)
    check_together(config)
    return config.with_values({"data.name": absolute_data_name(config.data.name)}), asked or betas


def _file_of(args: argparse.Namespace) -> tuple[RunConfig, tuple[float, ...] | None]:
    return (RunConfig(), None) if args.config is None else read_sweep_file(config_path(args.config))


def note_on(args: argparse.Namespace, config: RunConfig) -> str | None:
    """Return a sentence on what --config and --set ask for in vain under the other settings; None for nothing.

    Of a file only values that differ from the defaults count: a run.toml names every setting. Its length in epochs
    gives way to --steps without a word.
    """
    default, (base, _) = RunConfig(), _file_of(args)
    asked = [parse_assignment(text)[0] for text in args.assignments]
    keys = [key for key in FIELDS if key in asked or base.get(key) != default.get(key)]
    return note_without_effect([key for key in keys if key != "train.epochs"], config)


def config_path(text: str) -> Path:
    """Return the file that --config means: a preset by name, or a path where there is a slash or a suffix."""
    return Path(text).expanduser() if is_path(text) else preset_path(text)


def absolute_data_name(name: str) -> str:
    """Return a data set's name as it is, and a path as an absolute one."""
    return str(Path(name).expanduser().absolute()) if is_path(name) else name
