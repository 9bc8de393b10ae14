"""A short run of what `make fuzz` does for long: inputs near those of real cameras, changed at random from a seed."""

import base64
import random

import pytest

from tests.fuzz import targets
from tests.fuzz.targets import LIMIT_S, SEEDS, TARGETS, run

INPUTS = 3000


def changed(data: bytes, chance: random.Random, others: tuple[bytes, ...]) -> bytes:
    """Some bytes flipped, cut out, put in, repeated, or taken from another input."""
    out = bytearray(data)
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(out) + 1)
        kind = chance.randrange(5)
        if kind == 0 and at < len(out):
            out[at] = chance.randrange(256)
        elif kind == 1:
            del out[at : at + chance.randint(1, 8)]
        elif kind == 2:
            out[at:at] = chance.randbytes(chance.randint(1, 8))
        elif kind == 3:
            out[at:at] = out[at : at + chance.randint(1, 60)] * chance.randint(1, 4)
        else:
            other = chance.choice(others)
            out[at:] = other[chance.randrange(len(other)) :]
    return bytes(out[:4000])


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_inputs_near_those_of_cameras(name: str) -> None:
    """No exception but the declared ones, no input that takes long."""
    chance = random.Random(name)
    seeds = SEEDS[name]
    pool = list(seeds)
    for seed in seeds:
        run(name, seed)
    for _ in range(INPUTS):
        data = changed(chance.choice(pool), chance, seeds)
        run(name, data)
        if len(pool) < 200:
            pool.append(data)


FOUND = {
    "an empty packet of the next picture behind a unit in pieces": (
        "pieces",
        "hygABAEAAAAAAAABgQEAAAAAAQAAKgAAAABAAf8AAAAAQiYBYWIAzuphhyT/AXph",
    ),
}
"""What long runs found, once each."""


@pytest.mark.parametrize(("name", "data"), FOUND.values(), ids=FOUND)
def test_an_input_that_was_found(name: str, data: str) -> None:
    """It stays mended."""
    run(name, base64.b64decode(data))


@pytest.mark.parametrize("slow", [1, 9])
def test_what_is_slow_once_is_none_and_what_always_is_is_a_finding(slow: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The interpreter's own work falls into one input or another; an input that takes long takes long each time."""
    times = iter([LIMIT_S] * slow + [0.0] * 9)
    monkeypatch.setattr(targets, "_timed", lambda name, data: next(times))
    if slow == 1:
        run("sdp", b"")
    else:
        with pytest.raises(AssertionError, match=r"sdp: 0\.100 s"):
            run("sdp", b"")
