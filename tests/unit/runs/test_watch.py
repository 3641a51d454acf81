"""A folder that another program writes: its log as it grows, its newest checkpoint, and who writes it."""

import logging
import os
import socket
import threading
import time

import numpy as np
import pytest
from run_makers import mark, metrics

from vae_explorer.runs import watch as watch_module
from vae_explorer.runs.folder import RunFolder
from vae_explorer.runs.log_tail import LogNews, LogTail
from vae_explorer.runs.watch import RunWatch

WEIGHTS = {"w": np.arange(3, dtype=np.float32)}


def steps(news: LogNews) -> list[int]:
    return [record.step for record in news.records]


# ---- the log -------------------------------------------------------------------------------------------------------


def test_a_tail_gives_each_record_once(run):
    tail = run.log_tail()
    assert tail.read() == LogNews()
    run.append(metrics(1))
    run.append(mark(1))
    assert tail.read() == LogNews((metrics(1), mark(1)))
    assert tail.read() == LogNews()
    run.append(metrics(2))
    assert steps(tail.read()) == [2]


def test_a_torn_last_line_waits_for_its_rest(run):
    tail = run.log_tail()
    run.append(metrics(1))
    run.append(metrics(2))
    path = run.path / "metrics.jsonl"
    whole = path.read_bytes()
    for cut in (len(whole) - 1, len(whole) - 40):
        path.write_bytes(whole[:cut])
        fresh = LogTail(path)
        assert steps(fresh.read()) == [1]
        assert steps(fresh.read()) == []
        path.write_bytes(whole)
        assert steps(fresh.read()) == [2]
    assert steps(tail.read()) == [1, 2]


def test_rows_that_were_dropped_are_told(run):
    tail = run.log_tail()
    for step in (10, 20, 30):
        run.append(metrics(step))
    tail.read()
    run.truncate_records(20)
    news = tail.read()
    assert (steps(news), news.is_anew) == ([10, 20], True)
    run.append(metrics(25))
    assert tail.read() == LogNews((metrics(25),))


def test_a_log_that_grew_again_beyond_where_it_was_cut_is_read_anew(run):
    tail = run.log_tail()
    for step in (10, 20, 30):
        run.append(metrics(step))
    tail.read()
    run.truncate_records(20)
    for step in (22, 32, 42):
        run.append(metrics(step))
    assert steps(tail.read()) == [10, 20, 22, 32, 42]


def test_a_log_that_was_replaced_by_itself_is_gone_on_with(run):
    tail = run.log_tail()
    run.append(metrics(10))
    tail.read()
    run.truncate_records(10)
    run.append(metrics(20))
    assert tail.read() == LogNews((metrics(20),))


def test_what_is_no_record_is_left_out(run, monkeypatch):
    monkeypatch.setattr("vae_explorer.runs.log_tail.MAX_READ_BYTES", 1000)
    tail = run.log_tail()
    run.append(metrics(1))
    with (run.path / "metrics.jsonl").open("ab") as file:
        file.write(b"nonsense\n" + b"x" * 5000 + b"\n")
    run.append(metrics(2))
    assert steps(tail.read()) == [1, 2]


# ---- the writer ----------------------------------------------------------------------------------------------------


def test_who_writes_is_told_without_writing(run):
    other = RunFolder.open(run.path)
    assert other.writer() is None
    assert not (run.path / ".lock").exists()
    with run.lock():
        found = other.writer()
        assert (found.pid, found.host) == (os.getpid(), socket.gethostname())
        assert run.writer() is None  # one's own lock is nobody else's
    assert other.writer() is None


def test_a_writer_that_crashed_is_none_and_one_elsewhere_is_believed(run):
    from test_lock import write_holder

    write_holder(run)
    assert run.writer() is None
    write_holder(run, host="other-machine")
    assert run.writer().host == "other-machine"
    (run.path / ".lock").write_text('{"host": "torn')
    assert run.writer() is None


# ---- the watch -----------------------------------------------------------------------------------------------------


class Watched:
    """A watch with its news gathered; `wait` for some that fit."""

    def __init__(self, run, **values):
        self._changed = threading.Condition()
        self.news = []
        self._poked = threading.Event()
        self.watch = RunWatch(run, run.log_tail(), on_news=self._poked.set, **({"step": 0} | values))

    def wait(self, accepts):
        """Return the first news that is accepted; those before are forgotten."""
        end_s = time.monotonic() + 30
        while time.monotonic() < end_s:
            self.news += self.watch.take()
            while self.news:
                found = self.news.pop(0)
                if accepts(found):
                    return found
            self._poked.wait(0.05)
            self._poked.clear()
        raise AssertionError("no such news")


@pytest.fixture
def watched(run, monkeypatch):
    monkeypatch.setattr(watch_module, "LOOK_EVERY_S", 0.01)
    made = []

    def watch(**values):
        made.append(Watched(RunFolder.open(run.path), **values))
        return made[-1]

    yield watch
    for one in made:
        one.watch.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "vae-explorer watch"]


def test_a_run_is_watched_from_its_first_writer_to_its_last(run, watched):
    run.write_checkpoint(0, WEIGHTS, {"step": 0})
    with run.lock():
        seen = watched()
        assert seen.wait(lambda news: True).writer.pid == os.getpid()
        run.append(metrics(5))
        assert steps(seen.wait(lambda news: news.log.records).log) == [5]
        run.write_checkpoint(7, {"w": WEIGHTS["w"] + 1}, {"step": 7})
        state = seen.wait(lambda news: news.state is not None).state
        assert (state.step, state.meta) == (7, {"step": 7})
        np.testing.assert_array_equal(state.arrays["w"], [1, 2, 3])
    assert seen.wait(lambda news: news.writer is None).state is None
    with run.lock():
        assert seen.wait(lambda news: news.writer is not None)


def test_the_checkpoint_that_is_known_is_not_read_again(run, watched):
    run.write_checkpoint(7, WEIGHTS, {"step": 7})
    run.append(metrics(7))
    first = watched(step=7).wait(lambda news: True)
    assert (first.state, steps(first.log)) == (None, [7])


def test_a_run_that_went_back_to_an_earlier_checkpoint_is_followed_there(run, watched):
    for step in (10, 20):
        run.write_checkpoint(step, WEIGHTS, {"step": step})
    seen = watched(step=20)
    run.write_checkpoint(15, WEIGHTS, {"step": 15})
    assert seen.wait(lambda news: news.state is not None).state.step == 15


def test_a_damaged_checkpoint_is_passed_over_until_it_is_whole(run, watched, caplog):
    caplog.set_level(logging.INFO)
    path = run.write_checkpoint(7, WEIGHTS, {"step": 7})
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])  # a copy that is still under way
    seen = watched()
    seen.wait(lambda news: True)
    path.write_bytes(whole)
    assert seen.wait(lambda news: news.state is not None).state.step == 7
    assert "could not be looked at" in caplog.text


def test_of_several_checkpoints_the_newest_is_kept(run, watched):
    seen = watched()
    seen.wait(lambda news: True)
    for step in (10, 20):
        run.write_checkpoint(step, {"w": WEIGHTS["w"]}, {"step": step})
        before = time.monotonic()
        while not any(news.state and news.state.step == step for news in seen.watch._news):
            assert time.monotonic() < before + 30
            time.sleep(0.005)
    assert [news.state.step for news in seen.watch.take() if news.state is not None] == [20]


def test_a_writer_that_writes_nothing_becomes_quiet(run, watched, monkeypatch):
    monkeypatch.setattr(watch_module, "LEAST_QUIET_S", 0.1)
    monkeypatch.setattr(watch_module, "QUIET_INTERVALS", 0.0)
    with run.lock():
        seen = watched()
        assert seen.wait(lambda news: news.is_quiet).writer is not None
        run.append(metrics(5))
        assert not seen.wait(lambda news: news.log.records).is_quiet


def test_watching_writes_nothing(run, watched):
    run.write_checkpoint(7, WEIGHTS, {"step": 7})
    run.append(metrics(7))
    before = {path: path.stat().st_mtime_ns for path in run.path.rglob("*")}
    watched().wait(lambda news: news.state is not None)
    assert {path: path.stat().st_mtime_ns for path in run.path.rglob("*")} == before
