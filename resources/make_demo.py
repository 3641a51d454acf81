"""Train the demo run that the window opens first: python resources/make_demo.py (half a minute on a CPU).

Keeps what a first look and a fork need: run.toml, the metrics, the last checkpoint and the stored view.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

demo = Path(__file__).parent / "demo"
with tempfile.TemporaryDirectory() as folder:
    run = Path(folder) / "demo"
    command = [sys.executable, "-m", "vae_explorer", "train", "--config", "digits-2d"]
    subprocess.run([*command, "--out", str(run)], check=True)
    checkpoints = sorted((run / "checkpoints").glob("step-*.safetensors"))
    shutil.rmtree(demo, ignore_errors=True)
    (demo / "checkpoints").mkdir(parents=True)
    for path in (run / "run.toml", run / "metrics.jsonl", run / "view.safetensors"):
        shutil.copy(path, demo / path.name)
    shutil.copy(checkpoints[-1], demo / "checkpoints" / checkpoints[-1].name)
