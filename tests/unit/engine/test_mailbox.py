"""The mailbox: nothing is lost that must not be, and the newest question of a channel wins."""

from __future__ import annotations

import threading

import numpy as np

from vae_explorer.engine import messages as m
from vae_explorer.engine.mailbox import Mail, Mailbox


def decode(channel: str, id_: int, n: int = 1) -> m.Decode:
    return m.Decode(channel, id_, np.zeros((n, 2), dtype=np.float32))


def test_commands_keep_their_order_and_their_number() -> None:
    mailbox = Mailbox()
    commands = [m.Start(), m.Pause(), m.Start(), m.SetLive("beta", 2.0), m.SetLive("beta", 3.0), m.Pause()]
    for command in commands:
        mailbox.put(command)
    assert mailbox.take_all().commands == tuple(commands)
    assert mailbox.take_all() == Mail()


def test_of_requests_the_newest_of_each_channel_is_left() -> None:
    mailbox = Mailbox()
    for id_ in range(1, 1001):
        mailbox.put(decode("map", id_))
        mailbox.put(decode("sliders", id_))
    assert [(r.channel, r.id) for r in mailbox.take_all().requests] == [("map", 1000), ("sliders", 1000)]


def test_a_small_request_replaces_a_large_one_of_its_channel() -> None:
    mailbox = Mailbox()
    mailbox.put(decode("map", 1, n=m.SMALL_BATCH + 1))
    mailbox.put(decode("map", 2))
    assert [r.id for r in mailbox.take_all().requests] == [2]


def test_jobs_and_cancels_stay_in_order() -> None:
    mailbox = Mailbox()
    for job in (3, 1, 2):
        mailbox.put(m.CancelJob(job))
    assert [job.job for job in mailbox.take_all().jobs] == [3, 1, 2]


def test_waiting_ends_with_mail_with_a_poke_and_with_the_time() -> None:
    mailbox = Mailbox()
    assert not mailbox.wait(0.0)
    mailbox.poke()
    assert mailbox.wait(0.0)
    mailbox.take_all()
    assert not mailbox.wait(0.0)
    waiter = threading.Thread(target=mailbox.wait)
    waiter.start()
    mailbox.put(m.Pause())
    waiter.join(30)
    assert not waiter.is_alive()


def test_diverted_small_requests_are_left_to_the_reader() -> None:
    mailbox = Mailbox()
    mailbox.divert_small(True)
    mailbox.put(decode("map", 1))
    mailbox.put(decode("plane", 2, n=400))
    assert [r.id for r in mailbox.take_all().requests] == [2]
    assert not mailbox.wait(0.0)
    assert [r.id for r in mailbox.wait_small()] == [1]
    mailbox.put(decode("map", 3))
    mailbox.divert_small(False)
    assert mailbox.wait(0.0)
    assert [r.id for r in mailbox.take_all().requests] == [3]


def test_closing_ends_the_reader_s_wait() -> None:
    mailbox = Mailbox()
    answers: list[tuple[m.Request, ...]] = []
    reader = threading.Thread(target=lambda: answers.append(mailbox.wait_small()))
    reader.start()
    mailbox.close()
    reader.join(30)
    assert answers == [()]
