"""One writer at a time: refused while it lives, taken over when it died, asked about when it is elsewhere."""

import errno
import json
import os
import signal
import socket
import subprocess
import sys

import pytest

from vae_explorer.errors import RunError
from vae_explorer.runs import lock as lock_module
from vae_explorer.runs.folder import RunFolder

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the tests kill processes as POSIX does")

HOLD = """
import sys
from vae_explorer.runs.folder import RunFolder
RunFolder.open(sys.argv[1]).lock()
sys.stdout.write("held\\n")
sys.stdout.flush()
sys.stdin.read()
"""


@pytest.fixture
def holder(run):
    """Another process that holds the lock until it is killed."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(run.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def write_holder(run, **changes):
    text = {"host": socket.gethostname(), "pid": 4711, "since": "2026-01-01T00:00:00+00:00"} | changes
    (run.path / ".lock").write_text(json.dumps(text))


def test_a_second_writer_in_the_same_process_is_refused_until_the_first_is_done(run):
    other = RunFolder.open(run.path)
    with run.lock():
        with pytest.raises(RunError, match=rf"being written by process {os.getpid()} on"):
            other.lock()
        run.lock()  # its holder may ask again
    with other.lock(), pytest.raises(RunError):
        run.lock()


def test_it_is_given_back_on_an_error_and_only_once(run):
    with pytest.raises(KeyError), run.lock():
        raise KeyError
    run.unlock()
    RunFolder.open(run.path).lock().release()


def test_a_living_process_keeps_it(run, holder):
    with pytest.raises(RunError, match=rf"process {holder.pid} on {socket.gethostname()} since 20\d\d-.*end that one"):
        run.lock()


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_a_dead_process_loses_it(run, holder, end):
    holder.send_signal(end)
    holder.wait()
    assert str(holder.pid) in (run.path / ".lock").read_text()
    with run.lock():
        assert json.loads((run.path / ".lock").read_text())["pid"] == os.getpid()
    assert (run.path / ".lock").read_text() == ""


def test_another_host_is_believed_and_the_way_out_is_named(run):
    write_holder(run, host="elsewhere")
    with pytest.raises(RunError, match=r"held by process 4711 on elsewhere .* remove .*\.lock"):
        run.lock()
    (run.path / ".lock").unlink()
    run.lock().release()


@pytest.mark.parametrize("content", [b"", b"garbage", b"[1]", b'{"host": 3}', b"\xff" * 50_000])
def test_a_damaged_lock_of_nobody_is_taken(run, content):
    (run.path / ".lock").write_bytes(content)
    run.lock().release()


def test_without_locks_in_the_file_system_the_name_in_the_file_decides(run, monkeypatch):
    import fcntl

    def unsupported(_handle, _flags):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", unsupported)
    with run.lock(), pytest.raises(RunError, match="remove"):
        RunFolder.open(run.path).lock()
    RunFolder.open(run.path).lock().release()


def test_a_refused_lock_leaves_no_open_file(run):
    write_holder(run, host="elsewhere")
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else None
    for _ in range(5):
        with pytest.raises(RunError):
            run.lock()
    if before is not None:
        assert len(os.listdir("/proc/self/fd")) == before


def test_a_lock_file_that_cannot_be_made_is_one_sentence(run, monkeypatch):
    def denied(*_args, **_kwargs):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(lock_module.os, "open", denied)
    with pytest.raises(RunError, match=r"lock of the run .* cannot be written \(Permission denied\)"):
        run.lock()
