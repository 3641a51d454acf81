"""The metrics log: what was appended comes back, whatever a power cut or a stranger left in the file."""

import json
import logging
import math
import tracemalloc

import pytest
from run_makers import mark, metrics

from vae_explorer import atomic_files
from vae_explorer.errors import RunError
from vae_explorer.runs.folder import RunFolder
from vae_explorer.runs.metrics_log import MAX_LINE_BYTES, MetricsLog

RECORDS = [metrics(50), mark(70), metrics(100, split="held_out", kl=None, elbo=None, kl_per_dim=None), metrics(100)]


@pytest.fixture
def log(tmp_path):
    return MetricsLog(tmp_path / "metrics.jsonl")


def test_records_come_back_in_order(run):
    for record in RECORDS:
        run.append(record)
    assert run.read_records() == RECORDS
    assert RunFolder.open(run.path).read_records(up_to_step=70) == RECORDS[:2]


def test_a_run_without_a_log_has_no_records(run):
    assert run.read_records() == []
    run.truncate_records(5)
    assert run.read_records() == []


def test_every_record_is_a_line_that_others_can_read(log):
    log.append(RECORDS[0])
    log.append(RECORDS[1])
    lines = [json.loads(line) for line in log.path.read_text().splitlines()]
    assert [line["type"] for line in lines] == ["metrics", "mark"]
    assert lines[0]["elbo"] == -95.0


def test_it_can_be_read_while_it_grows(log):
    reader = MetricsLog(log.path)
    for count, record in enumerate(RECORDS, start=1):
        log.append(record)
        assert list(reader.records()) == RECORDS[:count]


@pytest.mark.parametrize("kept", [1, 20, 100])
def test_a_torn_last_line_is_left_out_and_cut_before_the_next(log, kept, caplog):
    log.append(RECORDS[0])
    log.append(RECORDS[1])
    whole = log.path.read_bytes()
    second = whole.splitlines(keepends=True)[1]
    torn = whole[: len(whole) - len(second)] + second[: min(kept, len(second) - 1)]
    log.path.write_bytes(torn)
    assert list(log.records()) == RECORDS[:1]
    assert log.path.read_bytes() == torn  # reading changes nothing
    after_restart = MetricsLog(log.path)
    after_restart.append(RECORDS[2])
    assert list(after_restart.records()) == [RECORDS[0], RECORDS[2]]
    assert not caplog.records


def test_a_torn_first_line_leaves_an_empty_log(log):
    log.path.write_bytes(b'{"type":"metr')
    assert list(log.records()) == []
    log.append(RECORDS[0])
    assert list(log.records()) == RECORDS[:1]


def test_a_torn_tail_longer_than_a_block_is_cut_whole(log):
    log.append(RECORDS[0])
    with log.path.open("ab") as file:
        file.write(b"\0" * 200_000)  # what some file systems leave after a power cut
    fresh = MetricsLog(log.path)
    fresh.append(RECORDS[1])
    assert list(fresh.records()) == RECORDS[:2]
    assert b"\0" not in log.path.read_bytes()


@pytest.mark.parametrize(
    "line",
    [b"not json\n", b"{}\n", b'{"type":"metrics"}\n', b'{"type":["x"]}\n', b"\xff\xfe\n", b"[]\n", b"\n", b"1\n"],
)
def test_a_line_that_is_no_record_is_left_out_and_logged(log, line, caplog):
    log.append(RECORDS[0])
    with log.path.open("ab") as file:
        file.write(line)
    log.append(RECORDS[1])
    with caplog.at_level(logging.WARNING):
        assert list(log.records()) == RECORDS[:2]
    assert "no record" in caplog.text


def test_figures_that_are_not_finite_come_back_as_nan(log):
    log.append(metrics(1, distortion=math.nan, loss=math.inf, elbo=-math.inf, kl_per_dim=(math.nan, 1.0)))
    log.append(metrics(2))
    bad, good = log.records()
    assert math.isnan(bad.distortion)
    assert math.isnan(bad.loss)
    assert bad.elbo is None
    assert math.isnan(bad.kl_per_dim[0])
    assert bad.kl_per_dim[1] == 1.0
    assert good == metrics(2)


def test_truncating_keeps_the_records_up_to_the_checkpoint(run):
    for record in RECORDS:
        run.append(record)
    run.truncate_records(70)
    assert run.read_records() == RECORDS[:2]
    run.append(metrics(75))
    assert run.read_records() == [*RECORDS[:2], metrics(75)]


def test_truncating_that_fails_half_way_leaves_the_old_log(run, monkeypatch):
    for record in RECORDS:
        run.append(record)
    before = (run.path / "metrics.jsonl").read_bytes()

    def fail(_path):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(atomic_files, "sync_file", fail)
    with pytest.raises(RunError, match="Input/output error"):
        run.truncate_records(70)
    assert (run.path / "metrics.jsonl").read_bytes() == before
    assert {path.name for path in run.path.iterdir()} == {"run.toml", "metrics.jsonl"}


def test_a_huge_log_is_read_a_line_at_a_time(log):
    log.append(metrics(0))
    line = log.path.read_bytes()
    with log.path.open("ab") as file:
        for _ in range(100):
            file.write(line * 1000)
    size = log.path.stat().st_size
    tracemalloc.start()
    try:
        count = sum(1 for _ in log.records())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert count == 100_001
    assert peak < size / 50


def test_a_line_without_end_is_left_out_without_being_held(log):
    log.append(metrics(1))
    with log.path.open("ab") as file:
        for _ in range(8):
            file.write(b"x" * MAX_LINE_BYTES)
        file.write(b"\n")
    MetricsLog(log.path).append(metrics(2))
    tracemalloc.start()
    try:
        assert list(log.records()) == [metrics(1), metrics(2)]
        assert tracemalloc.get_traced_memory()[1] < 4 * MAX_LINE_BYTES
    finally:
        tracemalloc.stop()


def test_a_full_disk_tears_at_most_the_record_that_it_refused(log, monkeypatch):
    log.append(metrics(1))

    class FullDisk:
        def __init__(self, file):
            self.file = file

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.file.close()

        def write(self, content):
            if len(content) > 10:
                return self.file.write(content[: len(content) // 2])
            raise OSError(28, "No space left on device")

    path_type = type(log.path)
    real_open = path_type.open

    def open_on_full_disk(path, mode="r", **options):
        file = real_open(path, mode, **options)
        return FullDisk(file) if mode == "ab" else file

    with monkeypatch.context() as patched:
        patched.setattr(path_type, "open", open_on_full_disk)
        with pytest.raises(OSError, match="No space left"):
            log.append(metrics(2))
    assert list(log.records()) == [metrics(1)]
    log.append(metrics(3))
    assert list(log.records()) == [metrics(1), metrics(3)]
