"""Garbage collection while the program starts."""

import gc

import pytest

from vae_explorer.start_up import put_off_collection, resume_collection


@pytest.fixture(autouse=True)
def collection_as_before():
    yield
    gc.unfreeze()
    gc.enable()


def test_it_is_put_off_and_what_came_up_meanwhile_is_left_out_for_good():
    put_off_collection()
    assert not gc.isenabled()
    resume_collection()
    assert gc.isenabled()
    assert gc.get_freeze_count() > 0


def test_where_it_was_not_put_off_nothing_is_left_out():
    resume_collection()
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0
