"""Checkpoints: whole or not there, the last three and the best kept, and never more memory than bytes."""

import json
import struct

import numpy as np
import pytest
from run_makers import metrics
from safetensors.numpy import load_file

from vae_explorer import atomic_files
from vae_explorer.errors import RunError, UsageError
from vae_explorer.runs import tensor_file
from vae_explorer.runs.folder import RunFolder

TENSORS = {
    "weight": np.arange(6, dtype=np.float32).reshape(2, 3).T,  # not contiguous
    "step": np.array(3.5),
    "empty": np.zeros((0, 4), dtype=np.float32),
    "generator": np.arange(40, dtype=np.uint8),
    "flags": np.array([True, False]),
    "half": np.array([1.5], dtype=np.float16),
    "index": np.array([-(2**40)], dtype=np.int64),
}


def steps_of(run):
    return [entry.step for entry in run.checkpoints()]


def test_arrays_and_meta_come_back_exactly(run):
    path = run.write_checkpoint(12_000, TENSORS, {"live": {"beta": 0.5}, "best": float("-inf")})
    assert path.name == "step-000012000.safetensors"
    tensors, meta = run.read_checkpoint(run.find_checkpoint("last"))
    assert meta == {"live": {"beta": 0.5}, "best": float("-inf")}
    assert tensors.keys() == TENSORS.keys()
    for name, expected in TENSORS.items():
        assert tensors[name].dtype == expected.dtype
        assert tensors[name].shape == expected.shape
        assert np.array_equal(tensors[name], expected)
        assert tensors[name].flags.writeable


def test_the_file_is_plain_safetensors(run):
    path = run.write_checkpoint(1, TENSORS, {})
    for name, array in load_file(path).items():
        assert np.array_equal(array, TENSORS[name])


def test_who_may_read_a_run_may_read_its_checkpoints(run):
    path = run.write_checkpoint(1, TENSORS, {})
    assert path.stat().st_mode == (run.path / "run.toml").stat().st_mode


def test_the_last_three_and_the_best_are_kept(run):
    for step in range(10, 100, 10):
        run.write_checkpoint(step, {"w": np.full(2, step)}, {}, is_best=step in (20, 40))
    assert steps_of(run) == [40, 70, 80, 90]
    assert [entry.is_best for entry in run.checkpoints()] == [True, False, False, False]
    assert run.find_checkpoint("best").step == 40
    assert run.find_checkpoint("last").step == 90
    assert run.find_checkpoint(80).step == 80
    assert run.find_checkpoint("80").step == 80
    assert run.read_checkpoint(run.find_checkpoint("best"))[0]["w"].tolist() == [40, 40]


def test_a_best_among_the_last_three_takes_no_fourth_place(run):
    for step in range(1, 6):
        run.write_checkpoint(step, {"w": np.zeros(1)}, {}, is_best=step == 4)
    assert steps_of(run) == [3, 4, 5]


def test_the_same_step_written_again_as_best_replaces_it(run):
    run.write_checkpoint(5, {"w": np.zeros(1)}, {})
    assert not run.checkpoints()[0].is_best
    run.write_checkpoint(5, {"w": np.ones(1)}, {}, is_best=True)
    assert steps_of(run) == [5]
    assert run.checkpoints()[0].is_best


def test_without_a_best_the_last_is_taken(run):
    run.write_checkpoint(5, {"w": np.zeros(1)}, {})
    assert run.find_checkpoint("best").step == 5


def test_a_missing_checkpoint_names_those_that_there_are(run):
    with pytest.raises(RunError, match="has no checkpoint yet"):
        run.find_checkpoint("last")
    run.write_checkpoint(5, {"w": np.zeros(1)}, {})
    for which in (7, "newest", "../../etc/passwd"):
        with pytest.raises(UsageError, match="there are last, best and the steps 5"):
            run.find_checkpoint(which)


def test_going_on_from_an_earlier_checkpoint_drops_the_later_ones_once_the_new_one_is_safe(run, monkeypatch):
    for step in (10, 20, 30):
        run.write_checkpoint(step, {"w": np.zeros(1)}, {}, is_best=step == 30)
    with monkeypatch.context() as patched:
        patched.setattr(atomic_files, "sync_file", fail)
        with pytest.raises(RunError):
            run.write_checkpoint(15, {"w": np.zeros(1)}, {})
    assert steps_of(run) == [10, 20, 30]
    run.write_checkpoint(15, {"w": np.zeros(1)}, {})
    assert steps_of(run) == [10, 15]
    assert run.find_checkpoint("best").step == 15


def fail(*_):
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("where", ["sync_file", "os.replace"])
def test_a_write_that_fails_half_way_leaves_the_old_state(run, monkeypatch, where):
    run.write_checkpoint(1, {"w": np.zeros(4)}, {})
    before = {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()}
    monkeypatch.setattr(f"vae_explorer.atomic_files.{where}", fail)
    with pytest.raises(RunError, match="No space left"):
        run.write_checkpoint(1, {"w": np.ones(4)}, {})
    assert {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()} == before


def test_what_a_power_cut_left_is_not_seen_and_is_cleared_by_the_next_write(run):
    run.write_checkpoint(1, {"w": np.zeros(4)}, {})
    left = run.path / "checkpoints" / ".step-000000002.safetensors.ab12.part"
    left.write_bytes(b"half")
    assert steps_of(run) == [1]
    run.write_checkpoint(2, {"w": np.zeros(4)}, {})
    assert not left.exists()


def test_the_log_is_on_the_disk_before_the_checkpoint_that_needs_it(run, monkeypatch):
    synced = []
    real = atomic_files.sync_file
    for module in ("vae_explorer.atomic_files", "vae_explorer.runs.metrics_log"):
        monkeypatch.setattr(f"{module}.sync_file", lambda path: (synced.append(path.name), real(path)))
    run.append(metrics(1))
    run.write_checkpoint(1, {"w": np.zeros(4)}, {})
    assert synced[0] == "metrics.jsonl"
    assert synced[1].endswith(".part")


# ---- files from strangers -----------------------------------------------------------------------------------------


def raw(header, body=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


def entry(shape, begin, end, dtype="F32"):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


LIES = {
    "empty file": b"",
    "three bytes": b"abc",
    "header longer than the file": struct.pack("<Q", 1 << 40) + b"{}",
    "negative-looking length": b"\xff" * 8 + b"{}",
    "not JSON": raw(b"{{{{"),
    "not UTF-8": raw(b"\xff\xfe\xfd"),
    "deeply nested": raw(b"[" * 100_000),
    "a list": raw([1, 2]),
    "entry is no table": raw({"w": 3}),
    "unknown dtype": raw({"w": entry([1], 0, 2, "BF16")}, b"\0\0"),
    "pickled objects": raw({"w": entry([1], 0, 8, "O")}, b"\0" * 8),
    "shape of strings": raw({"w": entry(["a"], 0, 4)}, b"\0" * 4),
    "negative shape": raw({"w": entry([-1, -1], 0, 4)}, b"\0" * 4),
    "float shape": raw({"w": entry([1.0], 0, 4)}, b"\0" * 4),
    "bool shape": raw({"w": entry([True], 0, 4)}, b"\0" * 4),
    "a shape of terabytes": raw({"w": entry([1 << 40], 0, 4)}, b"\0" * 4),
    "overflowing product": raw({"w": entry([1 << 62, 4], 0, 0)}),
    "offsets past the end": raw({"w": entry([1 << 40], 0, 1 << 42)}, b"\0" * 4),
    "offsets that overlap": raw({"a": entry([1], 0, 4), "b": entry([1], 0, 4)}, b"\0" * 4),
    "a hole": raw({"a": entry([1], 4, 8)}, b"\0" * 8),
    "bytes left over": raw({"a": entry([1], 0, 4)}, b"\0" * 400),
    "forty dimensions": raw({"a": entry([1] * 40, 0, 4)}, b"\0" * 4),
    "metadata of numbers": raw({"__metadata__": {"step": 1}}),
    "metadata is a list": raw({"__metadata__": []}),
    "no metadata": raw({"a": entry([1], 0, 4)}, b"\0" * 4),
    "meta is no JSON": raw({"__metadata__": {"step": "1", "meta": "{"}}),
    "meta is a list": raw({"__metadata__": {"step": "1", "meta": "[]"}}),
    "another step": raw({"__metadata__": {"step": "2", "meta": "{}"}}),
    "offsets of three": raw({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4, 8]}}, b"\0" * 4),
}


@pytest.mark.parametrize("content", LIES.values(), ids=LIES.keys())
def test_a_lying_file_is_one_sentence_and_takes_no_memory(run, content, monkeypatch):
    allocated = []
    real = np.empty
    monkeypatch.setattr(
        tensor_file.np, "empty", lambda shape, **k: (allocated.append(int(np.prod(shape))), real(shape, **k))[1]
    )
    (run.path / "checkpoints").mkdir()
    path = run.path / "checkpoints" / "step-000000001.safetensors"
    path.write_bytes(content)
    with pytest.raises(RunError) as caught:
        run.read_checkpoint(run.find_checkpoint(1))
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    assert len(message) < 400 + len(str(path))
    assert sum(allocated) <= 1


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.9, 0.999])
def test_a_truncated_checkpoint_is_refused_and_the_others_still_open(run, share):
    run.write_checkpoint(1, TENSORS, {"x": 1})
    last = run.write_checkpoint(2, TENSORS, {"x": 2}, is_best=True)
    whole = last.read_bytes()
    last.write_bytes(whole[: int(len(whole) * share)])
    reopened = RunFolder.open(run.path)
    with pytest.raises(RunError, match="damaged or no safetensors file"):
        reopened.read_checkpoint(reopened.find_checkpoint(2))
    assert reopened.read_checkpoint(reopened.find_checkpoint(1))[1] == {"x": 1}


def test_more_than_the_free_memory_is_refused_before_it_is_taken(run, monkeypatch):
    run.write_checkpoint(1, {"w": np.zeros(1000)}, {})
    monkeypatch.setattr(tensor_file, "free_memory_bytes", lambda: 7000)
    with pytest.raises(RunError, match="memory are free"):
        run.read_checkpoint(run.find_checkpoint(1))


def test_a_checkpoint_that_vanished_is_one_sentence(run):
    run.write_checkpoint(1, {"w": np.zeros(4)}, {})
    found = run.find_checkpoint(1)
    found.path.unlink()
    with pytest.raises(RunError, match="cannot be read"):
        run.read_checkpoint(found)


def test_files_of_other_names_are_not_checkpoints(run):
    run.write_checkpoint(1, {"w": np.zeros(4)}, {})
    for name in ("step-2.safetensors", "step-000000003.safetensors.bak", "notes.txt", "step-00000000x.safetensors"):
        (run.path / "checkpoints" / name).write_bytes(b"x")
    (run.path / "checkpoints" / "step-000000009.safetensors").mkdir()
    assert steps_of(run) == [1]


def test_the_newest_sound_checkpoint_is_found_past_damaged_ones(run):
    paths = [run.write_checkpoint(step, {"w": np.zeros(9)}, {"x": step}) for step in (1, 2, 3)]
    assert run.find_sound_checkpoint() == (run.find_checkpoint(3), None)
    paths[2].write_bytes(paths[2].read_bytes()[:-1])
    paths[1].write_bytes(paths[0].read_bytes())  # holds another step than its name says
    entry, notice = run.find_sound_checkpoint()
    assert (entry.step, notice) == (1, "The checkpoint of step 3 is damaged; going on from that of step 1.")
    paths[0].write_bytes(b"")
    with pytest.raises(RunError, match=r"All checkpoints of .* are damaged"):
        run.find_sound_checkpoint()
