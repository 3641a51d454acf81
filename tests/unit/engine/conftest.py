"""A running engine to talk to, small data, and the check that no test leaves a thread behind."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from engine_fakes import FakeSessions

from vae_explorer.config import RunConfig
from vae_explorer.data.image_data import ImageData, Provenance, Splits
from vae_explorer.engine import messages as m
from vae_explorer.engine.loop import EngineLoop
from vae_explorer.engine.mailbox import Mailbox
from vae_explorer.engine.outbox import Outbox

PATIENCE_S = 60.0


class SpyMailbox(Mailbox):
    """Notes how the engine waits. idle: set while the engine blocks; timeouts: what each wait was given."""

    def __init__(self) -> None:
        super().__init__()
        self.idle = threading.Event()
        self.timeouts: list[float | None] = []

    def wait(self, timeout_s: float | None = None) -> bool:
        self.timeouts.append(timeout_s)
        self.idle.set()
        try:
            return super().wait(timeout_s)
        finally:
            self.idle.clear()


class Engine:
    """An engine loop in a thread of its own, all its events in order."""

    def __init__(self, **options: Any) -> None:
        self.mailbox = SpyMailbox()
        self._changed = threading.Condition()
        self.events: list[m.Event] = []
        self.outbox = Outbox(self._on_wake)
        self.loop = EngineLoop(self.mailbox, self.outbox, **options)
        self.thread = threading.Thread(target=self.loop.run, name="engine under test")
        self.thread.start()

    def _on_wake(self) -> None:
        with self._changed:
            self.events.extend(self.outbox.take_all())
            self._changed.notify_all()

    def put(self, *messages: m.Message) -> None:
        for message in messages:
            self.mailbox.put(message)

    def wait_until(self, condition: Callable[[list[m.Event]], Any]) -> Any:
        """Wait until `condition` of all events so far is true and return what it returned."""
        with self._changed:
            assert self._changed.wait_for(lambda: condition(self.events), PATIENCE_S), self.events[-5:]
            return condition(self.events)

    def wait_for(self, kind: type[Any], accepts: Callable[[Any], bool] = lambda _: True) -> Any:
        """Wait for an event of a kind and return the first that is accepted."""
        return self.wait_until(lambda events: next((e for e in events if isinstance(e, kind) and accepts(e)), None))

    def wait_for_state(self, state: m.EngineState, **values: Any) -> m.RunStatus:
        return self.wait_for(
            m.RunStatus, lambda s: s.state is state and all(getattr(s, k) == v for k, v in values.items())
        )

    def wait_until_idle(self) -> None:
        assert self.mailbox.idle.wait(PATIENCE_S)

    def of_kind(self, kind: type[Any]) -> list[Any]:
        with self._changed:
            return [event for event in self.events if isinstance(event, kind)]

    def forget(self) -> None:
        with self._changed:
            self.events.clear()

    def shut_down(self) -> None:
        self.put(m.ShutDown())
        self.thread.join(PATIENCE_S)
        assert not self.thread.is_alive()


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    left = [thread for thread in threading.enumerate() if thread not in before]
    assert not left


@pytest.fixture
def make_engine() -> Iterator[Callable[..., Engine]]:
    engines: list[Engine] = []

    def make(**options: Any) -> Engine:
        engines.append(Engine(**options))
        return engines[-1]

    yield make
    for engine in engines:
        if engine.thread.is_alive():
            engine.shut_down()


@pytest.fixture
def engine(make_engine: Callable[..., Engine]) -> Engine:
    return make_engine()


@pytest.fixture
def sessions(make_engine: Callable[..., Engine]) -> Iterator[FakeSessions]:
    made = FakeSessions()
    yield made
    for session in made.made:
        session.go_on.set()


@pytest.fixture(scope="session")
def data() -> ImageData:
    """300 images of 8 x 8 with structure: a bright row whose place is the label."""
    rng = np.random.Generator(np.random.Philox(1))
    labels = np.arange(300) % 8
    images = rng.integers(0, 4, (300, 1, 8, 8)).astype(np.uint8)
    images[np.arange(300), 0, labels] = 15
    everything = np.arange(300)
    return ImageData(
        images=images, max_value=16, splits=Splits(everything[:240], everything[240:260], everything[260:]),
        provenance=Provenance(source="array", title="rows"), labels=labels.astype(np.int64),
        class_names=tuple("01234567"),
    )  # fmt: skip


@pytest.fixture(scope="session")
def config() -> RunConfig:
    return RunConfig().with_values(
        {
            "model.hidden": [16], "train.batch_size": 32, "train.steps": 100_000, "train.device": "cpu",
            "train.log_every": 10, "train.evaluate_every": 50,
        }
    )  # fmt: skip


@pytest.fixture
def new_run(config: RunConfig, data: ImageData, tmp_path: Path) -> m.NewRun:
    return m.NewRun(config, data, tmp_path / "run")
