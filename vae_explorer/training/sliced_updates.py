"""What the updates of a run and of a sweep share: captured slices, and the generator of all that is drawn."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager

import torch

from vae_explorer.config import TrainConfig
from vae_explorer.model.noise import Stream, seeded_generator
from vae_explorer.model.pixels import Pixels
from vae_explorer.training.batches import Batches
from vae_explorer.training.captured import (
    MOST_UPDATES,
    CapturedSlices,
    GraphRecorder,
    Recorder,
    SliceBuffers,
    StepInputs,
)
from vae_explorer.training.compiling import COMPILE_STEPS, can_compile
from vae_explorer.training.live_values import Numbers
from vae_explorer.training.schedule import target_step
from vae_explorer.training.state import AnyArray, SessionMeta, to_generator

_log = logging.getLogger(__name__)


class SlicedUpdates(ABC):
    """Updates by captured slices for as long as these can be recorded, else one after another.

    notes: sentences for people on how the updates are done.
    """

    def __init__(
        self, batches: Batches, pixels: Pixels, train: TrainConfig, *, of_models: tuple[int, ...] = ()
    ) -> None:
        """of_models: (M,) where M models are trained side by side."""
        self._batches, self._pixels, self._seed, self._of_models = batches, pixels, train.seed, of_models
        self._generator = seeded_generator(train.seed, Stream.TRAINING, device=pixels.device)
        self._slices: CapturedSlices | None = None
        self.notes: tuple[str, ...] = ()

    # ---- what each kind has of its own ------------------------------------------------------------------------------

    @abstractmethod
    def compile(self) -> None:
        """Have what an update consists of compiled when it is first done."""

    @abstractmethod
    def _one(self, inputs: StepInputs) -> None:
        """Do one update: nothing in it waits for the device, or reads a Python value that may change."""

    @abstractmethod
    def _in_force(self, step: int) -> Sequence[Numbers]:
        """Learning rate, beta and free bits in the update that follows `step` updates, of each model."""

    @abstractmethod
    def _refusing(self) -> AbstractContextManager[None]:
        """Refuse every update meanwhile."""

    # ---- slices -----------------------------------------------------------------------------------------------------

    @property
    def at_once(self) -> int:
        """How many updates one call of `work` may do."""
        return 1 if self._slices is None else MOST_UPDATES

    def capture(self, recorder: Recorder, *, batch_size: int) -> None:
        """Do updates by recorded slices from now on."""
        buffers = SliceBuffers(
            self._batches, self._in_force, shape=self._of_models, batch_size=batch_size, device=self._pixels.device
        )
        self._slices = CapturedSlices(buffers, self._one, recorder, rehearsing=self._rehearsing)

    def _capture_where_possible(self, train: TrainConfig, *, n_images: int) -> None:
        """On a GPU that holds all images; what a slice does is compiled before, where the run is long enough."""
        device = self._pixels.device
        if device.type != "cuda" or not self._pixels.is_resident:
            return
        if target_step(train, n_images) >= COMPILE_STEPS and can_compile(device):
            self.compile()
        self.capture(GraphRecorder(device, self._generator), batch_size=train.batch_size)

    def _work_slice(self, step: int, n: int, *, shape: Hashable = None) -> int:
        """Do some of the n updates that follow `step` updates; return how many, 0 where nothing is captured."""
        if self._slices is None:
            return 0
        try:
            return self._slices.work(step, n, shape=shape)
        except RuntimeError as error:
            self._give_up_capturing(error)
            return 0

    @contextmanager
    def _rehearsing(self) -> Iterator[None]:
        state = self._generator.get_state()
        try:
            with self._refusing():
                yield
        finally:
            self._generator.set_state(state)

    def _give_up_capturing(self, error: RuntimeError) -> None:
        """Go on without; the generator may be tied to a half recorded slice, so that a new one takes its place."""
        _log.warning("the training step is not captured: %s", error)
        self._slices = None
        self._generator = torch.Generator(self._pixels.device).set_state(self._generator.get_state())
        reason = str(error).strip().partition("\n")[0].rstrip(".")
        self.notes = (*self.notes, f"Training runs without captured CUDA graphs, which is slower: {reason}.")

    # ---- state ------------------------------------------------------------------------------------------------------

    def generator_state(self) -> AnyArray:
        """Return a copy of the generator's state."""
        state: AnyArray = self._generator.get_state().numpy().copy()
        return state

    def restored_generator(self, arrays: Mapping[str, AnyArray], meta: SessionMeta) -> torch.Generator:
        """Return the generator of a state, as it was; RunError when it does not fit.

        On another kind of device, whose state means nothing here, a new one.
        """
        device = self._pixels.device
        if device.type == meta.device:
            return to_generator(arrays, device)
        return seeded_generator(self._seed, Stream.TRAINING, meta.step, device=device)

    def take_generator(self, generator: torch.Generator) -> None:
        """Draw what this generator would draw, from now on."""
        self._generator.set_state(generator.get_state())
