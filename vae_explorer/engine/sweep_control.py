"""Steers a sweep as `RunControl` steers a run: one of its models is shown as the open run, all are trained."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vae_explorer.data.image_data import ImageData
from vae_explorer.engine.failures import failed
from vae_explorer.engine.messages import (
    EngineState,
    Notice,
    Part,
    RecordsAdded,
    RunOpened,
    SweepOpened,
    SweepRecordsAdded,
    SweepShown,
)
from vae_explorer.engine.outbox import Outbox
from vae_explorer.engine.pacing import Clock
from vae_explorer.engine.run_control import RunControl
from vae_explorer.engine.run_keeper import RunKeeper
from vae_explorer.engine.showcase import Showcase
from vae_explorer.engine.sweep_front import SweepFront
from vae_explorer.engine.sweep_keeper import SweepKeeper
from vae_explorer.engine.sweep_tiles import SweepTiles
from vae_explorer.errors import UsageError, VaeExplorerError
from vae_explorer.runs.folder import RunFolder
from vae_explorer.runs.records import LiveName, LogRecord
from vae_explorer.runs.sweep_folder import SweepFolder
from vae_explorer.sweep_config import beta_text
from vae_explorer.training.sweep_member import SweepMember
from vae_explorer.training.sweep_session import SweepSession

NO_COMPANION = "No autoencoder is trained beside a sweep; open one of its runs by itself, then let one be trained."


class SweepControl(RunControl):
    """The open sweep. path: of its folder; the shown model's run is what the window sees as the open run."""

    session: SweepFront  # type: ignore[assignment]
    keeper: SweepKeeper  # type: ignore[assignment]

    def __init__(
        self,
        sweep: SweepSession,
        data: ImageData,
        path: Path,
        outbox: Outbox,
        *,
        clock: Clock,
        on_written: Callable[[], None],
        is_watched: bool,
        source: SweepFolder | None = None,
    ) -> None:
        self.path = path
        keeper = SweepKeeper(sweep, data, path, on_written=on_written, source=source)
        front = SweepFront(sweep, shown=_nearest_to_one(sweep.betas))
        super().__init__(front, data, path, outbox, clock=clock, on_written=on_written, keeper=keeper)  # type: ignore[arg-type]
        self._sweep, self._sweep_source = sweep, source
        self._tiles = SweepTiles(sweep, outbox, is_watched=is_watched, clock=clock)
        self._told_left: tuple[int, ...] = self._left

    @property
    def looker(self) -> SweepMember:
        """Who answers questions: the shown model."""
        return self.session.member

    @property
    def shown_keeper(self) -> RunKeeper:
        """What keeps the shown model's run."""
        return self.keeper.keepers[self.session.shown]

    @property
    def run_path(self) -> Path:
        """The folder of the shown model's run."""
        return self.shown_keeper.path

    @property
    def run_paths(self) -> tuple[Path, ...]:
        """The folders of the runs of all models, in their order."""
        return tuple(keeper.path for keeper in self.keeper.keepers)

    @property
    def view_share(self) -> float:
        """Half of what live views may cost is for the small multiples."""
        return 0.5

    @property
    def has_own_work(self) -> bool:
        """Whether the small multiples are those of a step before."""
        return self._tiles.has_work(is_running=self.is_running)

    @property
    def _left(self) -> tuple[int, ...]:
        return tuple(place for place, member in enumerate(self._sweep.members) if member.is_diverged)

    # ---- what the window is told --------------------------------------------------------------------------------

    def announce(self, records: Sequence[LogRecord] | None = None) -> None:
        """Tell the window that this sweep is open, and which model of it is shown."""
        sweep, keepers = self._sweep, self.keeper.keepers
        self._outbox.put(
            SweepOpened(
                path=self.path, configs=tuple(member.config for member in sweep.members),
                run_paths=self.run_paths, step=sweep.step, left=self._left,
                records=tuple(tuple(self._records_of(place)) for place in range(len(keepers))),
            )
        )  # fmt: skip
        self.show(self.session.shown)
        for note in sweep.notes:
            self._outbox.put(Notice(note))

    def show(self, place: int) -> None:
        """Show this model as the open run; UsageError where there is none."""
        if not 0 <= place < len(self._sweep.members):
            raise UsageError(f"There is no model {place} in this sweep of {len(self._sweep.members)}.")
        self.session.shown = place
        member = self.session.member
        self._outbox.put(SweepShown(place, left=self._left))
        self._outbox.put(
            RunOpened(
                config=member.config, run_path=self.run_path, step=member.step, is_read_only=False,
                records=tuple(self._records_of(place)), n_parameters=member.n_parameters,
            )
        )  # fmt: skip
        self.publish_status()

    def read_records(self) -> Iterator[LogRecord]:
        """Read the shown model's log."""
        return self._records_of(self.session.shown)

    def _records_of(self, place: int) -> Iterator[LogRecord]:
        folder: RunFolder | None = self.keeper.keepers[place].folder
        if folder is None and self._sweep_source is not None:
            folder = self._sweep_source.runs[place]
        return iter(()) if folder is None else folder.iter_records(up_to_step=self._sweep.members[place].step)

    # ---- commands -----------------------------------------------------------------------------------------------

    def step_part(self, part: Part, steps: int) -> None:
        """Refused: models side by side are updated whole."""
        raise UsageError("The models of a sweep are updated whole; go on with one of them by itself to update a part.")

    def set_live(self, name: LiveName, value: float) -> None:
        """Change a live value of all models before the next update."""
        self.session.set_live(name, value)
        self._take_records()
        self.publish_status()

    # ---- training -----------------------------------------------------------------------------------------------

    def train_slice(self) -> None:
        """As of a run; what it took is earned by the small multiples too."""
        before_s = self._clock()
        super().train_slice()
        self._tiles.earn(self._clock() - before_s)
        self._tell_left()

    def tend(self) -> None:
        """As of a run, and work at the small multiples."""
        super().tend()
        self._tiles.work(is_running=self.is_running)

    def _tell_left(self) -> None:
        left = self._left
        for place in sorted(set(left) - set(self._told_left)):
            member = self._sweep.members[place]
            self._outbox.put(
                Notice(
                    f"beta = {beta_text(member.beta)} diverged at step {member.step + 1} and stands still; the other "
                    "models go on."
                )
            )
        if left != self._told_left:
            self._told_left = left
            self._outbox.put(SweepShown(self.session.shown, left=left))

    def _take_records(self) -> None:
        records = self.session.take_records_of_all()
        if not records:
            return
        self._outbox.put(SweepRecordsAdded(tuple(records)))
        of_shown = tuple(record for place, record in records if place == self.session.shown)
        if of_shown:
            self._outbox.put(RecordsAdded(of_shown))
        try:
            for place in sorted({place for place, _ in records}):
                self.keeper.add_records(place, [record for of, record in records if of == place])
        except VaeExplorerError as error:
            self._outbox.put(failed(error, "writing the metrics log"))
            if self.is_running:
                self.state = EngineState.PAUSED
                self.publish_status()

    def finish_views(self, sample: NDArray[np.int64], *, within_s: float) -> None:
        """Keep of every other model what the next window shows of it before torch is loaded."""
        end_s = self._clock() + within_s
        for keeper, member in zip(self.keeper.keepers, self._sweep.members, strict=True):
            if member is not self.looker:
                showcase = Showcase(keeper, self.data, member.target_step, clock=self._clock)
                showcase.finish(member.frozen(), sample, within_s=end_s - self._clock())


def _nearest_to_one(betas: tuple[float, ...]) -> int:
    """The model that is shown first: the one nearest to the bound itself."""
    return min(range(len(betas)), key=lambda place: abs(betas[place] - 1.0))
