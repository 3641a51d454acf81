"""`vae-explorer export`: a grid of pictures or a table of codes, the same bytes as from the window."""

from __future__ import annotations

import argparse

import msgspec

from vae_explorer.commands.console import catch_interrupts, progress_bar, say, write_json
from vae_explorer.commands.run_data import load_run_data
from vae_explorer.config import field_spec
from vae_explorer.errors import UsageError
from vae_explorer.export.picture import read_recipe
from vae_explorer.export.recipe import Recipe
from vae_explorer.export.write import check_export_path, write_export
from vae_explorer.runs.folder import RunFolder

OPTIONS = (
    "what", "rows", "cols", "seed", "scale", "gap", "captions", "split", "image", "start", "end", "path", "axes",
    "draw", "source", "label",
)  # fmt: skip
"""Options that are fields of a recipe under the same name."""


def run(args: argparse.Namespace) -> int:
    """Make the picture or table from a checkpoint, and write it whole or not at all."""
    recipe = recipe_from(args)
    out = check_export_path(args.out, recipe)
    device = None if args.device is None else field_spec("train.device").validate(args.device)
    folder = RunFolder.open(args.run)
    checkpoint = _checkpoint(args, recipe)
    folder.find_checkpoint(checkpoint)
    with catch_interrupts() as interrupts:
        data = load_run_data(folder, args.dataset, interrupts)
        recipe.validated(latent_dim=folder.config.model.latent_dim, n_images=len(data))
        # torch is loaded here, after everything that can be refused without it
        from vae_explorer.evaluation.pictures import make_picture
        from vae_explorer.training.checkpoint import open_frozen

        model = open_frozen(folder, data, checkpoint=checkpoint, device=device)
        with progress_bar("drawing", interrupts) as on_progress:
            result = make_picture(model, data, recipe, progress=on_progress, is_cancelled=interrupts)
    interrupts.check()
    write_export(out, result)
    if args.is_json:
        write_json({"out": str(out), "what": recipe.what, "run": folder.name, "step": model.step})
    else:
        say(f"{out}: {recipe.what} of {folder.name} at step {model.step:,}")
    return 0


def recipe_from(args: argparse.Namespace) -> Recipe:
    """Build the recipe: that of --recipe, then each option that was given; UsageError when nothing says what."""
    given = {name: getattr(args, name) for name in OPTIONS if getattr(args, name) is not None}
    if args.recipe is not None:
        return msgspec.structs.replace(read_recipe(args.recipe), **given)
    if "what" not in given:
        raise UsageError("Say what to export: --what manifold (or another picture), or --recipe FILE.")
    return Recipe(**given)


def _checkpoint(args: argparse.Namespace, recipe: Recipe) -> str | int:
    """The checkpoint that is asked for, else the step that the recipe was made at, else the last."""
    if args.checkpoint is not None:
        return str(args.checkpoint) if isinstance(args.checkpoint, str) else int(args.checkpoint)
    return "last" if recipe.step is None else recipe.step
