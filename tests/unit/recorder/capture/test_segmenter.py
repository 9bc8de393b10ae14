"""The segmenter, on cameras drawn as strings (`tests.fakes.camera`)."""

import itertools
import math
import random
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.clock import Reading
from config.times import SECOND_US
from recorder.capture.nal import parameter_sets, unit_type, units
from recorder.capture.segmenter import (
    AUDIO_WAIT_US,
    AudioState,
    Command,
    CutSegment,
    EndRun,
    OpenSegment,
    Segmenter,
    StartRun,
    WriteAudio,
    WritePacket,
)
from recorder.capture.source import AudioTrack, Packet, Track
from recorder.capture.timeline import ticks_to_us
from recorder.causes import Cause
from recorder.store.records import AudioCodec, CodecName
from tests.fakes.camera import packets
from tests.fakes.clock import FakeClock
from tests.fakes.sound import Sound, beside

SPS, PPS = 7, 8
"""Types of NAL units (H.264, table 7-1)."""

SECOND = "I" + "P" * 9
"""Ten pictures a second, a key picture first."""


def run(drawing: str, *, segment_s: float = 2, not_before_us: int = 0) -> tuple[list[Packet], list[Command]]:
    machine = Segmenter(Track(CodecName.H264), round(segment_s * SECOND_US), not_before_us)
    sent = list(packets(drawing, FakeClock()))
    commands = [command for packet in sent for command in machine.feed(packet)]
    return sent, [*commands, *machine.stop(Cause.UNREACHABLE, "")]


def of(kind: type, commands: list[Command]) -> list:
    return [command for command in commands if isinstance(command, kind)]


def drawn(commands: list[Command]) -> str:
    """Commands as letters: a run opens ``(`` and closes ``)``, a segment is ``[…]``, a frame ``I`` or ``P``."""
    letters = {StartRun: "(", OpenSegment: "[", CutSegment: "]", EndRun: ")"}
    return "".join(
        letters.get(type(one)) or ("I" if one.is_key else "P")  # type: ignore[union-attr]
        for one in commands
    )


def test_nothing_is_stored_before_the_first_key_frame() -> None:
    """Pictures that cannot be decoded are dropped; from the key frame on all are kept."""
    _, commands = run("PPP" + SECOND)

    assert drawn(commands) == "([" + SECOND + "])"


def test_a_segment_is_cut_at_the_first_key_frame_past_its_length() -> None:
    """Two-second segments of a camera with a key frame a second hold two groups each."""
    _, commands = run(SECOND * 5)

    assert drawn(commands) == "([" + SECOND * 2 + "][" + SECOND * 2 + "][" + SECOND + "])"


def test_a_camera_without_key_frames_is_cut_at_twice_the_length() -> None:
    """Smart codecs may drop key frames for minutes: the cap keeps a segment from growing without end."""
    _, commands = run("I" + "P" * 79)

    assert drawn(commands) == "([I" + "P" * 39 + "][" + "P" * 40 + "])"


def test_decode_times_run_on_through_all_segments() -> None:
    """From 0, a step a frame, with no break at a cut; every duration fills up to the next frame."""
    _, commands = run(SECOND * 5)
    frames = of(WritePacket, commands)

    assert [frame.dts for frame in frames] == [n * 9000 for n in range(50)]
    assert all(one.dts + one.duration == next_.dts for one, next_ in itertools.pairwise(frames))


def test_preroll_replayed_at_connect_does_not_shift_the_record() -> None:
    """Five seconds of past pictures that arrive at once start the run five seconds ago."""
    clock = FakeClock()
    sent = list(packets(SECOND * 5, FakeClock()))
    burst = [Packet(one.data, one.dts, one.pts, one.is_key, clock.read()) for one in sent]
    clock.advance(1.1)
    late = Packet(sent[0].data, 50 * 9000 + 11 * 9000, None, True, clock.read())
    machine = Segmenter(Track(CodecName.H264), 60 * SECOND_US, 0)

    commands = [command for packet in [*burst, late] for command in machine.feed(packet)]

    start = of(StartRun, commands)[0]
    assert abs(start.t0_us - (FakeClock().utc_us - 5_000_000)) < 1_200_000


@pytest.mark.parametrize("known_s", [3, 3.4, 7.9])
def test_a_replay_of_what_the_record_has_is_left_out(known_s: float) -> None:
    """Eight seconds come again at connect, of which the record has the most: what follows is told when it was."""
    clock = FakeClock()
    now_us = clock.read().utc_us
    end_us = now_us - round((8 - known_s) * SECOND_US)
    past = [one._replace(arrived=clock.read()) for one in packets(SECOND * 8, FakeClock())]
    machine = Segmenter(Track(CodecName.H264), 2 * SECOND_US, end_us)
    later = list(packets(SECOND * 15, clock, first_dts=8 * 90_000))
    commands = [command for packet in [*past, *later] for command in machine.feed(packet)]
    commands += machine.stop(Cause.UNREACHABLE)

    start, last = of(StartRun, commands)[0], of(CutSegment, commands)[-1]
    assert start.t0_us == max(end_us, now_us + round(math.ceil(known_s - 8.5) * SECOND_US))
    assert abs(last.t1_us - clock.read().utc_us) <= 600_000
    assert [one.cause for one in of(EndRun, commands)] == [Cause.UNREACHABLE]
    assert machine.counts.dropped_before_key % 10 == 0


def live(seconds: int, clock: FakeClock, first_dts: int = 0, speed: float = 1.0) -> Iterator[Packet]:
    """A camera whose pictures come at another pace than they say."""
    for packet in packets(SECOND * seconds, FakeClock(), first_dts=first_dts):
        yield packet._replace(arrived=clock.read())
        clock.advance(0.1 / speed)


def test_what_was_made_since_we_connected_is_never_left_out() -> None:
    """Even where the record says that it reaches further; the first cut puts right what is told too late."""
    clock = FakeClock()
    past = [one._replace(arrived=clock.read()) for one in packets("I" + "P" * 29, FakeClock())]
    end_us = clock.read().utc_us + 1_500_000
    machine = Segmenter(Track(CodecName.H264), 2 * SECOND_US, end_us)
    commands = [command for packet in [*past, *live(9, clock, 3 * 90_000)] for command in machine.feed(packet)]
    commands += machine.stop(Cause.UNREACHABLE)

    assert of(StartRun, commands)[0].t0_us == end_us
    assert len(of(WritePacket, commands)) == 90
    assert machine.counts.dropped_before_key == 30
    assert abs(of(CutSegment, commands)[-1].t1_us - clock.read().utc_us) < 100_000


def test_a_replay_without_a_key_picture_near_the_records_end_is_kept() -> None:
    """Twice is better than never; and the first cut puts right what is told too late."""
    clock = FakeClock()
    past = [one._replace(arrived=clock.read()) for one in packets("I" + "P" * 79, FakeClock())]
    end_us = clock.read().utc_us - 2 * SECOND_US
    machine = Segmenter(Track(CodecName.H264), 2 * SECOND_US, end_us)
    later = ("P" * 20 + SECOND) * 4
    sent = [one._replace(dts=one.dts + 720_000, pts=one.pts + 720_000) for one in packets(later, clock)]
    commands = [command for packet in [*past, *sent] for command in machine.feed(packet)]
    commands += machine.stop(Cause.UNREACHABLE)

    assert of(StartRun, commands)[0].t0_us == end_us
    assert len(of(WritePacket, commands)) == 200
    assert abs(of(CutSegment, commands)[-1].t1_us - clock.read().utc_us) < 100_000


@pytest.mark.parametrize("ahead_s", [5, 600])
def test_a_record_that_ends_in_the_future_is_a_clock_that_was_set_back(ahead_s: int) -> None:
    """Since somebody looked where it ends: all that comes is stored, behind a gap that says so."""
    clock = FakeClock()
    machine = Segmenter(Track(CodecName.H264), 2 * SECOND_US, clock.read().utc_us + ahead_s * SECOND_US)
    begun_us = clock.read().utc_us
    commands = [command for packet in packets(SECOND * 5, clock) for command in machine.feed(packet)]

    assert isinstance(commands[0], EndRun)
    assert commands[0].cause is Cause.CLOCK_STEP
    assert of(StartRun, commands)[0].t0_us == begun_us
    assert len(of(WritePacket, commands)) == 49


@pytest.mark.parametrize(("speed", "gop"), [(2, 10), (1.3, 40), (4, 20)])
def test_a_replay_that_takes_its_time_loses_nothing(speed: float, gop: int) -> None:
    """Media comes faster than it was made for some seconds: nothing of it jumped, and the end is told right."""
    clock = FakeClock()
    fast = ("I" + "P" * (gop - 1)) * (160 // gop)
    sent = []
    for packet in packets(fast, FakeClock()):
        sent.append(packet._replace(arrived=clock.read()))
        clock.advance(0.1 / speed)
    sent += live(20, clock, 160 * 9000)
    machine = Segmenter(Track(CodecName.H264), 4 * SECOND_US, clock.read().utc_us - 90 * SECOND_US)
    commands = [command for packet in sent for command in machine.feed(packet)]
    commands += machine.stop(Cause.UNREACHABLE)

    assert len(of(WritePacket, commands)) == len(sent)
    assert [one.cause for one in of(EndRun, commands)] == [Cause.UNREACHABLE]
    assert abs(of(CutSegment, commands)[-1].t1_us - clock.read().utc_us) < 1_100_000


@pytest.mark.parametrize("speed", [0.8, 0.998, 1.002, 1.25])
def test_stamps_that_run_wrong_do_not_take_the_record_with_them(speed: float) -> None:
    """More than steering can follow is put right at a cut, and nothing is lost (MediaMTX 5550; OpenNVR 229)."""
    clock = FakeClock()
    machine = Segmenter(Track(CodecName.H264), 10 * SECOND_US, 0)
    sent = list(live(1200, clock, speed=speed))
    commands = [command for packet in sent for command in machine.feed(packet)]
    commands += machine.stop(Cause.UNREACHABLE)

    assert len(of(WritePacket, commands)) == len(sent)
    assert len(of(StartRun, commands)) == 1
    for opened, cut in zip(of(OpenSegment, commands), of(CutSegment, commands), strict=True):
        assert opened.t0_us < cut.t1_us
    cuts, opens = of(CutSegment, commands), of(OpenSegment, commands)
    assert [one.t1_us for one in cuts[:-1]] == [one.t0_us for one in opens[1:]]
    assert abs(of(CutSegment, commands)[-1].t1_us - clock.read().utc_us) < 8_000_000


@pytest.mark.parametrize("pause_s", [1, 3, 9])
def test_pictures_without_a_time_behind_a_pause(pause_s: int) -> None:
    """A pause is no measure for how long a picture lasts: nothing is told later than it came."""
    clock = FakeClock()
    sent = list(packets((SECOND + "IP?P?P?P?P?P?P?P?" + "G" * pause_s + "P?P?P?PPPP") * 3 + SECOND, clock))
    machine = Segmenter(Track(CodecName.H264), 2 * SECOND_US, 0)
    commands = [command for packet in sent for command in machine.feed(packet)]
    commands += machine.stop(Cause.UNREACHABLE)

    assert len(of(WritePacket, commands)) == len(sent)
    assert abs(of(CutSegment, commands)[-1].t1_us - clock.read().utc_us) < 1_100_000


@pytest.mark.parametrize("pause_s", [2, 5, 9])
def test_a_last_picture_behind_a_pause_lasts_as_long_as_usual(pause_s: int) -> None:
    """It would put the record's end into the future, by as much as the pause was."""
    clock = FakeClock()
    sent = list(packets(SECOND * 2 + "G" * pause_s + "P", clock))
    machine = Segmenter(Track(CodecName.H264), 60 * SECOND_US, 0)
    commands = [command for packet in sent for command in machine.feed(packet)]
    commands += machine.stop(Cause.UNREACHABLE)

    assert of(CutSegment, commands)[-1].t1_us <= clock.read().utc_us


def test_a_run_never_starts_before_the_record_ends() -> None:
    """What is already told is not told twice."""
    limit = FakeClock().utc_us + 500_000

    _, commands = run(SECOND * 3, not_before_us=limit)

    assert of(StartRun, commands)[0].t0_us == limit


def test_a_repeated_time_stamp_is_nudged_and_the_frame_kept() -> None:
    """Equal decode times make muxers fail: one tick more, and nothing is lost."""
    sent, commands = run("IPP=PP" + SECOND * 2)

    frames = of(WritePacket, commands)
    assert len(frames) == len(sent)
    assert all(one.dts < next_.dts for one, next_ in itertools.pairwise(frames))


def test_a_missing_time_stamp_is_invented() -> None:
    """A frame without one follows the one before by the usual distance."""
    sent, commands = run("IPP?PPP" + SECOND)

    frames = of(WritePacket, commands)
    assert [frame.dts for frame in frames[:7]] == [n * 9000 for n in range(7)]
    assert len(frames) == len(sent)


def test_a_jump_ahead_ends_the_run_and_loses_no_key_frame() -> None:
    """An hour's jump makes a new run with the cause `timestamp_jump`; every frame is kept."""
    sent, commands = run(SECOND * 2 + "J" + SECOND * 2)

    assert [end.cause for end in of(EndRun, commands)] == [Cause.TIMESTAMP_JUMP, Cause.UNREACHABLE]
    assert len(of(WritePacket, commands)) == len(sent)


@pytest.mark.parametrize("seconds", [1.5, 9])
def test_a_small_jump_ahead_is_put_right_at_the_next_key_picture(seconds: float) -> None:
    """No picture arrives before it was made: what follows would be told later than it was, for hours."""
    clock = FakeClock()
    sent = list(packets(SECOND * 10, clock))
    ahead = round(seconds * 90_000)
    jumped = [one._replace(dts=one.dts + ahead, pts=one.pts + ahead) if n >= 52 else one for n, one in enumerate(sent)]
    machine = Segmenter(Track(CodecName.H264), 60 * SECOND_US, 0)
    commands = [command for packet in jumped for command in machine.feed(packet)]
    commands += machine.stop(Cause.UNREACHABLE)

    assert [end.cause for end in of(EndRun, commands)] == [Cause.UNREACHABLE]
    assert len(of(WritePacket, commands)) == len(sent)
    begun_us = FakeClock().utc_us
    assert [round((cut.t1_us - begun_us) / 1e6, 1) for cut in of(CutSegment, commands)] == [6.0, 10.0]


def test_other_parameter_sets_and_a_small_jump_at_once() -> None:
    """The new run begins when its first picture came, not when that says that it was made."""
    clock = FakeClock()
    sent = list(packets(SECOND * 3 + "S" + SECOND * 3, clock))
    jumped = [
        one._replace(dts=one.dts + 450_000, pts=one.pts + 450_000) if n >= 30 else one for n, one in enumerate(sent)
    ]
    machine = Segmenter(Track(CodecName.H264), 60 * SECOND_US, 0)
    commands = [command for packet in jumped for command in machine.feed(packet)]
    commands += machine.stop(Cause.UNREACHABLE)

    begun_us = FakeClock().utc_us
    assert [round((cut.t1_us - begun_us) / 1e6, 1) for cut in of(CutSegment, commands)] == [3.0, 6.0]
    assert [end.cause for end in of(EndRun, commands)] == [None, Cause.UNREACHABLE]
    assert len(of(WritePacket, commands)) == len(sent)


def test_a_jump_back_waits_for_the_next_key_frame() -> None:
    """After a jump in the middle of a group the rest of it cannot be decoded and is dropped."""
    _, commands = run(SECOND * 2 + "B" + "PPP" + SECOND * 2)

    assert drawn(commands) == "([" + SECOND * 2 + "])([" + SECOND * 2 + "])"


def test_other_parameter_sets_begin_a_new_run_at_that_very_instant() -> None:
    """One file has one sample description: a new size is a new run, and nothing lies between."""
    sent, commands = run(SECOND * 2 + "S" + SECOND * 2)

    ends, starts, cuts = of(EndRun, commands), of(StartRun, commands), of(CutSegment, commands)
    assert ends[0].cause is None
    assert starts[1].t0_us == cuts[0].t1_us
    assert len(of(WritePacket, commands)) == len(sent)


def test_repeated_parameter_sets_change_nothing() -> None:
    """Sets before every key frame are what most cameras send."""
    _, commands = run(SECOND * 6, segment_s=60)

    assert len(of(StartRun, commands)) == 1


def without(packet: Packet, unit_type_lost: int) -> Packet:
    """A picture of which the packets with that kind of unit were lost."""
    left = (unit for unit in units(packet.data) if unit_type(unit, CodecName.H264) != unit_type_lost)
    return packet._replace(data=b"".join(b"\0\0\0\1" + unit for unit in left))


@pytest.mark.parametrize("lost", [SPS, PPS])
def test_a_parameter_set_is_lost_on_the_way(lost: int) -> None:
    """What the key picture brings of its sets is no other than before: the run goes on."""
    machine = Segmenter(Track(CodecName.H264), 10 * SECOND_US, 0)
    sent = list(packets(SECOND * 3, FakeClock()))
    sent[10] = without(sent[10], lost)
    commands = [command for packet in sent for command in machine.feed(packet)]

    assert len(of(StartRun, commands)) == 1
    assert not of(EndRun, commands)


@pytest.mark.parametrize("lost", [SPS, PPS])
def test_a_run_begins_with_a_set_missing(lost: int) -> None:
    """Behind a jump of time stamps, what the picture lacks is taken from the run before."""
    machine = Segmenter(Track(CodecName.H264), 10 * SECOND_US, 0)
    sent = list(packets(SECOND + "J" + SECOND, FakeClock()))
    sent[10] = without(sent[10], lost)
    commands = [command for packet in sent for command in machine.feed(packet)] + list(machine.stop(None))

    first, second = of(StartRun, commands)
    assert parameter_sets(second.sample, CodecName.H264) == parameter_sets(first.sample, CodecName.H264)


def test_a_clock_set_during_a_run_ends_it() -> None:
    """The wall clock steps an hour back: the run ends with `clock_step`, the next starts an hour earlier (Moonfire 9;
    ex_nvr 404)."""
    clock = FakeClock()
    machine = Segmenter(Track(CodecName.H264), 2 * SECOND_US, 0)
    commands = [command for packet in packets(SECOND * 3, clock) for command in machine.feed(packet)]
    clock.set_wall("2026-02-28T23:00:00Z")
    for packet in packets(SECOND * 3, clock, first_dts=30 * 9000):
        commands += machine.feed(packet)

    assert [end.cause for end in of(EndRun, commands)] == [Cause.CLOCK_STEP]
    first, second = of(StartRun, commands)
    assert second.t0_us < first.t0_us


def test_a_stream_cut_off_within_its_first_second_is_kept() -> None:
    """What was held back to settle the start is written when the stream ends."""
    sent, commands = run("IPPP")

    assert drawn(commands) == "([IPPP])"
    assert len(sent) == 4


TONE = Sound(AudioTrack(AudioCodec.FLAC, 8000, 1, b""), [bytes((n % 256, n // 256)) for n in range(3000)], 160)


def heard(
    drawing: str, when: Callable[[float], bool] = lambda at_s: True, *, segment_s: float = 2
) -> tuple[Segmenter, list[Command]]:
    """With sound, at the seconds that `when` says."""
    machine = Segmenter(Track(CodecName.H264, audio=TONE.track), round(segment_s * SECOND_US), 0)
    sent = beside(packets(drawing, FakeClock(), first_dts=7 * 90_000), TONE, when)
    return machine, [command for packet in sent for command in machine.feed(packet)]


def with_sound(commands: list[Command]) -> str:
    """A run with sound opens ``{``, one without ``(``; a segment is ``#`` with sound, ``-`` without."""
    drawing = ""
    for one in commands:
        if isinstance(one, StartRun):
            drawing += "(" if one.audio is None else "{"
        elif isinstance(one, OpenSegment):
            drawing += "-"
        elif isinstance(one, WriteAudio):
            drawing = drawing[:-1] + "#"
    return drawing


def test_sound_is_stored_from_the_runs_start_on() -> None:
    """Every frame once, in order, without a seam; and the pictures are those that there would be without it."""
    machine, commands = heard(SECOND * 6)
    _, without = run(SECOND * 6)

    sounds = of(WriteAudio, commands)
    assert [one.at for one in sounds] == [n * 160 for n in range(len(sounds))]
    assert [one.data for one in sounds] == TONE.frames[: len(sounds)]
    assert len(sounds) >= 5.8 * 50
    pictures = [one.data for one in of(WritePacket, commands)]
    assert pictures == [one.data for one in of(WritePacket, without)][: len(pictures)]
    assert with_sound(commands) == "{###"
    assert machine.audio_state is AudioState.RECORDED


def test_quirk_16_sound_that_was_announced_and_never_comes() -> None:
    """Three seconds are waited for it, once; then all pictures are stored, without it."""
    machine, commands = heard("", lambda at_s: False)
    sent, begun_s = 0, 0.0
    for packet in beside(packets(SECOND * 5, FakeClock()), TONE, lambda at_s: False):
        assert machine.audio_state is AudioState.AWAITED or commands
        sent += 1
        commands += machine.feed(packet)
        begun_s = begun_s or (sent / 10 if commands else 0.0)

    assert begun_s == AUDIO_WAIT_US / SECOND_US + 0.1
    assert machine.audio_state is AudioState.SILENT
    commands += machine.stop(Cause.UNREACHABLE)
    assert len(of(WritePacket, commands)) == sent
    assert with_sound(commands) == "(---"


def test_sound_is_waited_for_once_a_session() -> None:
    """A jump of the camera's time stamps begins a new run: that one is settled within the usual second."""
    _, commands = heard(SECOND * 5 + "J" + SECOND + "I", lambda at_s: False)

    assert len(of(StartRun, commands)) == 2


def test_sound_that_comes_late_begins_a_run_at_the_next_cut() -> None:
    """At that very instant: nothing lies between, and no picture is lost."""
    machine, commands = heard(SECOND * 10, lambda at_s: at_s > 4.5)
    commands += machine.stop(Cause.UNREACHABLE)

    assert with_sound(commands) == "(---{##"
    cuts, starts = of(CutSegment, commands), of(StartRun, commands)
    assert starts[1].t0_us == cuts[2].t1_us
    assert [end.cause for end in of(EndRun, commands)] == [None, Cause.UNREACHABLE]
    assert len(of(WritePacket, commands)) == 100
    assert of(WriteAudio, commands)[0].at < 160
    assert sum(cut.audio_lost or 0 for cut in cuts) == machine.counts.audio_dropped > 0


def test_sound_that_falls_silent_ends_no_segment() -> None:
    """The segment that is on goes on; the next that is due after a second and a half begins a run without."""
    machine, commands = heard(SECOND * 12, lambda at_s: at_s < 4.1)
    commands += machine.stop(Cause.UNREACHABLE)

    assert with_sound(commands) == "{###(---"
    assert [ticks_to_us(end - start) for start, end in _lengths(commands)] == [2_000_000] * 6
    assert len(of(WritePacket, commands)) == 120


def test_sound_that_pauses_between_cuts_changes_nothing() -> None:
    """It is heard when the segment is due."""
    _, commands = heard(SECOND * 16, lambda at_s: at_s % 4 > 1.8, segment_s=4)

    assert with_sound(commands) == "{####"


def test_other_parameter_sets_keep_the_sound() -> None:
    """The new run begins at once, with sound, for it has just been heard."""
    _, commands = heard(SECOND * 3 + "S" + SECOND * 3)

    assert with_sound(commands) == "{##{##"
    stored = [one.data for one in of(WriteAudio, commands)]
    assert stored == TONE.frames[: len(stored)]
    assert sum(cut.audio_lost or 0 for cut in of(CutSegment, commands)) == 0


def test_a_camera_without_key_frames_keeps_its_run() -> None:
    """A run begins with a key picture only: so sound that came late waits for one."""
    machine, commands = heard("I" + "P" * 99, lambda at_s: at_s > 4.5)

    assert with_sound(commands) == "(---"
    assert machine.audio_state is AudioState.AWAITED


def test_sound_that_nobody_announced_is_none() -> None:
    """A source that was not asked for sound, and hands some out, is not believed."""
    machine = Segmenter(Track(CodecName.H264), 2 * SECOND_US, 0)
    commands = [
        command for packet in beside(packets(SECOND * 3, FakeClock()), TONE) for command in machine.feed(packet)
    ]

    assert of(WriteAudio, commands) == []
    assert machine.audio_state is AudioState.NONE


def _lengths(commands: list[Command]) -> list[tuple[int, int]]:
    """Decode time of the first frame of each segment, and the end of its last."""
    found: list[list[WritePacket]] = []
    for one in commands:
        if isinstance(one, OpenSegment):
            found.append([])
        elif isinstance(one, WritePacket):
            found[-1].append(one)
    return [(frames[0].dts, frames[-1].dts + frames[-1].duration) for frames in found]


LETTERS = st.lists(st.sampled_from("IPPPPPGJBS=?"), max_size=120).map(
    lambda letters: "".join(one for n, one in enumerate(letters) if one != "S" or "S" not in letters[:n])
)


@given(LETTERS)
def test_every_frame_from_a_key_frame_on_is_stored_once_in_order(drawing: str) -> None:
    """Whatever a camera does: no frame twice, none out of order, none lost but those that wait for a key frame."""
    sent, commands = run(drawing)

    stored = [frame.data for frame in of(WritePacket, commands)]
    machine = Segmenter(Track(CodecName.H264), 2 * SECOND_US, 0)
    for packet in sent:
        list(machine.feed(packet))
    list(machine.stop(Cause.UNREACHABLE))
    assert len(stored) == len(sent) - machine.counts.dropped_before_key
    remaining = iter(packet.data for packet in sent)
    assert all(any(data == other for other in remaining) for data in stored)


@given(LETTERS, st.lists(st.booleans(), min_size=1, max_size=40))
def test_pictures_are_the_same_with_sound_and_without(drawing: str, heard_at: list[bool]) -> None:
    """Whatever a camera does with its sound: every picture is stored that would be without, with the same time."""
    sent, commands = run(drawing)
    machine = Segmenter(Track(CodecName.H264, audio=TONE.track), 2 * SECOND_US, 0)
    with_it = [
        command
        for packet in beside(sent, TONE, lambda at_s: heard_at[int(at_s * 4) % len(heard_at)])
        for command in machine.feed(packet)
    ]
    with_it += machine.stop(Cause.UNREACHABLE)

    assert [one.data for one in of(WritePacket, with_it)] == [one.data for one in of(WritePacket, commands)]
    ends = [end.cause for end in of(EndRun, with_it) if end.cause is not None]
    assert ends == [end.cause for end in of(EndRun, commands) if end.cause is not None]


@given(LETTERS)
def test_segments_of_a_run_tile_it(drawing: str) -> None:
    """Each segment starts where the one before ended; times rise; brackets match; caps hold (lightNVR 156; OpenNVR
    229)."""
    _, commands = run(drawing)
    end, opened = None, 0
    for command in commands:
        if isinstance(command, StartRun):
            assert end is None or command.t0_us >= end
            end = command.t0_us
        elif isinstance(command, OpenSegment):
            assert command.t0_us == end
            opened += 1
        elif isinstance(command, CutSegment):
            assert command.t1_us > (end or 0)
            end = command.t1_us
            opened -= 1
        assert opened in (0, 1)
    for run_frames in _runs(commands):
        assert all(one.dts < next_.dts for one, next_ in itertools.pairwise(run_frames))
        assert all(ticks_to_us(frame.duration) <= 11_000_000 for frame in run_frames)


def _runs(commands: list[Command]) -> list[list[WritePacket]]:
    runs: list[list[WritePacket]] = []
    for command in commands:
        if isinstance(command, StartRun):
            runs.append([])
        elif isinstance(command, WritePacket):
            runs[-1].append(command)
    return runs


class Careful(Segmenter):
    """Looks at every picture closely."""

    def _go_on(self, packet: Packet) -> tuple[Command, ...]:
        return ()


def spoilt(sent: list[Packet], chance: random.Random) -> list[Packet]:
    """Pictures without times, times that stand still, jump or swap, and a box whose clock is set."""
    found, set_us = [], 0
    for packet in sent:
        dts, kind = packet.dts, chance.randrange(60)
        if kind == 0:
            dts = None
        elif kind == 1 and dts is not None:
            dts += chance.choice((-200_000, -20_000, -9_000, 20_000, 2_000_000))
        elif kind == 2:
            set_us += chance.choice((-3, 1, 400)) * SECOND_US // 2
        pts = None if kind == 3 or dts is None else dts + chance.choice((0, 0, 9_000, -9_000))
        arrived = packet.arrived._replace(utc_us=packet.arrived.utc_us + set_us)
        lost = chance.choice((None, 0, 2)) if kind == 4 else packet.lost_packets
        is_key = packet.is_key and kind != 5
        found.append(packet._replace(dts=dts, pts=pts, arrived=arrived, lost_packets=lost, is_key=is_key))
    return found


@settings(max_examples=150)
@given(st.integers(0, 2**32), st.sampled_from([SECOND, "I" + "P" * 40, "IPPP"]), st.sampled_from([0.3, 1, 2]))
def test_the_short_way_decides_as_the_long_one(seed: int, group: str, segment_s: float) -> None:
    """Nearly all pictures go it: whatever the camera sends, the commands are the same."""
    chance = random.Random(seed)
    sent = spoilt(list(packets(group * 8, FakeClock())), chance)
    outcomes = []
    for kind in (Segmenter, Careful):
        machine = kind(Track(CodecName.H264), round(segment_s * SECOND_US), 0)
        commands = [command for packet in sent for command in machine.feed(packet)]
        outcomes.append(([*commands, *machine.stop(Cause.UNREACHABLE, "")], machine.counts))

    assert outcomes[0] == outcomes[1]
    assert any(isinstance(one, WritePacket) for one in outcomes[0][0])


def test_a_jump_of_pictures_without_decode_times() -> None:
    """What is told is when they are shown; where that jumps the run ends, as with decode times."""
    sent = [one._replace(dts=None) for one in packets(SECOND * 4, FakeClock())]
    jumped = [*sent[:20], *(one._replace(pts=(one.pts or 0) + 2**33) for one in sent[20:])]
    machine = Segmenter(Track(CodecName.H264), 60 * SECOND_US, 0)
    commands = [command for packet in jumped for command in machine.feed(packet)]
    commands += machine.stop(Cause.UNREACHABLE, "")

    assert [one.cause for one in of(EndRun, commands)] == [Cause.TIMESTAMP_JUMP, Cause.UNREACHABLE]
    assert len(of(WritePacket, commands)) == 40


@pytest.mark.parametrize("later", [-5_000, 2**33, 11 * 90_000])
def test_a_picture_that_is_never_shown(later: int) -> None:
    """Before it is decoded, or long after: a file has no room for that, and it is no order of pictures."""
    sent = list(packets(SECOND * 2, FakeClock()))
    sent[12] = sent[12]._replace(pts=(sent[12].dts or 0) + later)
    machine = Segmenter(Track(CodecName.H264), 60 * SECOND_US, 0)
    commands = [command for packet in sent for command in machine.feed(packet)]

    assert all(one.pts == one.dts for one in of(WritePacket, commands))


def wild(seed: int) -> Iterator[Packet]:
    """A camera whose stamps jump and creep, whose pictures wait and come at once, beside a clock that is set."""
    chance, clock, ahead = random.Random(seed), FakeClock(), 0
    pace = chance.choice([0.8, 0.998, 1, 1, 1, 1.002, 1.3])
    drawing = "".join(
        chance.choice(["I" + "P" * 4, "I" + "P" * 9, "IP?P=PG", "SI" if n == 7 else "IPP"]) for n in range(25)
    )
    replayed, waits_until_us = chance.choice([0, 0, 30, 80]), 0
    for number, packet in enumerate(packets(drawing, FakeClock())):
        if chance.random() < 0.02:
            ahead += round(chance.choice([0.9, 1.1, 5, 9, 11, -0.5, -1.5, -5, 3600]) * 90_000)
        if chance.random() < 0.01:
            clock.utc_us += round(chance.choice([-3600, -2, -0.6, 0.6, 2, 3600]) * SECOND_US)
        if chance.random() < 0.01:
            waits_until_us = clock.mono_us + round(chance.choice([0.5, 2, 5]) * SECOND_US)
        came = clock.read()
        if came.mono_us < waits_until_us:
            came = Reading(came.utc_us + waits_until_us - came.mono_us, waits_until_us)
        stamps = [None if one is None else one + ahead for one in (packet.dts, packet.pts)]
        yield packet._replace(data=packet.data + b"%06d" % number, dts=stamps[0], pts=stamps[1], arrived=came)
        if number >= replayed:
            clock.advance(0.1 / pace)


@pytest.mark.parametrize("known_s", [-1000, -3, 0, 1.5])
@pytest.mark.parametrize("seed", range(75))
def test_whatever_stamps_and_clocks_do(seed: int, known_s: float) -> None:
    """Pictures are stored once and in order, items tile the time, a run starts before the record's end behind a set
    clock alone, and the record never ends seconds after what came last."""
    sent = list(wild(seed))
    end_us = FakeClock().utc_us + round(known_s * SECOND_US)
    machine = Segmenter(Track(CodecName.H264), 2 * SECOND_US, end_us)
    cause, numbers = Cause.NO_MEDIA, [-1]
    for packet in [*sent, None]:
        commands = machine.stop(Cause.UNREACHABLE) if packet is None else machine.feed(packet)
        for one in commands:
            if isinstance(one, StartRun):
                assert one.t0_us >= end_us or cause is Cause.CLOCK_STEP
                end_us = one.t0_us
            elif isinstance(one, OpenSegment):
                assert one.t0_us == end_us
            elif isinstance(one, WritePacket):
                numbers.append(int(one.data[-6:]))
                assert numbers[-1] > numbers[-2]
                assert one.duration > 0
            elif isinstance(one, CutSegment):
                assert one.t1_us > end_us
                end_us = one.t1_us
            elif isinstance(one, EndRun) and one.cause is not None:
                cause = one.cause
    # A clock that was set back at last leaves a record that ends by what it said before.
    assert end_us <= max(one.arrived.utc_us for one in sent[-40:]) + 2_100_000
