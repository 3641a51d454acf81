"""Makes .venv, installs into it and runs a task there: what `make run` and `make test` do, on any system.

Runs under any Python 3 (a newer one is looked for when it is too old) and needs nothing but its standard library. A
stamp in .venv says what was installed, so that the second call is quick; a half-made, moved or outdated environment
is mended.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(ROOT, ".venv")
STAMP = os.path.join(VENV, "vae-explorer-installed.txt")
OLDEST = (3, 11)
NEWEST_TRIED = 14
NO_TESTS = 5
"""Exit code of pytest where no test is marked so."""
NO_SCREEN = 4
"""Exit code of `vae-explorer` where there is no screen."""


def main(arguments: list) -> int:
    """Run the task that the first argument names; return its exit code."""
    task, rest = (arguments or [""])[0], arguments[1:]
    if task not in TASKS:
        return stop(f"unknown task {task!r}, expected one of {', '.join(TASKS)}", code=2)
    if sys.version_info < OLDEST:
        return run_newer_python(arguments)
    os.chdir(ROOT)
    return TASKS[task](rest)


# ---- tasks ----------------------------------------------------------------------------------------------------------


def task_run(rest: list) -> int:
    """Open the window; without a screen, drive it off-screen and leave the pictures in a folder."""
    code = install(extras="") or run_module("vae_explorer", *rest)
    if code != NO_SCREEN:
        return code
    out = os.path.join("tour", time.strftime("%Y-%m-%d-%H%M%S"))
    say("going on without a screen: the tour of the window, off-screen, takes about a minute")
    code = run_module("vae_explorer", "tour", "--out", out)
    if code == 0:
        say(f"the pictures of the window and the exported grid are in {os.path.join(ROOT, out)}")
    return code


def task_test(rest: list) -> int:
    """Run every check, the rest of them too when one fails."""
    code = install(extras="[test]")
    if code:
        return code
    # A file stays on one of the two processes, with what its tests share.
    quick = ("-q", "-m", "not slow", "-n", "2", "--dist", "loadfile", "-p", "no:benchmark")
    checks = {
        "ruff check": lambda: run_module("ruff", "check", "."),
        "ruff format": lambda: run_module("ruff", "format", "--check", "."),
        "mypy": lambda: run_module("mypy"),
        "import contracts": lambda: run([venv_program("lint-imports")]),
        # One call each: their helpers have the same names.
        "tests of the core": lambda: run_module("pytest", "tests/unit", *quick, *rest),
        "tests of the window": lambda: run_module("pytest", "tests/gui", *quick, *rest),
        "tests of the command line": lambda: run_module("pytest", "tests/end_to_end", *quick, *rest),
    }
    failed = []
    for name, check in checks.items():
        say(name)
        if check():
            failed.append(name)
    return stop(f"failed: {', '.join(failed)}") if failed else 0


def task_test_slow(rest: list) -> int:
    """Run the tests that take minutes, the rest of them too when one fails."""
    code = install(extras="[test]")
    if code:
        return code
    ends = [run_module("pytest", f"tests/{part}", "-q", "-m", "slow", *rest) for part in ("unit", "gui", "end_to_end")]
    return max(0 if end == NO_TESTS else end for end in ends)


def task_bench(rest: list) -> int:
    """Measure training, the live window and the latent map, each as one JSON object, and the parts: half an hour."""
    code = install(extras="[test]")
    for name in ("training", "window", "latent_map", "evaluation"):
        code = code or run_module(f"tests.benchmarks.{name}", *rest)
    return code or run_module("pytest", "-q", "tests/benchmarks")


TASKS = {"run": task_run, "test": task_test, "test-slow": task_test_slow, "bench": task_bench}


# ---- the environment ------------------------------------------------------------------------------------------------


def install(extras: str) -> int:
    """Make .venv hold the program, in editable form, with extras such as '[test]'; return an exit code."""
    wanted = {"inputs": inputs_digest(), "place": ROOT, "extras": extras}
    stamp = read_stamp()
    if is_installed(stamp, wanted):
        return 0
    if stamp.get("place", ROOT) != ROOT or not venv_answers():
        code = make_venv()
        if code:
            return code
    say(f"installing vae-explorer{extras} into .venv (the first time fetches torch and Qt, which takes minutes)")
    if os.path.exists(STAMP):
        os.remove(STAMP)  # from here to the end of pip the environment is half-made
    pip = ("pip", "--disable-pip-version-check", "install", "--constraint", "constraints.txt")
    if run_module(*pip, "--editable", "." + extras):
        return stop("pip could not install what is needed (see above); mend that and run the same command again")
    write_stamp(dict(wanted, packages=" ".join(installed_packages())))
    return 0


def is_installed(stamp: dict, wanted: dict) -> bool:
    """Whether the stamp fits, the interpreter is there, and no package was taken away since."""
    if any(stamp.get(key) != wanted[key] for key in ("inputs", "place")):
        return False
    if wanted["extras"] not in ("", stamp.get("extras")):
        return False
    is_whole = set(stamp.get("packages", "").split()) <= set(installed_packages())
    return is_whole and os.path.exists(venv_program("python"))


def make_venv() -> int:
    """Make .venv anew; where Debian has left out what that takes, name the package."""
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    try:
        import ensurepip  # noqa: F401
        import venv
    except ImportError:
        is_system = os.path.realpath(sys.executable) == os.path.realpath("/usr/bin/python3")
        package = "python3-venv" if is_system else f"python{version}-venv"
        missing = f"Python {version} at {sys.executable} lacks what makes virtual environments"
        return stop(f"{missing}; install it: sudo apt install {package}")
    say(f"making a virtual environment in .venv with Python {version}")
    try:
        venv.create(VENV, clear=True, with_pip=True, symlinks=os.name != "nt")
    except (OSError, subprocess.CalledProcessError) as error:
        return stop(f"the virtual environment {VENV} could not be made ({error})")
    return 0


def run_newer_python(arguments: list) -> int:
    """Hand over to a Python that is new enough, if PATH has one."""
    for minor in range(NEWEST_TRIED, OLDEST[1] - 1, -1):
        newer = shutil.which(f"python3.{minor}")
        if newer:
            return run([newer, os.path.abspath(__file__), *arguments])
    found = (
        f"Python {sys.version_info[0]}.{sys.version_info[1]} is at {sys.executable}, 3.{OLDEST[1]} or newer is needed"
    )
    way_out = "install one (sudo apt install python3.11 python3.11-venv) and name it: make run PYTHON=python3.11"
    return stop(f"{found}; {way_out}")


def venv_program(name: str) -> str:
    """Return the path of a program in .venv."""
    return os.path.join(VENV, "Scripts", name + ".exe") if os.name == "nt" else os.path.join(VENV, "bin", name)


def venv_answers() -> bool:
    """Whether the interpreter of .venv runs, is new enough, and has pip."""
    question = f"import pip, sys; sys.exit(sys.version_info < {OLDEST})"
    try:
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        return subprocess.call([venv_program("python"), "-c", question], **quiet) == 0
    except OSError:
        return False


def installed_packages() -> list:
    """Return the names of the folders that describe installed packages, without starting an interpreter."""
    found = []
    for folder, names, _ in os.walk(os.path.join(VENV, "Lib" if os.name == "nt" else "lib")):
        if os.path.basename(folder) == "site-packages":
            found += [name for name in names if name.endswith(".dist-info")]
            names.clear()  # go no deeper
    return sorted(found)


def inputs_digest() -> str:
    """Return the digest of what decides which packages are installed."""
    digest = hashlib.sha256()
    for name in ("pyproject.toml", "constraints.txt"):
        with open(os.path.join(ROOT, name), "rb") as file:
            digest.update(file.read())
    return digest.hexdigest()


def read_stamp() -> dict:
    """Return what was installed last, {} where nothing was, or not to the end."""
    try:
        with open(STAMP, encoding="utf-8") as file:
            return dict(line.rstrip("\n").split("=", 1) for line in file if "=" in line)
    except OSError:
        return {}


def write_stamp(state: dict) -> None:
    """Say what is installed now."""
    with open(STAMP, "w", encoding="utf-8") as file:
        file.writelines(f"{key}={value}\n" for key, value in sorted(state.items()))


# ---- small things ---------------------------------------------------------------------------------------------------


def run_module(module: str, *arguments: str) -> int:
    """Run a module with the interpreter of .venv; return its exit code."""
    return run([venv_program("python"), "-m", module, *arguments])


def run(command: list) -> int:
    """Run a command to its end and return its exit code; Ctrl-C reaches the command too, and is its to answer."""
    try:
        child = subprocess.Popen(command)
    except OSError as error:
        return stop(f"{command[0]} cannot be started ({error})")
    while True:
        try:
            return child.wait()
        except KeyboardInterrupt:
            continue


def say(sentence: str) -> None:
    """Write one line of talk to stderr."""
    sys.stderr.write(f"vae-explorer: {sentence}\n")
    sys.stderr.flush()


def stop(sentence: str, code: int = 1) -> int:
    """Say why it ends, and return the exit code."""
    say(sentence + ".")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
