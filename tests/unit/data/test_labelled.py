"""The labels that M2 sees: balanced, seeded, from training images alone; what cannot be drawn is refused in words."""

from dataclasses import replace

import numpy as np
import pytest

from vae_explorer.config import DataConfig
from vae_explorer.data.labelled import check_labels, count_classes, labelled_images
from vae_explorer.errors import DataError


def chosen(data, **settings):
    return labelled_images(data, DataConfig(**settings))


@pytest.mark.parametrize("per_class", [1, 10, 60])
def test_every_class_lends_as_many_labels_and_only_of_training_images(digits_data, per_class):
    indices = chosen(digits_data, labels_per_class=per_class)
    assert np.bincount(digits_data.labels[indices]).tolist() == [per_class] * 10
    assert np.isin(indices, digits_data.splits.train).all()
    assert indices.dtype == np.int64
    assert (np.diff(indices) > 0).all()


def test_the_draw_is_a_function_of_the_seed(digits_data):
    first, again, other = (chosen(digits_data, labels_per_class=5, seed=seed) for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_without_a_number_all_known_labels_of_the_training_images_are_used(digits_data):
    labels = digits_data.labels.copy()
    unknown = digits_data.splits.train[::3]
    labels[unknown] = -1
    data = replace(digits_data, labels=labels)
    assert np.array_equal(chosen(data), np.setdiff1d(data.splits.train, unknown))
    assert not np.isin(unknown, chosen(data, labels_per_class=20)).any()


def test_training_on_all_images_draws_from_all_of_them(digits_data):
    assert np.array_equal(chosen(digits_data, train_on="all"), np.arange(1797))


def test_a_name_that_no_image_has_is_left_out(digits_data):
    data = replace(digits_data, class_names=(*digits_data.class_names, "ten"))
    assert count_classes(data) == 11
    assert len(chosen(data, labels_per_class=3)) == 30


@pytest.mark.parametrize("labels", [None, np.full(1797, -1)])
def test_data_without_labels_are_refused_with_a_way_out(digits_data, labels):
    data = replace(digits_data, labels=labels)
    assert count_classes(replace(digits_data, labels=None)) == 0
    with pytest.raises(
        DataError, match=r"no labels, and M2 learns from some; choose data with labels .*model.kind=vae"
    ):
        check_labels(data)


def test_labels_of_one_class_are_refused(digits_data):
    with pytest.raises(DataError, match="all labels are of one class"):
        check_labels(replace(digits_data, labels=np.zeros(1797, np.int64)))


def test_a_class_with_too_few_images_is_named_with_what_works(digits_data):
    with pytest.raises(DataError, match=r"1[34]\d training images of class '\d' have a label, expected at least 145"):
        chosen(digits_data, labels_per_class=145)
    labels = digits_data.labels.copy()
    sevens = digits_data.splits.train[labels[digits_data.splits.train] == 7]
    labels[sevens[4:]] = -1
    with pytest.raises(DataError, match=r"4 training images of class '7' .* 10; set data.labels_per_class=4, or leave"):
        chosen(replace(digits_data, labels=labels), labels_per_class=10)
    labels = np.where(np.isin(np.arange(1797), sevens), -1, labels)
    with pytest.raises(DataError, match=r"0 training images of class '7' .* at least 1; lower data.validation or add"):
        chosen(replace(digits_data, labels=labels))
