"""The command line: its words and what they mean; what a command does is in `vae_explorer.commands`."""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import re
import sys
import traceback
from collections.abc import Callable, Sequence

from vae_explorer import __version__
from vae_explorer.arguments import SentenceParser, axes, checkpoint, end, one_of, whole_number
from vae_explorer.errors import CancelledError, VaeExplorerError
from vae_explorer.openmp import sleep_soon

EXIT_CODES = (
    "exit codes: 0 ok, 1 failure, 2 usage (also an unknown name or key, or an --out that exists),\n"
    "3 bad or missing input, 4 no screen, 5 diverged, 130 interrupted (training saves first)"
)
WITH_WINDOW = ("gui", "tour")
SPLITS = ("train", "validation", "test", "all")
PICTURES = ("manifold", "samples", "reconstructions", "traversal", "interpolation", "classes", "codes")
ENDS = ("--from", "--to")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; every failure ends in one sentence on stderr."""
    args = parse(sys.argv[1:] if argv is None else argv)
    sleep_soon()
    if args.debug or args.command not in WITH_WINDOW:  # the window keeps a log of its own
        level = logging.DEBUG if args.debug else logging.WARNING
        logging.basicConfig(level=level, format="%(levelname)s %(name)s: %(message)s")
    try:
        code: int = importlib.import_module(f"vae_explorer.commands.{args.command}").run(args)
        return code
    except BrokenPipeError:
        # Whoever read our output has left (`| head`); without this the interpreter complains once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return VaeExplorerError.exit_code
    except KeyboardInterrupt:
        return CancelledError.exit_code
    except Exception as error:
        return _report(error, is_debugging=args.debug)


def _report(error: Exception, *, is_debugging: bool) -> int:
    if is_debugging:
        traceback.print_exception(error)
    if isinstance(error, VaeExplorerError):
        sys.stderr.write(f"vae-explorer: {error}\n")
        return error.exit_code
    from vae_explorer.commands.crash_log import describe_crash

    sys.stderr.write(f"vae-explorer: {describe_crash(error)}\n")
    return VaeExplorerError.exit_code


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Parse arguments; where the first word is no command, the `gui` command is meant. Exits with 2 on bad usage."""
    words = list(argv)
    if not words or words[0] not in {*COMMANDS, "-h", "--help", "--version"}:
        words.insert(0, "gui")
    args, unknown = build_parser().parse_known_args(_with_ends_joined(words))
    args.refuse_unknown(unknown)
    return args


def _with_ends_joined(words: Sequence[str]) -> list[str]:
    """Make '--from=-2,1' of '--from', '-2,1': argparse takes a code that begins with a minus for an option."""
    joined: list[str] = []
    for word in words:
        if joined and joined[-1] in ENDS and re.match(r"-(\d|\.|inf|nan)", word):
            joined[-1] += f"={word}"
        else:
            joined.append(word)
    return joined


class _CommandParser(SentenceParser):
    """A command's parser; the settings that `--set` takes are listed only when the help of `train` is asked for."""

    def format_help(self) -> str:
        text = super().format_help()
        if self.prog.endswith(" train"):
            from vae_explorer.commands.settings_help import settings_text

            text += "\n" + settings_text()
        return text


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="vae-explorer", allow_abbrev=False, epilog=EXIT_CODES, usage="vae-explorer [COMMAND] [RUN] [options]",
        description="Train a variational autoencoder on images and look inside it. Without a command: open the window.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--version", action="version", version=f"vae-explorer {__version__}")
    commands = parser.add_subparsers(
        dest="command", metavar="COMMAND", required=True, parser_class=_CommandParser, prog="vae-explorer"
    )
    for name, (summary, add_arguments) in COMMANDS.items():
        sub = commands.add_parser(
            name, help=summary, description=summary, allow_abbrev=False, epilog=EXIT_CODES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )  # fmt: skip
        add_arguments(sub)
        sub.set_defaults(refuse_unknown=sub.refuse_unknown)
        sub.add_argument("--debug", action="store_true", help="log in detail, and show the traceback of a failure")
    return parser


def _add_train(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--dataset", metavar="NAME|PATH", help="a data set by name, or a folder or file (with a slash or a suffix)")
    add("--config", metavar="FILE.toml|PRESET",
        help="settings to begin with, also the run.toml of a run; the options below override them")  # fmt: skip
    add("--set", metavar="KEY=VALUE", action="append", default=[], dest="assignments",
        help="one setting, such as model.latent_dim=2: a TOML value, else bare text; may be repeated")  # fmt: skip
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--epochs", type=whole_number, metavar="N", help="passes over the training images")
    length.add_argument("--steps", type=whole_number, metavar="N",
        help="updates in all, counted from the run's beginning")  # fmt: skip
    add("--seed", type=whole_number, metavar="S", help="seed of weights, batches and noise")
    add("--device", metavar="D", help="auto, cpu, cuda, cuda:N or mps")
    place = parser.add_mutually_exclusive_group(required=True)
    place.add_argument("--out", metavar="RUN", help="the folder of the new run, which must not exist")
    place.add_argument("--resume", metavar="RUN", help="go on with a run from its last checkpoint")
    _add_json(parser)


def _add_evaluate(parser: argparse.ArgumentParser) -> None:
    _add_run(parser)
    add = parser.add_argument
    add("--split", **one_of(SPLITS), help="which images; default: the held-out ones, else train")
    add("--samples", type=whole_number, default=64, metavar="K",
        help="draws from q(z|x) an image, for the elbo and for log p(x) alike (default: 64)")  # fmt: skip
    add("--exact", type=whole_number, default=200, metavar="N",
        help="images whose log p(x) is also integrated exactly (1 or 2 latent dimensions), and up to 32 of which q is "
        "improved; 0 for none (default: 200)")  # fmt: skip
    add("--seed", type=whole_number, default=0, metavar="S", help="seed of the draws (default: 0)")
    add("--device", metavar="D", help="auto, cpu, cuda, cuda:N or mps (default: the run's)")
    _add_json(parser)


def _add_export(parser: argparse.ArgumentParser) -> None:
    _add_run(parser)
    add = parser.add_argument
    add("--what", **one_of(PICTURES), help="which picture or table")
    add("--recipe", metavar="FILE.png|.json", help="begin with the recipe inside an exported picture or a JSON file")
    add("--rows", type=whole_number, metavar="R")
    add("--cols", type=whole_number, metavar="C")
    add("--seed", type=whole_number, metavar="S", help="seed of codes from the prior and of draws from p(x|z)")
    add("--scale", type=whole_number, metavar="K", help="screen pixels a pixel")
    add("--gap", type=whole_number, metavar="G", help="screen pixels between two images")
    add("--captions", action="store_true", default=None, help="write under the images what they are")
    add("--split", **one_of(SPLITS), help="images of reconstructions and codes")
    add("--image", type=whole_number, metavar="I",
        help="the centre of a traversal, the first of the reconstructions, a style")  # fmt: skip
    add("--label", type=whole_number, metavar="Y",
        help="M2: the class of all tiles (default: drawn for samples, else the mean)")  # fmt: skip
    add("--from", dest="start", type=end, metavar="I", help="one end of an interpolation: an image, or a code 0.5,-1")
    add("--to", dest="end", type=end, metavar="I", help="the other end")
    add("--path", **one_of(("linear", "spherical")), help="of an interpolation")
    add("--axes", type=axes, metavar="i,j", help="two latent dimensions, counted from 0")
    add("--draw", action="store_true", default=None, help="a draw from p(x|z) instead of its mean")
    add("--source", **one_of(("prior", "aggregate")), help="of samples: the prior, or q of images at random")
    add("--device", metavar="D", help="auto, cpu, cuda, cuda:N or mps (default: the run's)")
    add("--out", required=True, metavar="FILE", help=".png or .npz; codes: .csv or .npz; must not exist")
    _add_json(parser)


def _add_window(parser: argparse.ArgumentParser) -> None:
    about_run = "a run to open, followed while another program trains it; default: the bundled demo"
    parser.add_argument("path", nargs="?", metavar="RUN", help=about_run)
    parser.add_argument("--dataset", metavar="NAME|PATH", help="images for a new run")


def _add_bench(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--peer", **one_of(("pythae",)), action="append", default=[], dest="peers",
        help="another library that is installed here, measured at the same task")  # fmt: skip
    add("--rounds", type=whole_number, default=3, metavar="N", help="measurements of each, in turn (default: 3)")
    add("--no-window", action="store_false", dest="has_window", help="leave the window out")
    add("--device", metavar="D", help="auto, cpu, cuda, cuda:N or mps")
    _add_json(parser)


def _add_tour(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--out", required=True, metavar="DIR", help="the folder of the pictures and the grid, which must not exist"
    )
    parser.add_argument("--theme", **one_of(("light", "dark")), default="light", help="colours of the window")


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="the folder of a run")
    parser.add_argument("--checkpoint", type=checkpoint, metavar="last|best|STEP", help="which weights (default: last)")
    parser.add_argument("--dataset", metavar="PATH", help="where the run's images lie now, if they have moved")


def _add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", dest="is_json", help="write one JSON document to stdout")


COMMANDS: dict[str, tuple[str, Callable[[argparse.ArgumentParser], None]]] = {
    "gui": ("open the window, on a run if one is named", _add_window),
    "train": ("train a model without a window", _add_train),
    "evaluate": (
        "what the model is worth on a split: bound, log p(x), gap, active units, in nats per image",
        _add_evaluate,
    ),
    "export": ("a grid of pictures or a table of codes", _add_export),
    "datasets": ("the data sets that can be named", _add_json),
    "tour": ("drive the window through its main job, leaving pictures", _add_tour),
    "bench": ("how fast this program trains here, beside a plain torch loop and other libraries", _add_bench),
    "doctor": ("versions, devices, Qt, folders and memory", _add_json),
}
"""Each command with its summary and the function that adds its options."""
