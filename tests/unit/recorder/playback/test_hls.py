"""HLS playlists over stored bytes."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from recorder.playback.hls import has_mixed_sound
from recorder.playback.hls import media_playlist as playlist_of
from recorder.store.records import AudioCodec, AudioFacts, CodecName, MediaState, Segment

FIRST = Segment(
    stream_id="gate.main", n=1, run=1, t0_us=1_772_323_200_000_000, t1_us=1_772_323_202_500_000, prev="", leaf_index=0,
    leaf_hash="", elapsed_us=0, volume="main", path="", bytes=10_000, init_bytes=900, init_sha256="", frames=1,
    codec=CodecName.H264, width=1, height=1, lost_packets=None, clock_offset_us=None, sha256="", recovered=False,
    state=MediaState.PRESENT,
)  # fmt: skip
SECOND = replace(FIRST, n=2, t0_us=FIRST.t1_us, t1_us=FIRST.t1_us + 2_000_000, bytes=8_000)
OTHER_RUN = replace(SECOND, n=4, run=4, t0_us=SECOND.t1_us + 60_000_000, t1_us=SECOND.t1_us + 61_000_000)


def uri(segment: Segment) -> str:
    return f"/s/{segment.n}"


def media_playlist(segments: Sequence[Segment], where: object) -> str:
    assert where is uri
    return playlist_of(segments, uri, lambda one, part: f"/s/{one.n}/{part}")


def test_a_run_has_one_map_and_an_entry_a_file() -> None:
    """Byte ranges behind the header boxes; the map is the beginning of the first file."""
    assert media_playlist([FIRST, SECOND], uri).splitlines() == [
        "#EXTM3U",
        "#EXT-X-VERSION:7",
        "#EXT-X-TARGETDURATION:3",
        "#EXT-X-MEDIA-SEQUENCE:0",
        "#EXT-X-PLAYLIST-TYPE:VOD",
        "#EXT-X-INDEPENDENT-SEGMENTS",
        '#EXT-X-MAP:URI="/s/1",BYTERANGE="900@0"',
        "#EXT-X-PROGRAM-DATE-TIME:2026-03-01T00:00:00.000Z",
        "#EXTINF:2.500000,",
        "#EXT-X-BYTERANGE:9100@900",
        "/s/1",
        "#EXT-X-PROGRAM-DATE-TIME:2026-03-01T00:00:02.500Z",
        "#EXTINF:2.000000,",
        "#EXT-X-BYTERANGE:7100@900",
        "/s/2",
        "#EXT-X-ENDLIST",
    ]


def test_another_run_is_a_discontinuity_with_a_map_of_its_own() -> None:
    """Its time line begins anew, and its parameter sets may differ (Moonfire 178)."""
    lines = media_playlist([FIRST, SECOND, OTHER_RUN], uri).splitlines()

    at = lines.index("#EXT-X-DISCONTINUITY")
    assert lines[at + 1] == '#EXT-X-MAP:URI="/s/4",BYTERANGE="900@0"'
    assert lines.count("#EXT-X-DISCONTINUITY") == 1


def test_discarded_media_is_left_out_and_leaves_a_discontinuity() -> None:
    """The player is told that time is missing; nothing is asked for that is not there."""
    third = replace(SECOND, n=3, t0_us=SECOND.t1_us, t1_us=SECOND.t1_us + 1_000_000)

    lines = media_playlist([FIRST, replace(SECOND, state=MediaState.GONE), third], uri).splitlines()

    assert "/s/2" not in lines
    assert "#EXT-X-DISCONTINUITY" in lines
    assert sum(line.startswith("#EXT-X-MAP") for line in lines) == 1


def test_nothing_recorded_is_an_empty_playlist() -> None:
    """It ends at once, and is no error."""
    assert media_playlist([], uri).endswith("#EXT-X-ENDLIST\n")


SOUND = AudioFacts(AudioCodec.AAC, 16_000, 1, 40)
HEARD, ALSO_HEARD = replace(FIRST, audio=SOUND), replace(SECOND, audio=SOUND)
EMPTY = replace(SECOND, audio=replace(SOUND, frames=0))


@pytest.mark.parametrize(
    ("segments", "mixed"),
    [
        ([], False),
        ([FIRST, SECOND], False),
        ([HEARD, ALSO_HEARD], False),
        ([HEARD, SECOND], True),
        ([FIRST, ALSO_HEARD], True),
        ([HEARD, EMPTY], True),
        ([EMPTY], True),
    ],
)
def test_sound_that_comes_or_goes(segments: list[Segment], mixed: bool) -> None:
    """Everywhere, or nowhere; a track in which nothing came is neither."""
    assert has_mixed_sound(segments) == mixed


def test_a_film_in_which_sound_begins_is_shown_without() -> None:
    """The pictures alone are asked for, of files without sound too: ranges and whole entries do not mix."""
    later = replace(OTHER_RUN, audio=SOUND)
    lines = media_playlist([FIRST, SECOND, later], uri).splitlines()

    assert [line for line in lines if not line.startswith(("#EXT-X-PROGRAM", "#EXTINF"))][6:] == [
        '#EXT-X-MAP:URI="/s/1/init"',
        "/s/1/fragments",
        "/s/2/fragments",
        "#EXT-X-DISCONTINUITY",
        '#EXT-X-MAP:URI="/s/4/init"',
        "/s/4/fragments",
        "#EXT-X-ENDLIST",
    ]


def test_a_film_with_sound_throughout_is_played_as_stored() -> None:
    """Ranges of its files, sound and all."""
    assert media_playlist([HEARD, ALSO_HEARD], uri) == media_playlist([FIRST, SECOND], uri)


def test_sound_that_was_discarded_does_not_count() -> None:
    """What is no longer here is not played."""
    gone = replace(HEARD, state=MediaState.GONE)
    assert media_playlist([gone, SECOND], uri) == media_playlist([SECOND], uri)
