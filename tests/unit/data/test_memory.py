"""The question whether something fits into memory."""

from __future__ import annotations

import pytest

from vae_explorer.data import memory
from vae_explorer.errors import DataError


def test_free_memory_is_near_what_psutil_says() -> None:
    import psutil

    free = memory.free_memory_bytes()
    assert 0.5 * psutil.virtual_memory().available < free < 2.0 * psutil.virtual_memory().total


def test_half_of_the_free_memory_is_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "free_memory_bytes", lambda: 6 * 2**30)
    memory.check_fits("a.npy", 3 * 2**30)
    with pytest.raises(
        DataError, match=r"a\.npy: 3\.0 GiB once unpacked; expected at most .* \(3\.0 GiB\); give fewer"
    ):
        memory.check_fits("a.npy", 3 * 2**30 + 1)
