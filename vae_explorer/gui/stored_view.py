"""What a run folder stores for the first look, as the events that the engine would have sent."""

from __future__ import annotations

from functools import partial

import numpy as np

from vae_explorer.engine.mailbox import is_readers
from vae_explorer.engine.messages import CodesSnapshot, Decode, Decoded, EngineState, Request, RunOpened, RunStatus
from vae_explorer.gui.controller import ModelController
from vae_explorer.gui.data_loader import LoadedRun
from vae_explorer.runs.records import MetricRecord
from vae_explorer.runs.stored_decoder import StoredDecoder
from vae_explorer.runs.view import StoredView


def show_stored_view(controller: ModelController, run: LoadedRun) -> bool:
    """Show the codes and the plane that the folder stores; False when it has none of its last checkpoint.

    Costs no torch: this is how the window has something to look at while torch is loading.
    """
    view = run.folder.read_view()
    checkpoints = run.folder.checkpoints()
    if view is None or not checkpoints or checkpoints[-1].step != view.step:
        return False
    opened = RunOpened(
        config=run.config, run_path=run.folder.path, step=view.step, is_read_only=run.folder.is_read_only,
        records=tuple(run.folder.read_records(up_to_step=view.step)), n_parameters=0,
    )  # fmt: skip
    decoder = StoredDecoder(run.folder, checkpoints[-1], run.data.shape)
    controller.show_stored(opened, run.data, partial(stored_answer, decoder))
    controller.handle(stored_status(opened, run))
    controller.handle(stored_codes(view, len(run.data)))
    plane = Decoded("plane", 0, view.step, view.plane_z, view.plane_unit_images)
    controller.channel("plane").offer(plane)
    return True


def stored_codes(view: StoredView, n_images: int) -> CodesSnapshot:
    """Return the stored codes as a snapshot."""
    return CodesSnapshot(
        step=view.step, indices=view.indices, loc=view.loc, scale=view.scale, elbo=view.elbo, kl=view.kl,
        distortion=view.distortion, kl_per_dim=view.kl_per_dim, is_complete=len(np.unique(view.indices)) == n_images,
    )  # fmt: skip


def stored_answer(decoder: StoredDecoder, question: Request) -> Decoded | None:
    """Answer a question for the mean pictures of a few codes; all others, and what it cannot, wait for the engine."""
    if not isinstance(question, Decode) or not is_readers(question) or question.is_8_bit:
        return None
    is_mean = question.draw_seed is None and question.label is None
    images = decoder.decode(question.z) if is_mean else None
    return None if images is None else Decoded(question.channel, question.id, decoder.step, question.z, images)


def stored_status(opened: RunOpened, run: LoadedRun) -> RunStatus:
    """Return the status of a run that stands still; the engine's own follows when it has opened the run."""
    config, folder = opened.config, run.folder
    last = next((record for record in reversed(opened.records) if isinstance(record, MetricRecord)), None)
    target_step = config.train.steps or opened.step
    return RunStatus(
        state=EngineState.FINISHED if opened.step >= target_step else EngineState.PAUSED,
        step=opened.step, target_step=target_step,
        epoch=last.epoch if last else 0.0, steps_per_s=0.0, seconds_left=None, device=folder.device,
        run_path=folder.path, is_saved=True, learning_rate=last.learning_rate if last else config.train.learning_rate,
        beta=last.beta if last else config.objective.beta, scale=last.scale if last else None,
        time_s=last.time_s if last else 0.0,
    )  # fmt: skip
