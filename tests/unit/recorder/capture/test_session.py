"""One camera's session, and the fleet, with scripted cameras and a real store."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path

import pytest

from config.errors import CustosError
from recorder.capture.intake import QUEUE_LIMIT_PACKETS, Overflow, PacketQueue
from recorder.capture.session import BACK_OFF_MOST_S, Session, SessionState
from recorder.capture.source import READ_TICK_S, Packet, Source, Track, WantedCamera
from recorder.capture.worker import plan
from recorder.causes import Cause
from recorder.errors import (
    PeerGone,
    SourceCodecUnknown,
    SourceEnded,
    SourceError,
    SourceInvalid,
    SourceMixed,
    SourceNotFound,
    SourceRefusedUs,
    SourceSilent,
    SourceStalled,
    SourceUnreachable,
    SourceWithoutKey,
    SourceWithoutVideo,
)
from recorder.store.fsck import check
from recorder.store.parts import PartFile
from recorder.store.records import CodecName, Gap, Head, SegmentFacts
from recorder.store.store import Store
from recorder.store.verify import verify
from tests.fakes.box import SEGMENT_US, new_store, segments
from tests.fakes.camera import ScriptedSource, packets, wanted
from tests.fakes.clock import FakeClock
from tests.fakes.stepping import at_once, attempt, stopped, until_recorded

SECOND = "I" + "P" * 9
WAIT_S = 10


def session_of(store: Store, clock: FakeClock, sources: Iterator[Source]) -> Session:
    return Session(
        wanted(),
        store,
        lambda camera: next(sources),
        clock,
        segment_us=SEGMENT_US,
        connect=at_once,
        store=at_once,
        jitter=lambda: 0.0,
    )


def gaps(store: Store, clock: FakeClock) -> list[Gap]:
    return [item for item in store.items("gate.main", 0, clock.read().utc_us + 1) if isinstance(item, Gap)]


def test_a_stream_that_ends_is_sealed_and_its_end_is_the_cause(tmp_path: Path) -> None:
    """All frames are stored when the camera says goodbye; the next gap says why."""
    clock = FakeClock()
    store = new_store(tmp_path, clock, "gate")
    session = session_of(store, clock, iter([ScriptedSource(packets(SECOND * 5, clock), SourceEnded())]))

    assert attempt(session, clock).problem_code == SourceEnded.code

    assert sum(one.frames for one in segments(store, clock)) == 50
    assert session.status().cause is Cause.UNREACHABLE
    assert check(store) == []


def test_what_a_session_tells_of_the_way_and_of_the_clock(tmp_path: Path) -> None:
    """Losses add up; the camera's clock is told as it was last."""
    clock = FakeClock()
    store = new_store(tmp_path, clock, "gate")
    told = (
        packet._replace(lost_packets=2, clock_offset_us=index * 1000)
        for index, packet in enumerate(packets(SECOND * 2, clock))
    )
    session = session_of(store, clock, iter([ScriptedSource(told, SourceEnded())]))
    assert attempt(session, clock).problem_code == SourceEnded.code

    assert (session.status().lost_packets, session.status().clock_offset_us) == (40, 19_000)


def told_of_the_clock(clock: FakeClock, ppm: int) -> Iterator[Packet]:
    """Pictures of a camera whose clock runs so, and is told every five seconds."""
    begun_us = clock.read().mono_us
    for packet in packets(SECOND * 60, clock):
        passed_us = (packet.arrived.mono_us - begun_us) // 5_000_000 * 5_000_000
        yield packet._replace(clock_offset_us=7_000_000 + passed_us * ppm // 1_000_000)


def test_how_fast_the_cameras_clock_runs_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Status and segments tell the same; nothing at the beginning of a session, whatever the one before it knew.

    The leaf has the field only where it is known, and the record is whole.
    """
    monkeypatch.setattr("recorder.capture.drift.WINDOW_US", 2_000_000)
    monkeypatch.setattr("recorder.capture.drift.LEAST_US", 30_000_000)
    clock = FakeClock()
    store = new_store(tmp_path, clock, "gate")
    sources = (ScriptedSource(told_of_the_clock(clock, ppm), SourceEnded()) for ppm in (100, -40))
    session = session_of(store, clock, sources)
    statuses = [attempt(session, clock).clock_drift_ppb for _ in range(2)]

    found = segments(store, clock)
    first, second = ([one.clock_drift_ppb for one in found if one.run == run] for run in (found[0].run, found[-1].run))
    for told, ppm, status in ((first, 100, statuses[0]), (second, -40, statuses[1])):
        known = [one for one in told if one is not None]
        assert told == [None] * (len(told) - len(known)) + known
        assert 0 < len(known) < len(told) - 10
        assert known[-1] == status
        # Stored twice a second, told every five: of half a minute that is a fiftieth.
        assert all(abs(one - ppm * 1000) <= abs(ppm) * 20 for one in known)
    leaves = [leaf.fields for _, leaf in store.leaves(0, store.log_size) if leaf.type == "seg"]
    assert [one.get("clock_drift_ppb") for one in leaves] == first + second
    assert all(one.get("clock_drift_ppb", 0) is not None for one in leaves)
    store.checkpoint()
    assert verify(store) == []


def test_a_session_whose_password_went_readable(tmp_path: Path) -> None:
    """Its status says so, until another session did without."""
    clock = FakeClock()
    store = new_store(tmp_path, clock, "gate")
    sources = [ScriptedSource((), SourceEnded(), password_in_clear=is_so) for is_so in (True, False)]
    session = session_of(store, clock, iter(sources))
    assert not session.status().password_in_clear

    assert [attempt(session, clock).password_in_clear for _ in sources] == [True, False]


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (SourceUnreachable(), Cause.UNREACHABLE),
        (SourceRefusedUs(), Cause.AUTH_REFUSED),
        (SourceNotFound(), Cause.UNREACHABLE),
        (SourceInvalid(), Cause.STREAM_INVALID),
        (SourceWithoutVideo(), Cause.STREAM_INVALID),
        (SourceCodecUnknown(), Cause.STREAM_INVALID),
        (SourceStalled(), Cause.STALLED),
    ],
)
def test_each_failure_makes_a_gap_of_its_cause(tmp_path: Path, error: CustosError, cause: Cause) -> None:
    """The camera fails twice and then sends: the gap between has the cause of the failure (Frigate 3353, 5066,
    7174)."""
    clock = FakeClock()
    store = new_store(tmp_path, clock, "gate")
    refused = ScriptedSource([], error, refuse=True)
    good = ScriptedSource(packets(SECOND * 3, clock), SourceEnded())
    session = session_of(store, clock, iter([refused, refused, good]))
    for _ in range(2):
        clock.advance(5)
        assert attempt(session, clock).problem_code == error.code
    clock.advance(20)
    assert attempt(session, clock).problem_code == SourceEnded.code

    assert [Cause.NO_MEDIA, cause] == [gap.cause for gap in gaps(store, clock)]
    assert check(store) == []


def test_a_clock_set_back_while_nobody_looked_is_told(tmp_path: Path) -> None:
    """The record ends in the future of the clock: a `clock_step` gap leads back, and recording goes on."""
    clock = FakeClock()
    store = new_store(tmp_path, clock, "gate")
    first = ScriptedSource(packets(SECOND * 3, clock), SourceEnded())
    second = ScriptedSource(packets(SECOND * 3, clock), SourceEnded())
    session = session_of(store, clock, iter([first, second]))
    assert attempt(session, clock).problem_code == SourceEnded.code
    clock.set_wall("2016-03-01T00:00:00Z")
    assert attempt(session, clock).problem_code == SourceEnded.code

    steps = [
        gap for gap in store.items("gate.main", 0, 2**60) if isinstance(gap, Gap) and gap.cause is Cause.CLOCK_STEP
    ]
    assert len(steps) == 1
    assert steps[0].t1_us < steps[0].t0_us
    assert len(segments(store, clock)) == 4
    assert check(store) == []


def test_a_stopped_session_seals_what_is_open(tmp_path: Path) -> None:
    """A camera that is still sending when the box stops loses nothing that had arrived."""
    clock = FakeClock()
    store = new_store(tmp_path, clock, "gate")
    session = session_of(store, clock, iter([Lingering(packets(SECOND * 3, clock))]))
    until_recorded(session, clock, 30)
    session.stop(Cause.BOX_DOWN)

    assert stopped(session, clock)
    assert sum(one.frames for one in segments(store, clock)) == 30
    assert check(store) == []


def test_an_outage_cut_short_by_a_stop_keeps_its_cause(tmp_path: Path) -> None:
    """An unreachable camera's gap up to the stop says `unreachable`, not that the box was down."""
    clock = FakeClock()
    store = new_store(tmp_path, clock, "gate")
    refused = ScriptedSource([], SourceUnreachable(), refuse=True)
    session = session_of(store, clock, iter([refused] * 10))
    for _ in range(3):
        attempt(session, clock)
    session.stop(Cause.BOX_DOWN)

    assert stopped(session, clock)
    assert gaps(store, clock)[-1].cause is Cause.UNREACHABLE
    assert gaps(store, clock)[-1].t1_us == clock.read().utc_us


def test_an_outage_whose_source_is_let_go_of_when_the_stop_comes(tmp_path: Path) -> None:
    """It keeps its cause, too, and is written down once."""
    clock = FakeClock()
    store = new_store(tmp_path, clock, "gate")
    first = ScriptedSource([], SourceUnreachable(), refuse=True)
    second = ScriptedSource([], SourceUnreachable(), refuse=True, releasing=lambda: session.stop(Cause.BOX_DOWN))
    session = session_of(store, clock, iter([first, second]))
    for _ in range(2):
        attempt(session, clock)

    assert stopped(session, clock)
    assert [one.cause for one in gaps(store, clock)] == [Cause.NO_MEDIA, Cause.UNREACHABLE]
    assert gaps(store, clock)[-1].t1_us >= clock.read().utc_us - 1_000_000


def test_a_camera_that_is_stopped_while_it_connects(tmp_path: Path) -> None:
    """Nobody waits for an address that does not answer: the stop is done at once, the connection let go of later."""
    clock = FakeClock()
    store = new_store(tmp_path, clock, "gate")
    source = ScriptedSource([], SourceUnreachable())
    opening: list[tuple[Callable[[], None], Future[None]]] = []

    def later(job: Callable[[], None]) -> Future[None]:
        opening.append((job, Future()))
        return opening[0][1]

    session = Session(
        wanted(), store, lambda camera: source, clock, segment_us=SEGMENT_US, connect=later, store=at_once
    )
    session.step(clock.read())
    source.open = lambda: session.stop(Cause.OPERATOR) or (stopped(session, clock) and Track(CodecName.H264))  # type: ignore[assignment, method-assign, return-value]
    opening[0][0]()

    assert session.is_stopped
    assert source.released


def test_a_run_that_ended_and_no_key_picture_for_a_minute(tmp_path: Path) -> None:
    """Smart codecs send one for minutes, some cameras one a session: it is asked for by connecting anew. Meanwhile
    nobody is told that it is recorded."""
    clock = FakeClock()
    store = new_store(tmp_path, clock, "gate")
    states = list[SessionState]()

    def watched() -> Iterator[Packet]:
        for packet in packets("I" + "P" * 30 + "J" + "P" * 700, clock):
            states.append(session.status().state)
            yield packet

    session = session_of(store, clock, iter([ScriptedSource(watched(), SourceEnded())]))
    assert attempt(session, clock).problem_code == SourceWithoutKey.code

    assert [state for state, _ in itertools.groupby(states)] == [
        SessionState.CONNECTING,
        SessionState.RECORDING,
        SessionState.CONNECTING,
    ]
    assert check(store) == []


class Sealing:
    """The store as a book (`recording.StreamBook`), whose seal fails while it is told to."""

    def __init__(self, store: Store, error: CustosError) -> None:
        self.store = store
        self.error = error
        self.fails = False
        self.box_id = store.box_id
        self.resume, self.begin, self.commit_gap = store.resume, store.begin, store.commit_gap

    def commit_segment(self, part: PartFile, facts: SegmentFacts) -> Head:
        if self.fails:
            raise self.error
        return self.store.commit_segment(part, facts)


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (PeerGone(), Cause.STALLED),
        (CustosError("A fault in Custos itself (KeyError); the log has the details."), Cause.STALLED),
    ],
)
def test_an_outage_whose_first_seal_fails_keeps_its_cause(tmp_path: Path, error: CustosError, cause: Cause) -> None:
    """What could not be sealed is finished at the next attempt; the gap behind it is not what was before the run."""
    clock = FakeClock()
    store = new_store(tmp_path, clock, "gate")
    book = Sealing(store, error)

    def until_it_fails() -> Iterator[Packet]:
        yield from packets(SECOND * 3, clock)
        book.fails = True

    again = ScriptedSource(packets(SECOND * 3, clock), SourceEnded())
    sources = iter([ScriptedSource(until_it_fails(), SourceStalled()), again])
    session = Session(
        wanted(), book, lambda camera: next(sources), clock, segment_us=SEGMENT_US, connect=at_once, store=at_once
    )
    attempt(session, clock)
    book.fails = False
    attempt(session, clock)

    assert [one.cause for one in gaps(store, clock)][1:] == [cause]
    assert sum(one.frames for one in segments(store, clock)) == 60
    assert check(store) == []


def test_an_error_of_our_own_does_not_end_recording(tmp_path: Path) -> None:
    """A bug in reading is reported in words, and the camera is tried again."""
    clock = FakeClock()
    store = new_store(tmp_path, clock, "gate")

    def broken() -> Iterator[Packet]:
        yield from packets(SECOND, clock)
        raise KeyError("surprise")

    good = ScriptedSource(packets(SECOND * 3, clock), SourceEnded())
    session = session_of(store, clock, iter([ScriptedSource(broken(), SourceEnded()), good]))
    for error in (SourceInvalid, SourceEnded):
        assert attempt(session, clock).problem_code == error.code

    assert sum(one.frames for one in segments(store, clock)) == 40


def test_a_queue_that_runs_over_says_where_and_goes_on_at_a_key_frame() -> None:
    """Half a group of pictures cannot be decoded, and what comes behind a hole does not follow what came before
    (MediaMTX 4674)."""
    clock, queue = FakeClock(), PacketQueue()
    stream = list(packets(SECOND * 200, clock))

    queue.put(stream)
    taken: list[Packet | Overflow] = []
    while entries := queue.get():
        taken += entries
    assert taken[:-1] == stream[:QUEUE_LIMIT_PACKETS]
    assert isinstance(taken[-1], Overflow)

    queue.put(stream[1:12])
    assert queue.get() == stream[10:12]
    assert not queue.get()
    assert queue.dropped == 2000 - QUEUE_LIMIT_PACKETS + 9


def test_an_overflow_is_a_gap_called_overload(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that is slow for longer than the queue holds costs frames, and the record says which."""
    monkeypatch.setattr("recorder.capture.intake.QUEUE_LIMIT_PACKETS", 40)
    clock = FakeClock()
    store = new_store(tmp_path, clock, "gate")
    waiting: list[tuple[Callable[[], None], Future[None]]] = []

    def slowly(job: Callable[[], None]) -> Future[None]:
        """The disk takes sixty pictures' time for the third job."""
        jobs.append(job)
        if len(jobs) != 3:
            return at_once(job)
        waiting.append((job, Future()))
        return waiting[0][1]

    jobs: list[Callable[[], None]] = []
    source = ScriptedSource(packets(SECOND * 12, clock), SourceEnded())
    session = Session(
        wanted(), store, lambda camera: source, clock, segment_us=SEGMENT_US, connect=at_once, store=slowly
    )
    while not waiting:
        session.step(clock.read())
    for _ in range(60):
        session.step(clock.read())
    waiting[0][0]()
    waiting[0][1].set_result(None)
    attempt(session, clock)

    assert [gap.cause for gap in gaps(store, clock)][-1] is Cause.OVERLOAD
    assert 0 < sum(one.frames for one in segments(store, clock)) < 120
    assert check(store) == []


def test_wanted_against_running_stops_before_it_starts() -> None:
    """What changed is stopped and started; what did not is left alone."""
    old, same, new = wanted("old"), wanted("same"), wanted("new")
    changed_before = wanted("changed")
    changed = WantedCamera("changed", "changed.main", "rtsp://127.0.0.1/other", None, "")

    todo = plan([same, new, changed], {"old": old, "same": same, "changed": changed_before})

    assert todo.stop == ("changed", "old")
    assert todo.start == ("new", "changed")


@pytest.mark.parametrize(("error", "least_s"), [(SourceUnreachable(), 1), (SourceRefusedUs(), 30), (SourceMixed(), 65)])
def test_how_long_a_camera_is_left_alone(tmp_path: Path, error: SourceError, least_s: int) -> None:
    """A second after most failures; long enough that no account is locked, and that an older session has ended."""
    clock = FakeClock()
    store = new_store(tmp_path, clock, "gate")
    tried_us: list[int] = []

    def sources() -> Iterator[Source]:
        while True:
            tried_us.append(clock.read().mono_us)
            yield ScriptedSource([], error, refuse=True)

    session = session_of(store, clock, sources())
    attempt(session, clock)
    attempt(session, clock)

    assert 0 <= tried_us[1] - tried_us[0] - least_s * 1_000_000 < 5 * READ_TICK_S * 1_000_000


def test_a_camera_that_failed_often_is_tried_twice_a_minute(tmp_path: Path) -> None:
    """However often that was: a longer rest would be a gap of the box's own making (lightNVR 413)."""
    clock = FakeClock()
    store = new_store(tmp_path, clock, "gate")
    tried_us: list[int] = []

    def sources() -> Iterator[Source]:
        while True:
            tried_us.append(clock.read().mono_us)
            yield ScriptedSource([], SourceUnreachable(), refuse=True)

    session = session_of(store, clock, sources())
    for _ in range(8):
        attempt(session, clock)
        clock.advance(BACK_OFF_MOST_S)

    assert len(tried_us) == 8
    assert max(after - before for before, after in itertools.pairwise(tried_us)) < 31_000_000


class Lingering(ScriptedSource):
    """Plays its packets; then the camera's plug is pulled: no goodbye, no packet, only time that passes."""

    def __init__(self, script: Iterator[Packet]) -> None:
        super().__init__(script, SourceEnded())

    def take(self) -> Sequence[Packet]:
        one = next(self._script, None)
        return [] if one is None else [one]


def test_quirk_12_a_camera_that_is_cut_off_without_a_word(tmp_path: Path) -> None:
    """Its connection stands for ever; ten seconds without a picture end the session as `stalled`, with all it sent
    (ZoneMinder 1512)."""
    clock = FakeClock()
    store = new_store(tmp_path, clock, "gate")
    session = session_of(store, clock, iter([Lingering(packets(SECOND * 3, clock))]))

    assert attempt(session, clock).problem_code == SourceStalled.code

    assert sum(one.frames for one in segments(store, clock)) == 30
    assert session.status().cause is Cause.STALLED
    assert check(store) == []


def test_quirk_13_a_camera_that_plays_and_sends_no_picture(tmp_path: Path) -> None:
    """It answered everything: that is `no_media`, not `stalled` (reolinkproxy 24)."""
    clock = FakeClock()
    store = new_store(tmp_path, clock, "gate")
    session = session_of(store, clock, iter([Lingering(iter(()))]))

    assert attempt(session, clock).problem_code == SourceSilent.code

    assert session.status().cause is Cause.NO_MEDIA
