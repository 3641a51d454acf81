"""The controller: newest question wins, one run at a time, undo and redo of the selection."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes import FakeController, make_codes, make_data, make_opened, make_status

from vae_explorer.config import RunConfig
from vae_explorer.engine import messages as m
from vae_explorer.export.recipe import Recipe
from vae_explorer.gui.selection import SelectionHistory, initial_selection


def _decoded(channel: str, id_: int, value: float = 0.0) -> m.Decoded:
    return m.Decoded(channel, id_, 1, np.zeros((1, 2), np.float32), np.full((1, 1, 8, 8), value, np.float32))


def _seen(signal: Any) -> list[Any]:
    seen: list[Any] = []
    signal.connect(seen.append)
    return seen


# ---- channels -------------------------------------------------------------------------------------------------------


def test_a_question_is_sent_with_growing_ids(fake_controller: FakeController) -> None:
    channel = fake_controller.channel("here")
    assert [channel.decode([0.0, 1.0]), channel.decode([1.0, 1.0])] == [1, 2]
    first = fake_controller.sent[0]
    assert isinstance(first, m.Decode)
    assert (first.channel, first.z.shape, first.z.dtype) == ("here", (1, 2), np.float32)


def test_an_answer_older_than_the_newest_shown_is_dropped(fake_controller: FakeController) -> None:
    channel = fake_controller.channel("here")
    answers = _seen(channel.answered)
    for x in range(3):
        channel.decode([x, 0.0])
    for id_ in (2, 1, 2, 3):
        fake_controller.handle(_decoded("here", id_))
    assert [answer.id for answer in answers] == [2, 3]
    assert not channel.is_waiting


def test_a_failed_question_is_answered_too(fake_controller: FakeController) -> None:
    channel = fake_controller.channel("here")
    failures = _seen(channel.failed)
    channel.decode([0.0, 0.0])
    fake_controller.handle(m.RequestFailed("here", 1, "no model"))
    assert failures == ["no model"]
    assert not channel.is_waiting


def test_answers_of_another_model_are_dropped(open_fake_run: Callable[..., FakeController]) -> None:
    controller = open_fake_run()
    channel = controller.channel("here")
    answers = _seen(channel.answered)
    channel.decode([0.0, 0.0])
    controller.handle(make_opened(step=7))
    controller.handle(_decoded("here", 1))
    channel.decode([0.0, 0.0])
    controller.handle(_decoded("here", 2))
    assert [answer.id for answer in answers] == [2]


def test_a_stored_answer_is_offered_only_before_the_first_real_one(fake_controller: FakeController) -> None:
    channel = fake_controller.channel("plane")
    answers = _seen(channel.answered)
    channel.decode([0.0, 0.0])
    channel.offer(_decoded("plane", 0, 0.25))
    fake_controller.handle(_decoded("plane", 1, 0.5))
    channel.offer(_decoded("plane", 0, 0.75))
    assert [float(answer.images[0, 0, 0, 0]) for answer in answers] == [0.25, 0.5]


# ---- runs -----------------------------------------------------------------------------------------------------------


def test_data_and_codes_change_together_when_the_run_has_opened(open_fake_run: Callable[..., FakeController]) -> None:
    controller = open_fake_run(n=40)
    before, other = controller.data, make_data(20)
    controller.select_image(30)
    controller.new_run(controller.draft, other)
    assert controller.data is before
    sent = controller.take(m.NewRun)[0]
    assert isinstance(sent, m.NewRun)
    seen: list[tuple[int, object, int | None]] = []

    def look(data: Any) -> None:
        seen.append((len(data), controller.codes, controller.selection.image))

    controller.data_changed.connect(look)
    controller.handle(replace(make_opened(), run_path=sent.run_path))
    assert seen == [(20, None, None)]


def test_a_run_that_fails_to_open_leaves_the_open_one(
    open_fake_run: Callable[..., FakeController], expected_logs: list[str]
) -> None:
    expected_logs.append("engine failed during NewRun")
    controller = open_fake_run()
    before, reports = controller.data, _seen(controller.engine_reported)
    controller.new_run(controller.draft, make_data(20))
    controller.handle(m.EngineFailed("no memory", "trace", "NewRun"))
    assert controller.data is before
    assert reports[0].details == "trace"
    assert controller.data_config == controller.config.data


def test_train_goes_on_with_an_unchanged_run_and_begins_another_for_a_changed_form(
    open_fake_run: Callable[..., FakeController],
) -> None:
    controller = open_fake_run()
    controller.set_draft(controller.config)
    controller.press_train()
    assert [type(x) for x in controller.take()] == [m.Start]
    controller.set_draft(controller.draft.with_values({"objective.beta": 4.0}))
    controller.press_train()
    controller.press_train()
    assert [type(x) for x in controller.take()] == [m.NewRun, m.Start, m.Start]


def test_train_on_the_read_only_demo_begins_a_new_run(open_fake_run: Callable[..., FakeController]) -> None:
    controller = open_fake_run()
    controller.handle(replace(make_opened(), is_read_only=True))
    controller.set_draft(controller.config)
    controller.press_train()
    assert [type(x) for x in controller.take()] == [m.NewRun, m.Start]


def test_train_on_the_demo_begins_a_new_run_before_the_engine_has_opened_it_too(
    fake_controller: FakeController,
) -> None:
    data, event = make_data(), replace(make_opened(), is_read_only=True)
    fake_controller.show_stored(event, data)
    fake_controller.open_run(event.run_path, event.config, data)
    assert fake_controller.is_draft_new
    fake_controller.press_train()
    assert [type(x) for x in fake_controller.take()] == [m.OpenRun, m.NewRun, m.Start]
    assert not fake_controller.is_draft_new


def test_train_waits_for_the_images_of_the_form(open_fake_run: Callable[..., FakeController]) -> None:
    controller = open_fake_run()
    notices: list[tuple[str, str]] = []
    controller.noticed.connect(lambda text, level: notices.append((text, level)))
    controller.set_draft(controller.draft.with_values({"data.name": "shapes"}))
    controller.press_train()
    assert controller.sent == []
    assert notices[0][1] == "warning"


def test_other_images_do_not_end_a_running_training(open_fake_run: Callable[..., FakeController]) -> None:
    controller, other = open_fake_run(), make_data(20)
    before = controller.data
    controller.handle(make_status(m.EngineState.RUNNING))
    controller.set_draft(controller.config.with_values({"data.name": "shapes"}))
    controller.offer_images(controller.draft.data, other)
    assert controller.sent == []
    assert controller.data is before
    controller.press_train()
    new, start = controller.take()
    assert isinstance(new, m.NewRun)
    assert (new.data is other, new.config.data.name, start) == (True, "shapes", m.Start())


def test_other_images_are_shown_at_once_while_nothing_trains(open_fake_run: Callable[..., FakeController]) -> None:
    controller, other = open_fake_run(), make_data(20)
    controller.set_draft(controller.config.with_values({"data.name": "shapes"}))
    controller.offer_images(controller.draft.data, other)
    (new,) = controller.take()
    assert isinstance(new, m.NewRun)
    assert new.data is other


def test_images_that_the_form_does_not_want_any_more_are_let_go(open_fake_run: Callable[..., FakeController]) -> None:
    controller = open_fake_run()
    controller.set_draft(controller.config)
    controller.offer_images(controller.config.with_values({"data.name": "shapes"}).data, make_data(20))
    assert controller.sent == []
    assert controller.draft == controller.config


def test_binarising_is_no_reason_to_read_images_again(open_fake_run: Callable[..., FakeController]) -> None:
    controller = open_fake_run()
    controller.set_draft(controller.config.with_values({"data.binarize": "dynamic"}))
    controller.press_train()
    new, start = controller.take()
    assert isinstance(new, m.NewRun)
    assert (new.data is controller.data, new.config.data.binarize, start) == (True, "dynamic", m.Start())


def test_a_model_that_does_not_fit_its_images_can_be_corrected(
    open_fake_run: Callable[..., FakeController], expected_logs: list[str]
) -> None:
    expected_logs.append("engine failed during NewRun")
    controller, other = open_fake_run(), make_data(20)
    controller.set_draft(controller.config.with_values({"data.name": "shapes", "model.network": "conv"}))
    controller.offer_images(controller.draft.data, other)
    controller.handle(m.EngineFailed("too small", "trace", "NewRun"))
    controller.set_draft(controller.draft.with_values({"model.network": "mlp"}))
    controller.take()
    controller.press_train()
    new, _ = controller.take()
    assert isinstance(new, m.NewRun)
    assert new.data is other


def test_reset_takes_the_open_runs_settings_and_leaves_the_form(open_fake_run: Callable[..., FakeController]) -> None:
    controller = open_fake_run()
    edited = controller.config.with_values({"objective.beta": 4.0})
    controller.set_draft(edited)
    controller.reset()
    (new,) = controller.take()
    assert isinstance(new, m.NewRun)
    assert new.config == controller.config
    assert controller.draft == edited
    assert controller.is_draft_new


def test_a_run_whose_images_have_moved_knows_their_new_place(fake_controller: FakeController) -> None:
    event = make_opened()
    located = event.config.with_values({"data.name": "/new/place"})
    fake_controller.open_run(event.run_path, located, make_data())
    fake_controller.handle(event)
    assert fake_controller.config == located == fake_controller.opened.config
    assert not fake_controller.is_draft_new
    fake_controller.take()
    fake_controller.reset()
    (new,) = fake_controller.take()
    assert isinstance(new, m.NewRun)
    assert new.config.data.name == "/new/place"


def test_a_stored_run_is_not_opened_twice(fake_controller: FakeController) -> None:
    data, event = make_data(), make_opened(step=100)
    opened = _seen(fake_controller.run_opened)
    fake_controller.show_stored(event, data)
    fake_controller.handle(make_codes())
    fake_controller.open_run(event.run_path, event.config, data)
    fake_controller.handle(replace(event, n_parameters=99))
    assert len(opened) == 1
    assert fake_controller.codes is not None
    assert fake_controller.opened.n_parameters == 99
    fake_controller.handle(event)
    assert len(opened) == 2


def test_every_event_has_its_signal(fake_controller: FakeController) -> None:
    signals = {
        "status_changed": make_status(), "records_added": m.RecordsAdded(()), "codes_changed": make_codes(),
        "job_ended": m.JobDone(1, Path("a.png"), 3), "engine_reported": m.Notice("a floor was reached"),
    }  # fmt: skip
    for name, event in signals.items():
        seen = _seen(getattr(fake_controller, name))
        fake_controller.handle(event)
        assert len(seen) == 1, name


def test_draft_signals_real_change_only(fake_controller: FakeController) -> None:
    seen = _seen(fake_controller.draft_changed)
    fake_controller.set_draft(RunConfig())
    fake_controller.set_draft(RunConfig().with_values({"objective.beta": 2.0}))
    assert len(seen) == 1


# ---- companion ------------------------------------------------------------------------------------------------------


def _companion(step: int = 100, **changes: Any) -> m.CodesSnapshot:
    return replace(make_codes(40, step=step), of="companion", **changes)


def test_the_companions_codes_are_kept_apart_from_the_runs(open_fake_run: Callable[..., FakeController]) -> None:
    controller = open_fake_run()
    codes, seen = controller.codes, _seen(controller.companion_codes_changed)
    controller.handle(_companion())
    assert controller.companion_codes is None, "it is of a companion that was let go"
    controller.set_companion(True)
    assert controller.take(m.SetCompanion) == [m.SetCompanion(True)]
    whole = _companion()
    controller.handle(whole)
    controller.handle(_companion(is_complete=False))
    assert (controller.codes, controller.companion_codes, seen) == (codes, whole, [whole])


def test_the_companion_goes_with_its_run_with_its_failure_and_when_it_is_not_wanted(
    open_fake_run: Callable[..., FakeController], expected_logs: list[str]
) -> None:
    expected_logs.append("engine failed during SetCompanion")
    controller = open_fake_run()
    changes = _seen(controller.companion_changed)
    for end in (
        lambda: controller.set_companion(False),
        lambda: controller.handle(make_opened()),
        lambda: controller.handle(m.EngineFailed("no memory", "trace", "SetCompanion")),
    ):
        controller.set_companion(True)
        controller.handle(_companion())
        end()
        assert (controller.has_companion, controller.companion_codes) == (False, None)
    assert changes == [True, False] * 3
    assert [x for x in controller.sent if isinstance(x, m.SetCompanion)].count(m.SetCompanion(False)) == 1


def test_jobs_are_numbered_together_and_exports_known(open_fake_run: Callable[..., FakeController]) -> None:
    controller = open_fake_run()
    first = controller.export(Recipe(what="manifold"), Path("grid.png"))
    second = controller.assess("test", samples=8)
    assert (first, second, controller.is_export(first), controller.is_export(second)) == (1, 2, True, False)
    assert controller.sent[-1] == m.Assess(2, "test", samples=8)


# ---- selection ------------------------------------------------------------------------------------------------------


def test_back_and_forward(open_fake_run: Callable[..., FakeController]) -> None:
    controller = open_fake_run()
    for x in (1.0, 2.0, 1.0):
        controller.select_code([x, 0.0])
    walked = []
    for _ in range(4):
        controller.select_back()
        walked.append(float(controller.selection.code[0]))
    assert walked == [2.0, 1.0, 0.0, 0.0]
    assert not controller.can_select_back
    for _ in range(4):
        controller.select_forward()
    assert controller.selection.code[0] == 1.0
    assert not controller.can_select_forward


def test_a_drag_is_one_entry_and_ends_where_it_was_let_go(open_fake_run: Callable[..., FakeController]) -> None:
    controller = open_fake_run()
    seen = _seen(controller.selection_changed)
    for x in (0.5, 0.75, 1.0):
        controller.select_code([x, 0.0], is_final=False)
    controller.select_code([1.0, 0.0])
    assert len(seen) == 3, "letting go where the drag was is no change"
    controller.select_back()
    assert controller.selection.code[0] == 0.0
    controller.select_forward()
    assert controller.selection.code[0] == 1.0


def test_a_drag_back_to_its_start_leaves_no_entry(open_fake_run: Callable[..., FakeController]) -> None:
    controller = open_fake_run()
    controller.select_code([0.5, 0.0], is_final=False)
    controller.select_code([0.0, 0.0])
    assert not controller.can_select_back
    assert controller.selection.code[0] == 0.0


def test_a_new_choice_ends_the_forward_list(open_fake_run: Callable[..., FakeController]) -> None:
    controller = open_fake_run()
    controller.select_code([1.0, 0.0])
    controller.select_back()
    controller.set_end("a", [0.0, 3.0])
    assert not controller.can_select_forward


def test_the_history_is_bounded() -> None:
    first = initial_selection(2)
    history = SelectionHistory(first, limit=3)
    for x in range(1, 6):
        history.settle(replace(first, code=np.array([x, 0], np.float32)))
    steps = 0
    while history.go_back():
        steps += 1
    assert steps == 3


def test_selecting_an_image_takes_its_code(open_fake_run: Callable[..., FakeController]) -> None:
    controller = open_fake_run()
    controller.select_image(7)
    assert controller.selection.image == 7
    assert np.array_equal(controller.selection.code, controller.codes.loc[7])
    assert controller.sent == []


def test_an_image_outside_the_snapshot_is_asked_for_and_its_code_follows(
    open_fake_run: Callable[..., FakeController],
) -> None:
    controller = open_fake_run()
    full = controller.codes
    controller.handle(
        replace(full, indices=full.indices[::2], **{k: getattr(full, k)[::2] for k in ("loc", "scale", "elbo")})
    )
    controller.select_image(7)
    (ask,) = controller.take(m.Encode)
    loc = np.array([[5.0, 6.0]], np.float32)
    one, image = np.ones(1, np.float32), np.zeros((1, 1, 8, 8), np.float32)
    controller.handle(m.Encoded(ask.channel, ask.id, 100, ask.indices, loc, loc, loc, one, one, one, one, image))
    assert controller.selection.code.tolist() == [5.0, 6.0]
    controller.select_back()
    assert controller.selection.image is None
    controller.select_forward()
    assert controller.selection.code.tolist() == [5.0, 6.0]


def test_impossible_places_are_refused(open_fake_run: Callable[..., FakeController]) -> None:
    controller = open_fake_run()
    with pytest.raises(ValueError, match="2 finite numbers"):
        controller.select_code([1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="2 finite numbers"):
        controller.select_code([np.nan, 0.0])
    with pytest.raises(ValueError, match="0 to 39"):
        controller.select_image(40)


def test_another_latent_dim_starts_a_new_selection(open_fake_run: Callable[..., FakeController]) -> None:
    controller = open_fake_run()
    controller.select_code([1.0, 0.0])
    controller.handle(make_opened(latent_dim=5))
    assert controller.selection.latent_dim == 5
    assert not controller.can_select_back


def test_drawing(fake_controller: FakeController) -> None:
    seen = _seen(fake_controller.drawing_changed)
    assert fake_controller.draw_seed is None
    fake_controller.redraw()
    fake_controller.set_drawing(True)
    first = fake_controller.draw_seed
    fake_controller.redraw()
    assert fake_controller.draw_seed != first
    assert seen == [True, True]


def test_all_codes_are_not_replaced_by_a_sample_of_the_same_step(fake_controller: FakeController) -> None:
    whole, newer = make_codes(40, step=100), make_codes(40, step=101)
    fake_controller.handle(whole)
    fake_controller.handle(replace(make_codes(10, step=100), is_complete=False))
    assert fake_controller.codes is whole
    fake_controller.handle(replace(newer, is_complete=False))
    assert fake_controller.codes is not None
    assert fake_controller.codes.step == 101
