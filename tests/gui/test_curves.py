"""The curves panel: what the log says is what is drawn, read out and marked, in bounded memory."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import msgspec
import numpy as np
import pytest
from fakes import make_opened
from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QFontMetricsF, QMouseEvent
from PySide6.QtWidgets import QApplication, QComboBox, QLabel, QSlider, QToolButton

from vae_explorer.engine import messages as m
from vae_explorer.gui.panels.curves import CurvesPanel
from vae_explorer.gui.theme import current_theme
from vae_explorer.gui.widgets.curve_plot import CurvePlot, place_text
from vae_explorer.gui.widgets.curve_store import CurveStore, robust_range, smooth
from vae_explorer.gui.widgets.curve_text import duration_text, nats_text
from vae_explorer.gui.widgets.plot_style import tick_font
from vae_explorer.runs.records import LogRecord, MarkRecord, MetricRecord


def row(step: int, *, split: str = "train", kl: float | None = 5.0, distortion: float = 20.0) -> MetricRecord:
    elbo = None if kl is None else -(distortion + kl)
    return MetricRecord(
        step=step, epoch=step / 100, time_s=step / 50, split=split, distortion=distortion,  # type: ignore[arg-type]
        loss=distortion + (kl or 0), elbo=elbo, kl=kl, beta=1.0, learning_rate=1e-3,
    )  # fmt: skip


def falling(n: int = 100) -> list[LogRecord]:
    """Return n training rows, a held-out row every tenth, and a mark at step 3,000 of 50 n."""
    rows: list[LogRecord] = []
    for i in range(1, n + 1):
        rows.append(row(50 * i, distortion=100 + 900 / i, kl=5 - 4 / i))
        if i % 10 == 0:
            rows.append(row(50 * i, split="held_out", distortion=102 + 900 / i, kl=5 - 4 / i))
        if 50 * i == 3000:
            rows.append(MarkRecord(step=3000, time_s=60.0, name="beta", value=4.0))
    return rows


@pytest.fixture
def panel(qtbot, fake_controller, open_fake_run):
    panel = CurvesPanel(fake_controller)
    qtbot.addWidget(panel)
    panel.resize(560, 220)
    panel.show()
    return panel


@pytest.fixture
def full(panel, fake_controller, open_fake_run, qtbot):
    open_fake_run()
    fake_controller.handle(m.RecordsAdded(tuple(falling())))
    qtbot.waitUntil(lambda: len(panel.plot_of("elbo").shown("train")[0]) == 100)
    return panel


def text_of(panel: CurvesPanel, name: str) -> str:
    label = panel.findChild(QLabel, name)
    return label.toolTip() + label.text() if name != "curves_reading" else label.text()


# ---- the store ------------------------------------------------------------------------------------------------------


def test_long_logs_keep_their_means_in_bounded_memory():
    store = CurveStore(max_points=64)
    values = np.random.default_rng(0).normal(size=1000)
    store.add([row(i + 1, distortion=float(v)) for i, v in enumerate(values)])
    x, y = store.curve("train", "distortion", "step")
    stride = store.splits["train"].stride
    assert len(x) <= 64
    assert stride == 16
    assert np.array_equal(x, np.arange(stride, stride * len(x) + 1, stride))
    whole = values[: len(x) * stride].reshape(-1, stride)
    assert np.allclose(y, whole.mean(axis=1))


def test_points_without_a_figure_or_with_an_infinite_loss_are_left_out():
    store = CurveStore()
    store.add([row(1, kl=None), row(2), row(3, distortion=float("nan"))])
    assert store.curve("train", "elbo", "step")[0].tolist() == [2]
    assert store.curve("train", "distortion", "step")[0].tolist() == [1, 2]


def test_smoothing_is_the_plain_recursion_without_bias_at_the_start():
    y = np.random.default_rng(0).normal(size=300)
    expected, total, norm = [], 0.0, 0.0
    for value in y:
        total, norm = 0.9 * total + 0.1 * value, 0.9 * norm + 0.1
        expected.append(total / norm)
    assert np.allclose(smooth(y, 0.9), expected)
    assert np.array_equal(smooth(y, 0.0), y)
    assert np.allclose(smooth(y, 0.9, stride=2), smooth(y, 0.81))


def test_the_first_wild_values_do_not_set_the_range():
    y = np.concatenate([[50_000.0, 9_000.0], 100 + np.random.default_rng(0).normal(size=400)])
    low, high = robust_range([y])
    assert low < y[2:].min()
    assert y[2:].max() < high < 120
    assert robust_range([]) is None


def test_marks_lie_between_the_records_in_every_unit():
    store = CurveStore()
    store.add([row(100), row(200), MarkRecord(step=150, time_s=2.9, name="beta", value=2.0)])
    for axis, place in (("step", 150), ("epoch", 1.5), ("time", 2.9)):
        assert [x for x, _ in store.mark_places(axis)] == [pytest.approx(place)]


# ---- the words ------------------------------------------------------------------------------------------------------


def test_numbers_read_well():
    assert [nats_text(v) for v in (-151.2, 4.934, 12_345.6, None)] == ["−151.20", "4.93", "12,346", "–"]
    assert [duration_text(s) for s in (4.25, 42, 192, 7500)] == ["4.2 s", "42 s", "3 min 12 s", "2 h 05 min"]
    assert [place_text(v, "step", spacing=5000) for v in (0, 5000, 15000)] == ["0", "5k", "15k"]
    assert [place_text(v, "step", spacing=500) for v in (500, 1500)] == ["500", "1.5k"]
    assert [place_text(v, "step", spacing=20) for v in (0, 80, 1220)] == ["0", "80", "1,220"]
    assert [place_text(v, "step", spacing=5e5) for v in (0, 5e5, 1.5e6)] == ["0", "500,000", "1.5M"]
    assert [place_text(v, "time") for v in (30, 300, 9000)] == ["30 s", "5 min", "2.5 h"]
    assert [place_text(v, "epoch", spacing=0.5) for v in (0, 2.5)] == ["0.0", "2.5"]


# ---- the panel ------------------------------------------------------------------------------------------------------


def test_an_empty_panel_says_the_next_step(panel, open_fake_run):
    assert "Train" in text_of(panel, "curves_empty")
    assert panel.findChild(QLabel, "curves_empty").isVisible()
    open_fake_run()
    assert "Press Train" in text_of(panel, "curves_empty")


def test_each_term_is_drawn_where_the_log_says(full):
    x, y = full.plot_of("kl").shown("train")
    assert x.tolist() == [50.0 * i for i in range(1, 101)]
    assert np.allclose(y, [5 - 4 / i for i in range(1, 101)])
    x, y = full.plot_of("elbo").shown("held_out")
    assert np.allclose(y, [-(107 + 896 / i) for i in range(10, 101, 10)])


def test_a_run_that_is_opened_shows_its_log_and_only_its_own(full, fake_controller, open_fake_run):
    opened = fake_controller.opened
    fake_controller.handle(replace(opened, records=(row(50), row(100))))
    assert full.plot_of("elbo").shown("train")[0].tolist() == [50, 100]
    assert "beta" not in text_of(full, "curves_reading")


def test_a_panel_made_late_shows_the_log_too(qtbot, fake_controller, open_fake_run):
    open_fake_run()
    fake_controller.handle(replace(fake_controller.opened, records=(row(50), row(100))))
    late = CurvesPanel(fake_controller)
    qtbot.addWidget(late)
    assert late.plot_of("elbo").shown("train")[0].tolist() == [50, 100]


def test_an_autoencoder_has_only_a_reconstruction_loss(panel, fake_controller, open_fake_run):
    open_fake_run(kind="autoencoder")
    assert panel.terms == ["distortion"]
    assert not panel.findChild(QToolButton, "curves_show_elbo").isVisible()
    open_fake_run()
    assert panel.terms == ["elbo", "kl", "distortion"]


def test_terms_can_be_hidden_with_the_keyboard(full, qtbot):
    toggle = full.findChild(QToolButton, "curves_show_kl")
    toggle.setFocus()
    qtbot.keyClick(toggle, Qt.Key.Key_Space)
    assert full.terms == ["elbo", "distortion"]
    assert not full.plot_of("kl").isVisible()


def test_the_axis_counts_steps_epochs_or_seconds(full):
    choice = full.findChild(QComboBox, "curves_x_axis")
    last = {}
    for i in range(choice.count()):
        choice.setCurrentIndex(i)
        last[choice.currentData()] = full.plot_of("elbo").shown("train")[0][-1]
    assert last == {"step": 5000, "epoch": 50, "time": 100}


def test_smoothing_changes_training_curves_only_and_keeps_the_raw_one_in_sight(full):
    before = full.plot_of("elbo").shown("train")[1].copy()
    held_out = full.plot_of("elbo").shown("held_out")[1].copy()
    full.findChild(QSlider, "curves_smoothing").setValue(10)
    assert full._bar.smoothing == pytest.approx(0.9)
    assert np.allclose(full.plot_of("elbo").shown("train")[1], smooth(before, 0.9))
    assert np.array_equal(full.plot_of("elbo").shown("raw")[1], before)
    assert np.array_equal(full.plot_of("elbo").shown("held_out")[1], held_out)


def test_the_arrow_keys_read_values(full, qtbot):
    plots = full.findChild(object, "curves_plots")
    plots.setFocus()
    qtbot.keyClick(plots, Qt.Key.Key_Home)
    assert text_of(full, "curves_reading").startswith("step 50 ·")
    qtbot.keyClick(plots, Qt.Key.Key_Right)
    assert text_of(full, "curves_reading").startswith("step 100 · epoch 1.0 · 2.0 s")
    assert "−553.00" in text_of(full, "curves_heading_elbo")
    qtbot.keyClick(plots, Qt.Key.Key_Escape)
    assert text_of(full, "curves_reading").startswith("step 5,000 ·")


def test_the_pointer_reads_the_nearest_record_in_all_plots(full):
    plot = full.plot_of("kl")
    view = plot.getPlotItem().getViewBox()
    at = plot.mapFromScene(view.mapViewToScene(QPointF(2000, 4)))
    # The pixel decides: one is some forty steps wide.
    i = round(view.mapSceneToView(plot.mapToScene(at)).x() / 50)
    none = Qt.MouseButton.NoButton
    where = QPointF(at), QPointF(plot.viewport().mapToGlobal(at))
    move = QMouseEvent(QEvent.Type.MouseMove, *where, none, none, Qt.KeyboardModifier.NoModifier)
    QApplication.sendEvent(plot.viewport(), move)
    assert i == pytest.approx(40, abs=1)
    assert text_of(full, "curves_reading").startswith(f"step {50 * i:,} ·")
    assert nats_text(-(105 + 896 / i)) in text_of(full, "curves_heading_elbo")
    assert nats_text(100 + 900 / i) in text_of(full, "curves_heading_distortion")
    QApplication.sendEvent(plot, QEvent(QEvent.Type.Leave))
    assert text_of(full, "curves_reading").startswith("step 5,000 ·")


def test_a_mark_says_what_was_changed(full):
    plot = full.plot_of("elbo")
    view = plot.getPlotItem().getViewBox()
    x = plot.mapFromScene(view.mapViewToScene(QPointF(3000, 0))).x()
    assert plot.mark_text_near(x + 3) == "beta 4 from step 3,000"
    assert plot.mark_text_near(x + 30) is None
    assert "beta 4 from step 3,000" in text_of(full, "curves_reading")


def test_zooming_stops_following_in_all_plots_until_fit(full, fake_controller, qtbot):
    first, other = full.plot_of("elbo"), full.plot_of("kl")
    first.getPlotItem().getViewBox().setXRange(1000, 2000, padding=0)
    first.getPlotItem().getViewBox().sigRangeChangedManually.emit([True, True])
    assert other.getPlotItem().viewRange()[0] == pytest.approx([1000, 2000])
    fake_controller.handle(m.RecordsAdded((row(6000),)))
    qtbot.waitUntil(lambda: len(first.shown("train")[0]) == 101)
    assert first.getPlotItem().viewRange()[0] == pytest.approx([1000, 2000])
    button = full.findChild(QToolButton, "curves_fit")
    assert button.isEnabled()
    button.click()
    assert first.getPlotItem().viewRange()[0][1] > 6000


def test_a_hidden_panel_draws_when_it_is_shown(full, fake_controller):
    full.hide()
    fake_controller.handle(m.RecordsAdded((row(6000),)))
    assert len(full.plot_of("elbo").shown("train")[0]) == 100
    full.show()
    assert len(full.plot_of("elbo").shown("train")[0]) == 101


def test_every_term_has_its_colour_on_screen(full, qtbot):
    theme = current_theme()
    for term in full.terms:
        wanted = getattr(theme, term)
        picture = full.plot_of(term).grab().toImage()
        colours = {picture.pixelColor(x, y).name() for x in range(picture.width()) for y in range(picture.height())}
        assert wanted in colours
        assert not colours & ({theme.elbo, theme.kl, theme.distortion} - {wanted})


# ---- what is maximised ----------------------------------------------------------------------------------------------


def weighted(**changes) -> tuple[LogRecord, ...]:
    """Return rows whose loss has other parts than the ELBO's, of both splits."""
    return tuple(
        replace_record(row(50 * i, split=split), loss=20 + 4 * 5.0, beta=4.0, **changes)
        for i in range(1, 11)
        for split in ("train", "held_out")
    )


def replace_record(record: MetricRecord, **changes) -> MetricRecord:
    return msgspec.structs.replace(record, **changes)


def test_minus_the_loss_is_drawn_beside_the_elbo_where_it_is_another_number(panel, fake_controller, open_fake_run):
    open_fake_run()
    plot = panel.plot_of("elbo")
    fake_controller.handle(m.RecordsAdded((row(50),)))
    panel.redraw()
    assert panel._bar.further == []
    assert all(len(x) == 0 for x, _ in plot.overlays.values())
    fake_controller.handle(m.RecordsAdded(weighted()))
    panel.redraw()
    assert panel._bar.further == ["objective"]
    assert plot.overlays["objective", "held_out"][1].tolist() == [-40.0] * 10
    assert plot.shown("held_out")[1].tolist() == [-25.0] * 10
    assert "objective −40.00" in text_of(panel, "curves_reading")
    (low, high), span = plot.getPlotItem().viewRange()[1], (-40.0, -25.0)
    assert low < span[0]
    assert span[1] < high


def test_further_figures_get_a_plot_once_they_are_wanted(panel, fake_controller, open_fake_run):
    open_fake_run()
    fake_controller.handle(m.RecordsAdded(weighted(mmd=0.0125, classification_error=0.031)))
    assert panel.terms == ["elbo", "kl", "distortion", "classification_error"]
    panel._bar._extras["mmd"].trigger()
    assert panel.plot_of("mmd").shown("train")[1].tolist() == [0.0125] * 10
    assert "0.0125" in text_of(panel, "curves_heading_mmd")
    assert "3.1 %" in text_of(panel, "curves_heading_classification_error")
    panel._bar._extras["mmd"].trigger()
    assert "mmd" not in panel.terms


def test_betas_warm_up_is_drawn_without_being_asked_for(panel, fake_controller, open_fake_run):
    open_fake_run()
    opened = make_opened()
    config = opened.config.with_values({"objective.warmup": "linear"})
    fake_controller.handle(replace(opened, config=config, records=weighted()))
    assert "beta" in panel.terms


@pytest.mark.parametrize(
    ("settings", "badge"),
    [
        ({}, ""),
        ({"objective.similarity": "wasserstein2"}, "no longer a bound"),
        ({"objective.beta": 0.5}, "no longer a bound"),
        ({"objective.beta": 4.0}, "weighted"),
        ({"objective.free_bits": 0.1}, "weighted"),
        ({"objective.tc_weight": 5.0}, "weighted"),
        ({"objective.mmd_weight": 5.0}, "weighted"),
        ({"objective.bound": "iwae", "objective.samples": 5}, "tighter bound"),
        ({"model.kind": "autoencoder", "objective.beta": 4.0}, ""),
    ],
)
def test_a_badge_says_what_the_loss_is(panel, fake_controller, open_fake_run, settings, badge):
    open_fake_run()
    opened = make_opened()
    config = opened.config.with_values({"data.binarize": "dynamic"} | settings)
    fake_controller.handle(replace(opened, run_path=opened.run_path.with_name("other"), config=config))
    label = panel.findChild(QLabel, "curves_badge")
    assert label.text() == badge
    assert label.isVisible() == bool(badge)
    assert bool(label.toolTip()) == bool(badge)


def test_the_badge_follows_beta_as_it_is_now(panel, fake_controller, open_fake_run):
    open_fake_run()
    assert panel.findChild(QLabel, "curves_badge").text() == ""
    fake_controller.handle(m.RecordsAdded((replace_record(row(100), beta=0.25),)))
    assert panel.findChild(QLabel, "curves_badge").text() == "no longer a bound"
    fake_controller.handle(m.RecordsAdded((row(150),)))
    assert panel.findChild(QLabel, "curves_badge").text() == ""


def test_bernoulli_on_grey_pixels_is_said_not_to_compare(panel, fake_controller, open_fake_run):
    open_fake_run()
    note = panel.findChild(QLabel, "curves_note")
    assert "do not compare beyond these images" in note.toolTip()
    opened = make_opened()
    config = opened.config.with_values({"model.likelihood": "continuous_bernoulli"})
    fake_controller.handle(replace(opened, config=config))
    assert note.toolTip() == ""


@pytest.mark.parametrize("x_axis", ["step", "epoch", "time"])
@pytest.mark.parametrize("width", [110, 160, 240, 400])
def test_numbers_of_the_places_keep_apart(qtbot, x_axis, width):
    plot = CurvePlot("elbo")
    qtbot.addWidget(plot)
    plot.resize(width, 120)
    plot.show()
    axis, metrics = plot.place_axis, QFontMetricsF(tick_font())
    axis.set_x_axis(x_axis)
    size = axis.boundingRect().width()
    for end in (30, 900, 11_499, 99_900, 1_200_000):
        ((spacing, values), *_) = axis.tickValues(0.0, float(end), size)
        texts = axis.tickStrings(values, 1.0, spacing)
        assert len(texts) >= 1
        assert len(set(texts)) == len(texts)
        for (at, text), (next_at, next_text) in pairwise(zip(values, texts, strict=True)):
            apart = (next_at - at) / end * size
            assert apart > (metrics.horizontalAdvance(text) + metrics.horizontalAdvance(next_text)) / 2 + 3


def test_headings_and_ranges_keep_up_where_records_come_faster_than_plots_are_drawn(full, fake_controller, qtbot):
    """There is always a plot that waits then; every heading tells the same step all the same."""
    last, seen = 5_000, set()

    def feed() -> bool:
        nonlocal last
        last += 50
        fake_controller.handle(m.RecordsAdded((row(last),)))
        seen.add(text_of(full, "curves_reading"))
        return len(seen) >= 3

    qtbot.waitUntil(feed, timeout=20_000)
    qtbot.waitUntil(lambda: f"step {last:,}" in text_of(full, "curves_reading"), timeout=20_000)
    ranges = {tuple(column.plot.getPlotItem().getViewBox().viewRange()[0]) for column in full._columns.values()}
    assert len(ranges) == 1
    assert max(ranges)[1] >= last
