"""Messages between two processes, over a real socket pair."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from recorder.capture.channel import Answer, Asked, Channel, error_of
from recorder.causes import Cause
from recorder.errors import PeerGone, StorageFull

WAIT_S = 10.0


def nothing() -> None:
    """Nobody minds."""


@contextmanager
def pair(handle: Callable[[Asked], None], gone: Callable[[], None] = nothing) -> Iterator[tuple[Channel, Channel]]:
    """One end that asks, and one that answers by `handle`."""
    left, right = socket.socketpair()
    asks, answers = Channel(left, lambda asked: None, gone, name="a"), Channel(right, handle, nothing, name="b")
    asks.start()
    answers.start()
    try:
        yield asks, answers
    finally:
        asks.close()
        answers.close()


def test_a_question_is_answered_with_bytes() -> None:
    """Both parts come as they were sent."""

    def double(asked: Asked) -> Answer:
        return Answer({"twice": asked.body["n"] * 2}, asked.blob * 2)

    with pair(lambda asked: asked.carry_out(double)) as (asks, _):
        answer = asks.call("double", {"n": 21}, b"\0\xff", timeout_s=WAIT_S)

    assert (answer.body, answer.blob) == ({"twice": 42}, b"\0\xff\0\xff")


def test_answers_that_overtake_each_other() -> None:
    """Each reaches who asked for it."""
    held: list[Asked] = []
    both = threading.Event()

    def hold(asked: Asked) -> None:
        held.append(asked)
        if len(held) == 2:
            both.set()

    with pair(hold) as (asks, _):
        first, second = asks.ask("a", {}), asks.ask("b", {})
        assert both.wait(WAIT_S)
        for asked in reversed(held):
            asked.answer({"kind": asked.kind})
        assert [first.result(WAIT_S).body["kind"], second.result(WAIT_S).body["kind"]] == ["a", "b"]


def test_a_refusal_is_raised_as_the_error_it_named() -> None:
    """With its sentence, and what hangs on its class."""

    def full(asked: Asked) -> Answer:
        raise StorageFull("no room on /x")

    with pair(lambda asked: asked.carry_out(full)) as (asks, _), pytest.raises(StorageFull, match="no room") as raised:
        asks.call("write", {}, timeout_s=WAIT_S)

    assert raised.value.cause is Cause.STORAGE_FULL


def test_a_fault_in_answering_is_told_without_its_text() -> None:
    """What a bug says may hold anything; only its name goes on."""

    def broken(asked: Asked) -> Answer:
        raise KeyError("planted-secret")

    with pair(lambda asked: asked.carry_out(broken)) as (asks, _), pytest.raises(Exception, match="KeyError") as raised:
        asks.call("write", {}, timeout_s=WAIT_S)

    assert "planted-secret" not in str(raised.value)


def test_the_other_side_goes_away() -> None:
    """Who waits is told, who asks later too, and `gone` is called once."""
    gone: list[bool] = []
    asked_for = threading.Event()
    with pair(lambda asked: asked_for.set(), lambda: gone.append(True)) as (asks, answers):
        waiting = asks.ask("never", {})
        assert asked_for.wait(WAIT_S)
        answers.close()
        with pytest.raises(PeerGone):
            waiting.result(WAIT_S)
        with pytest.raises(PeerGone):
            asks.call("again", {}, timeout_s=WAIT_S)

    assert gone == [True]


def test_no_answer_in_time() -> None:
    """The sentence says to what, and how long was waited."""
    with pair(lambda asked: None) as (asks, _), pytest.raises(PeerGone, match=r"resume: no answer within 0\.01 s"):
        asks.call("resume", {}, timeout_s=0.01)


@pytest.mark.parametrize(
    "sent", [b"\0\0\0\2", b"\0\0\0\2\0\0\0\0no", b"\xff\xff\xff\xff\0\0\0\0", b"\0\0\0\2\0\0\0\0{}"]
)
def test_what_is_no_message(sent: bytes) -> None:
    """Cut off, no JSON, without end, or without what every message has: as good as gone."""
    left, right = socket.socketpair()
    gone = threading.Event()
    channel = Channel(left, lambda asked: None, gone.set, name="x")
    channel.start()
    right.sendall(sent)
    right.close()

    assert gone.wait(WAIT_S)
    channel.close()


def test_a_code_that_nobody_knows() -> None:
    """It is an error all the same, with its sentence."""
    assert str(error_of("of a later version", "It is so.")) == "It is so."
