"""The list of settings and presets under `vae-explorer train --help`, made from the configuration itself."""

from __future__ import annotations

import textwrap
from typing import Any

import tomlkit

from vae_explorer.config import FIELDS
from vae_explorer.resource_files import preset_names, preset_title

WIDTH = 100
INDENT = " " * 28


def settings_text() -> str:
    """Return every preset, and every setting with its meaning, what it may be, and its default."""
    lines = ["presets (--config):"]
    lines += [_entry(name, preset_title(name)) for name in preset_names()]
    lines.append("\nsettings (--set KEY=VALUE, or in a TOML file under [data], [model], [objective], [train]):")
    for spec in FIELDS.values():
        may_be = spec.expectation[:1].upper() + spec.expectation[1:]
        lines.append(_entry(spec.key, f"{spec.help} {may_be}. Default: {_as_toml(spec.default)}"))
    return "\n".join(lines) + "\n"


def _as_toml(value: Any) -> str:
    if value is None:
        return "nothing"
    return tomlkit.item(list(value) if isinstance(value, tuple) else value).as_string()


def _entry(name: str, text: str) -> str:
    return textwrap.fill(text, WIDTH, initial_indent=f"  {name:<25} ", subsequent_indent=INDENT)
