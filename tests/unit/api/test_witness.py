"""A witness's way in: what its HTTP says, and what it takes from whom."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from api import witness as page
from api.witness import create_witness
from recorder.errors import StorageFull
from recorder.store.log.cosignature import cosigned_at_s, witness_key
from recorder.store.log.note import sign_checkpoint
from recorder.store.witnessed import WitnessRecord
from retention.evidence.cosigning import REQUEST_LIMIT_BYTES, SIZE_TYPE
from retention.evidence.notary import Notary
from retention.evidence.witness import ASKING_LIMIT
from tests.fakes.clock import FakeClock
from tests.fakes.logs import BOX, OTHER, Log, known

LOG, FORK = Log(parts_at=5), Log("forked", parts_at=5)


@pytest.fixture
def record(tmp_path: Path) -> Iterator[WitnessRecord]:
    made = WitnessRecord.open(tmp_path, "witness.example/north")
    yield made
    made.close()


@pytest.fixture
def notary(record: WitnessRecord, clock: FakeClock) -> Notary:
    return Notary(record, known(BOX), clock)


async def ask(notary: Notary, body: bytes, address: str = "192.0.2.7", path: str = "/add-checkpoint") -> httpx.Response:
    transport = httpx.ASGITransport(create_witness(notary, "a page\n"), client=(address, 4711))
    async with httpx.AsyncClient(transport=transport, base_url="http://witness") as client:
        return await (client.post(path, content=body) if body else client.get(path))


async def test_a_checkpoint_is_cosigned(notary: Notary, record: WitnessRecord) -> None:
    """The answer is a line that stands behind the note."""
    answer = await ask(notary, LOG.request(0, 7))

    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    key = witness_key(record.name, record.key.public_key())
    assert cosigned_at_s(sign_checkpoint(LOG.at(7), BOX) + answer.text, key) > 0


async def test_each_refusal_has_its_status(notary: Notary) -> None:
    """As the specification has them, and a conflict says which size was seen last, under its own type."""
    await ask(notary, LOG.request(0, 7))
    for body, status in (
        (LOG.request(3, 9), 409),
        (FORK.request(7, 7), 409),
        (FORK.request(7, 9), 422),
        (LOG.request(7, 9, OTHER), 403),
        (LOG.request(7, 9).replace(b"custos/", b"cistos/"), 404),
        (b"junk", 400),
        (b"x" * (REQUEST_LIMIT_BYTES + 1), 413),
    ):
        answer = await ask(notary, body)
        assert answer.status_code == status
        if status == 409:
            assert (answer.headers["content-type"], answer.text) == (SIZE_TYPE, "7\n")


async def test_it_says_who_it_is_and_nothing_else(notary: Notary) -> None:
    """A page for people; no other path, and no description to browse."""
    assert (await ask(notary, b"", path="/")).text == "a page\n"
    for path in ("/add-checkpoint", "/docs", "/openapi.json", "/witness.json"):
        assert (await ask(notary, b"", path=path)).status_code in (404, 405)


async def test_an_address_that_asks_too_often_is_told_to_wait(notary: Notary, clock: FakeClock) -> None:
    """Whatever it asks; another is not held up; and of IPv6 a whole network counts as one."""
    for crowd in (["198.51.100.1"] * ASKING_LIMIT, [f"2001:db8::{n:x}" for n in range(ASKING_LIMIT)]):
        statuses = {(await ask(notary, b"junk", one)).status_code for one in crowd}
        assert statuses == {400}
        refused = await ask(notary, LOG.request(0, 7), crowd[0])
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "60")
    assert (await ask(notary, LOG.request(0, 7), "2001:db8:1::1")).status_code == 200
    clock.advance(60)
    assert (await ask(notary, LOG.request(7, 7), "198.51.100.1")).status_code == 200


async def test_a_disk_that_takes_no_writes_is_told(
    notary: Notary, record: WitnessRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is cosigned that is not remembered."""

    def full(*arguments: object) -> None:
        raise StorageFull

    with monkeypatch.context() as patch:
        patch.setattr(record, "keep", full)
        assert (await ask(notary, LOG.request(0, 7))).status_code == 500
    assert (await ask(notary, FORK.request(0, 7))).status_code == 200


async def test_a_request_that_never_ends_is_given_up(notary: Notary, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who sends half of it and waits holds nobody up."""
    monkeypatch.setattr(page, "REQUEST_S", 0.05)

    async def half() -> AsyncIterator[bytes]:
        yield b"old 0\n"
        await asyncio.Event().wait()

    transport = httpx.ASGITransport(create_witness(notary, ""))
    async with httpx.AsyncClient(transport=transport, base_url="http://witness") as client:
        assert (await client.post("/add-checkpoint", content=half())).status_code == 408
