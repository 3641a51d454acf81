"""What the window says of a run that another program trains: a mark, what it means, and when that program has ended."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication, QObject, Slot

from vae_explorer.engine.messages import Elsewhere, EngineState, RunStatus
from vae_explorer.gui.controller import ModelController
from vae_explorer.gui.widgets.notice_bar import NoticeBar


def _tr(text: str) -> str:
    return QCoreApplication.translate("following", text)


def following_text(elsewhere: Elsewhere) -> str:
    """Return what stands behind the mark: how far the other program is by its log, or that nothing comes."""
    if elsewhere.is_quiet:
        return _tr("nothing new after step {n:,}").format(n=elsewhere.log_step)
    return _tr("step {n:,}").format(n=elsewhere.log_step)


def following_help(elsewhere: Elsewhere, step: int) -> str:
    """Return who trains the run, and why pictures (of `step`) are behind the curves."""
    text = _tr(
        "Process {pid} on {host} has trained this run since {since}. Curves follow its log (step {log:,}); map and "
        "pictures are of its newest checkpoint (step {step:,}), of which it writes one every {every:g} s "
        "(train.checkpoint_every_s). Nothing is written into its folder from here."
    ).format(
        pid=elsewhere.pid, host=elsewhere.host, since=elsewhere.since.replace("T", " "), log=elsewhere.log_step,
        step=step, every=elsewhere.checkpoint_every_s,
    )  # fmt: skip
    if elsewhere.is_quiet:
        text += " " + _tr("Nothing has come for a while: it may be paused, or have ended without a word.")
    return text


class FollowNotes(QObject):
    """Says when a run begins to be followed, and offers to go on with it once the other program has ended."""

    def __init__(self, controller: ModelController, notices: NoticeBar, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._controller, self._notices = controller, notices
        self._followed: Elsewhere | None = None
        controller.status_changed.connect(self._on_status)
        controller.run_opened.connect(self._on_run_opened)

    @Slot()
    def _on_run_opened(self) -> None:
        self._followed = None

    @Slot(object)
    def _on_status(self, status: RunStatus) -> None:
        followed, self._followed = self._followed, status.elsewhere
        if followed is None and status.elsewhere is not None:
            self._say_begun(status.elsewhere)
        elif followed is not None and status.elsewhere is None and status.state is not EngineState.FAILED:
            self._say_ended(status)

    def _say_begun(self, elsewhere: Elsewhere) -> None:
        text = self.tr("Process {pid} on {host} trains this run: it is shown as it grows, its folder is left alone.")
        self._notices.notify(text.format(pid=elsewhere.pid, host=elsewhere.host))

    def _say_ended(self, status: RunStatus) -> None:
        if status.state is EngineState.FINISHED:
            text = self.tr("The other program has trained this run to its end, step {n:,}.")
        else:
            text = self.tr("The other program has left this run at step {n:,}; it can be trained here now.")
        go_on = (self.tr("Go on training"), self._controller.train)
        self._notices.notify(text.format(n=status.step), action=go_on)
