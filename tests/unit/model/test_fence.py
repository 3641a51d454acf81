"""At most two slices are in flight on an accelerator; here the accelerator is a list."""

from __future__ import annotations

from vae_explorer.model.fence import SliceFence


class Queue:
    """n_queued: slices that were begun; n_done: slices that were waited for."""

    def __init__(self) -> None:
        self.n_queued = self.n_done = 0

    def event(self) -> Place:
        return Place(self)


class Place:
    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self._number = 0

    def record(self) -> None:
        self._number = self._queue.n_queued

    def synchronize(self) -> None:
        self._queue.n_done = max(self._queue.n_done, self._number)


def test_no_more_than_two_slices_are_under_way() -> None:
    queue = Queue()
    fence = SliceFence(queue.event)
    under_way = []
    for _ in range(10):
        queue.n_queued += 1
        under_way.append(queue.n_queued - queue.n_done)
        fence.pass_slice()
    assert under_way == [1, 2, 2, 2, 2, 2, 2, 2, 2, 2]


def test_on_the_cpu_there_is_nothing_to_wait_for() -> None:
    SliceFence.on("cpu").pass_slice()
