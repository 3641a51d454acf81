"""The stored view and the timeline: exact, thinned evenly, refused when damaged."""

import numpy as np
import pytest
from run_makers import make_view

from vae_explorer import atomic_files
from vae_explorer.errors import RunError
from vae_explorer.runs.tensor_file import read_tensors, write_tensors
from vae_explorer.runs.timeline import MAX_CODE_FRAMES, MAX_WEIGHT_FRAMES, thinned


@pytest.mark.parametrize("kind", [np.uint8, np.float16])
def test_a_view_comes_back_exactly_and_read_only(run, kind):
    view = make_view(kind=kind)
    assert run.read_view() is None
    run.write_view(view)
    back = run.read_view()
    for name, expected in vars(view).items():
        found = getattr(back, name)
        assert np.array_equal(found, expected)
        if isinstance(expected, np.ndarray):
            assert found.dtype == expected.dtype
            assert not found.flags.writeable
    assert back.plane_shape == (2, 3)
    assert back.plane_extent == (-3.0, 3.0, -2.5, 2.5)
    assert back.plane_unit_images.dtype == np.float32
    assert back.plane_unit_images.max() == pytest.approx(95 / 255, abs=1e-3)


def test_a_view_of_an_autoencoder_has_no_kl(run):
    nan = np.full(5, np.nan, dtype=np.float32)
    run.write_view(make_view(kl_per_dim=None, kl=nan, elbo=nan))
    back = run.read_view()
    assert back.kl_per_dim is None
    assert np.isnan(back.kl).all()


@pytest.mark.parametrize(
    "changes",
    [
        {"loc": np.zeros((4, 2), dtype=np.float32)},
        {"indices": np.zeros(5, dtype=np.float32)},
        {"plane_z": np.zeros((6, 3), dtype=np.float32)},
        {"plane_images": np.zeros((5, 1, 4, 4), dtype=np.uint8)},
        {"plane_images": np.zeros((6, 16), dtype=np.uint8)},
        {"kl_per_dim": np.zeros(9, dtype=np.float32)},
        {"plane_shape": np.array([2]), "extra": np.zeros(1)},
        {"extra": np.zeros(1)},
        {"loc": None},
        {"plane_extent": None},
    ],
)
def test_a_view_that_does_not_fit_together_is_one_sentence(run, changes):
    run.write_view(make_view())
    path = run.path / "view.safetensors"
    arrays, metadata = read_tensors(path)
    damaged = {name: value for name, value in (arrays | changes).items() if value is not None}
    write_tensors(path, damaged, metadata=metadata)
    with pytest.raises(RunError, match=r"view\.safetensors is damaged") as caught:
        run.read_view()
    assert "\n" not in str(caught.value)


def test_a_view_that_fails_half_way_leaves_the_old_one(run, monkeypatch):
    run.write_view(make_view())

    def fail(_path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(atomic_files, "sync_file", fail)
    with pytest.raises(RunError, match="No space left"):
        run.write_view(make_view(step=50))
    assert run.read_view().step == 40


def test_frames_come_back(run):
    loc = np.random.default_rng(0).standard_normal((7, 3)).astype(np.float32)
    weights = {"w": np.ones((2, 2), dtype=np.float32)}
    run.add_timeline(10, loc)
    run.add_timeline(20, loc * 2, weights=weights, indices=np.arange(7))
    assert run.timeline_steps() == [10, 20]
    assert run.timeline_weight_steps() == [20]
    first, second = run.read_timeline(10), run.read_timeline(20)
    assert first.loc.dtype == np.float16
    assert np.array_equal(first.loc, loc.astype(np.float16))
    assert first.weights is None
    assert first.indices is None
    assert np.array_equal(second.weights["w"], weights["w"])
    assert second.indices.tolist() == list(range(7))


def test_a_missing_or_damaged_frame_is_one_sentence(run):
    assert run.timeline_steps() == []
    with pytest.raises(RunError, match="no frame of step 3"):
        run.read_timeline(3)
    run.add_timeline(3, np.zeros((2, 2)))
    path = run.path / "timeline" / "codes-000000003.safetensors"
    write_tensors(path, {"other": np.zeros(2)}, metadata={})
    with pytest.raises(RunError, match="holds no codes"):
        run.read_timeline(3)


def test_frames_stay_few_and_even_over_a_long_run(run):
    for step in range(0, 2600, 10):
        weights = {"w": np.zeros(1)} if step % 50 == 0 else None
        run.add_timeline(step, np.zeros((1, 1)), weights=weights)
    steps, weight_steps = run.timeline_steps(), run.timeline_weight_steps()
    assert len(steps) == MAX_CODE_FRAMES
    assert len(weight_steps) == MAX_WEIGHT_FRAMES
    assert (steps[0], steps[-1]) == (0, 2590)
    assert np.diff(steps).max() <= 4 * 10
    assert np.diff(weight_steps).max() <= 4 * 2600 / MAX_WEIGHT_FRAMES


def test_frames_of_a_past_that_was_left_are_dropped(run):
    for step in (10, 20, 30):
        run.add_timeline(step, np.zeros((1, 1)), weights={"w": np.zeros(1)})
    run.add_timeline(15, np.zeros((1, 1)))
    assert run.timeline_steps() == [10, 15]
    assert run.timeline_weight_steps() == [10]


@pytest.mark.parametrize(("steps", "most"), [([], 5), ([1], 5), ([1, 2, 3], 3), ([1, 2, 3], 1)])
def test_thinning_keeps_the_ends(steps, most):
    kept = thinned(steps, most)
    assert len(kept) <= max(most, 2)
    assert kept[:1] == steps[:1]
    assert kept[-1:] == steps[-1:]


def test_thinning_spreads_evenly():
    kept = thinned(list(range(1001)), 11)
    assert len(kept) == 11
    assert np.diff(kept).max() <= 2 * 128
