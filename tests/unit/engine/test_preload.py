"""Torch's library is mapped without torch being imported, and torch works as ever after it."""

from __future__ import annotations

import subprocess
import sys

import pytest

PRELOAD = """
import sys
from pathlib import Path
from vae_explorer.engine.preload import preload_torch
preload_torch()
print("torch" in sys.modules, "libtorch_cpu.so" in Path("/proc/self/maps").read_text())
import torch
with torch.no_grad():
    print(torch.nn.Linear(3, 1, bias=False).weight.fill_(2.0).sum().item())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the import loads all")
def test_the_library_is_there_before_torch_is_imported() -> None:
    done = subprocess.run([sys.executable, "-c", PRELOAD], check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["False", "True", "6.0"]


def test_nothing_happens_where_there_is_no_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    from vae_explorer.engine import preload

    monkeypatch.delitem(sys.modules, "torch", raising=False)
    monkeypatch.setattr(preload, "find_spec", lambda name: None)
    preload.preload_torch()
