"""`vae-explorer doctor`: what this machine and installation can do, for people and for bug reports."""

from __future__ import annotations

import argparse

from vae_explorer.commands.console import write_json, write_line
from vae_explorer.doctor import examine


def run(args: argparse.Namespace) -> int:
    """Write the findings; what is amiss comes with the way out."""
    found = examine()
    if args.is_json:
        write_json(found)
        return 0
    write_line(f"vae-explorer {found['vae_explorer']}, Python {found['python']}, {found['system']}")
    write_line(f"{found['cores']} cores, {found['free_memory_bytes'] / 2**30:.1f} GiB of memory free")
    for device in found["devices"]:
        memory = f", {device['free_bytes'] / 2**30:.1f} GiB free" if "free_bytes" in device else ""
        write_line(f"device {device['name']}: {device['title']}{memory}")
    for name in ("window", "off_screen"):
        finding = found[name]
        state = f"works ({finding['platform']})" if finding["works"] else finding["message"]
        write_line(f"{name.replace('_', '-')}: {state}")
    for name, folder in found["folders"].items():
        write_line(f"{name} in {folder}" if folder else f"{name} are missing; install vae-explorer again")
    write_line(
        "packages: " + ", ".join(f"{name} {version or 'missing'}" for name, version in found["packages"].items())
    )
    return 0
