"""The rule of a witness (C2SP tlog-witness): what is cosigned, what is refused, and how often it may be asked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.times import MINUTE_US, SECOND_US
from recorder.store.log.note import Checkpoint, sign_checkpoint
from recorder.store.log.tree import EMPTY_ROOT
from retention.evidence.cosigning import SIZE_TYPE, Asked
from retention.evidence.witness import KEYS_LIMIT, Answer, Granted, Limiter, decide
from tests.fakes.logs import BOX, ORIGIN, OTHER, Log, known

LOG = Log(parts_at=5)
FORK = Log("forked", parts_at=5)
SEEN = {ORIGIN: LOG.at(7)}


def status(decided: Granted | Answer) -> int:
    assert isinstance(decided, Answer)
    return decided.status


def test_the_first_checkpoint_of_a_log_is_cosigned() -> None:
    """From nothing, with an empty proof."""
    assert decide(LOG.request(0, 7), known(BOX), {}) == Granted(LOG.at(7), sign_checkpoint(LOG.at(7), BOX))


def test_what_goes_on_from_the_last_is_cosigned() -> None:
    """And the last itself, again: the answer may have been lost."""
    for size in (7, 8, 20):
        decided = decide(LOG.request(7, size), known(BOX), SEEN)
        assert isinstance(decided, Granted)
        assert decided.checkpoint == LOG.at(size)


def test_a_log_that_nobody_named_is_not_found() -> None:
    """Whoever signed it."""
    assert status(decide(LOG.request(0, 7), {}, {})) == 404
    assert status(decide(LOG.request(0, 7), {"custos/other": known(BOX)[ORIGIN]}, {})) == 404


def test_another_key_is_forbidden() -> None:
    """Under the name of a known log; and a note that was changed after it was signed."""
    assert status(decide(LOG.request(7, 8, OTHER), known(BOX), SEEN)) == 403
    assert status(decide(LOG.request(7, 8).replace(b"\n8\n", b"\n9\n"), known(BOX), SEEN)) == 403


def test_a_log_that_changed_its_key_is_known_by_both() -> None:
    """Until the old one is taken off the list."""
    for key in (BOX, OTHER):
        assert isinstance(decide(LOG.request(7, 8, key), known(BOX, OTHER), SEEN), Granted)


def test_an_old_size_that_is_not_the_last_is_a_conflict() -> None:
    """The answer says which it is, as the specification wants it."""
    for old, new in ((0, 8), (6, 8), (8, 9), (0, 3), (3, 3)):
        assert decide(LOG.request(old, new), known(BOX), SEEN) == Answer(409, "7\n", SIZE_TYPE)
    assert decide(LOG.request(3, 8), known(BOX), {}) == Answer(409, "0\n", SIZE_TYPE)


def test_a_rollback_is_refused() -> None:
    """A smaller tree is never cosigned behind a larger: not from the last, nor from itself, nor as if it were new."""
    assert status(decide(Asked(7, (), sign_checkpoint(LOG.at(6), BOX)).encode(), known(BOX), SEEN)) == 400
    assert status(decide(LOG.request(6, 6), known(BOX), SEEN)) == 409
    assert status(decide(LOG.request(0, 6), known(BOX), SEEN)) == 409


def test_another_root_of_the_same_size_is_a_conflict() -> None:
    """The fork of a log that is as long."""
    assert decide(FORK.request(7, 7), known(BOX), SEEN) == Answer(409, "7\n", SIZE_TYPE)


def test_a_fork_that_is_longer_does_not_follow() -> None:
    """No proof leads from what was seen to it: neither its own, nor that of the honest log."""
    assert status(decide(FORK.request(7, 12), known(BOX), SEEN)) == 422
    honest = LOG.request(7, 12).decode().split("\n\n")[0]
    mixed = f"{honest}\n\n{sign_checkpoint(FORK.at(12), BOX)}".encode()
    assert status(decide(mixed, known(BOX), SEEN)) == 422


def test_a_proof_where_none_belongs_is_refused() -> None:
    """From nothing, and from a tree to itself, it is empty."""
    for old, seen in ((0, {}), (7, SEEN)):
        request = Asked(old, (bytes(32),), sign_checkpoint(LOG.at(7), BOX)).encode()
        assert status(decide(request, known(BOX), seen)) == 422


def test_an_empty_log_has_one_root() -> None:
    """A checkpoint of no leaves is that of RFC 6962, or none."""
    assert isinstance(decide(LOG.request(0, 0), known(BOX), {}), Granted)
    odd = Asked(0, (), sign_checkpoint(Checkpoint(ORIGIN, 0, bytes(32)), BOX)).encode()
    assert status(decide(odd, known(BOX), {})) == 409
    assert LOG.at(0).root == EMPTY_ROOT


@pytest.mark.parametrize(
    "body", [b"", b"old 7\n\nhello", f"old 7\n\n{ORIGIN}\n8\n\n".encode(), LOG.request(7, 8)[:-1], b"old 7\n\xff\n\n"]
)
def test_what_is_no_request_is_bad(body: bytes) -> None:
    """Or, where it does not even name a log that is known, not found."""
    assert status(decide(body, known(BOX), SEEN)) in (400, 404)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 12), st.integers(0, 12)), max_size=30))
def test_whatever_is_asked_only_one_history_is_cosigned(steps: list[tuple[bool, int, int]]) -> None:
    """The owner of the key shows two logs in any order, from any size: what was cosigned is always one that only grows.

    Every cosigned checkpoint is a beginning of every later one, so of two forks one alone goes on.
    """
    last: dict[str, Checkpoint] = {}
    granted: list[Checkpoint] = []
    for forked, old, new in steps:
        decided = decide((FORK if forked else LOG).request(old, max(old, new)), known(BOX), last)
        if isinstance(decided, Granted):
            last[ORIGIN] = decided.checkpoint
            granted.append(decided.checkpoint)

    sizes = [one.size for one in granted]
    assert sizes == sorted(sizes)
    assert all(one == LOG.at(one.size) for one in granted) or all(one == FORK.at(one.size) for one in granted)


def test_more_than_so_many_a_minute_are_too_many() -> None:
    """All at once, and then one as the time passes for one; each key by itself."""
    limiter = Limiter(60)

    assert [limiter.takes("a", 0) for _ in range(61)] == [True] * 60 + [False]
    assert limiter.takes("b", 0)
    assert not limiter.takes("a", SECOND_US // 2)
    assert limiter.takes("a", 2 * SECOND_US)
    assert [limiter.takes("a", 100 * MINUTE_US) for _ in range(61)] == [True] * 60 + [False]


def test_what_is_counted_is_bounded() -> None:
    """Who asks under a thousand addresses fills no memory, and the one that was asked about last is still counted."""
    limiter = Limiter(1)
    for number in range(3 * KEYS_LIMIT):
        assert limiter.takes(str(number), 0)

    assert len(limiter._left) == KEYS_LIMIT
    assert not limiter.takes(str(3 * KEYS_LIMIT - 1), 0)


@given(st.lists(st.integers(0, 3 * MINUTE_US), max_size=80))
def test_no_minute_has_more_than_twice_the_limit(moments: list[int]) -> None:
    """What was saved up and what is granted meanwhile."""
    limiter = Limiter(10)
    granted = [at for at in sorted(moments) if limiter.takes("a", at)]

    for at in granted:
        assert sum(1 for other in granted if at <= other < at + MINUTE_US) <= 20


@given(st.one_of(st.binary(max_size=200), st.tuples(st.integers(0, 400), st.binary(max_size=3), st.integers(0, 3))))
def test_whatever_comes_is_answered(change: bytes | tuple[int, bytes, int]) -> None:
    """Junk, and a good request with some bytes replaced: never a fault, and never a grant of what nobody signed."""
    body = LOG.request(7, 12)
    if isinstance(change, bytes):
        body = change
    else:
        at, put, taken = change
        body = body[:at] + put + body[at + taken :]

    decided = decide(body, known(BOX), SEEN)

    if isinstance(decided, Granted):
        assert decided.checkpoint == LOG.at(12)
