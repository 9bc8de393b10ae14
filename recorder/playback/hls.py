"""HLS media playlists over stored bytes (RFC 8216). Pure.

Each stored segment is one entry: a byte range behind its header boxes. A run is one time line with one
initialisation section; where a run ends there is a discontinuity. Nothing is made anew, but for
the next sentence: what plays is what is stored.

Where some of the segments have sound and others have none, the film is shown without: Chromium gives up a film in which
sound begins, and stands still where a track is described and nothing comes (ADR 10). All of it is then made for the
film, for ffmpeg loses pictures where an entry without a byte range follows one that has one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from config.times import format_us
from recorder.store.records import MediaState, Segment

VERSION = 7
"""EXT-X-MAP in a playlist of fragmented MP4 needs at least 6 (RFC 8216, 7); 7 is what players expect of it."""


def media_playlist(
    segments: Sequence[Segment], uri: Callable[[Segment], str], pictures: Callable[[Segment, str], str]
) -> str:
    """The playlist of the segments that are still here, in order.

    Args:
        segments: what the film consists of.
        uri: where the bytes of one are served.
        pictures: where its pictures are without sound: their `init`, and their `fragments`.
    """
    present = [one for one in segments if one.state is MediaState.PRESENT]
    longest_s = max((one.duration_s for one in present), default=1.0)
    lines = [
        "#EXTM3U",
        f"#EXT-X-VERSION:{VERSION}",
        # 4.3.3.1: no entry, rounded to the nearest second, may be longer.
        f"#EXT-X-TARGETDURATION:{max(1, math.ceil(longest_s))}",
        "#EXT-X-MEDIA-SEQUENCE:0",
        "#EXT-X-PLAYLIST-TYPE:VOD",
        "#EXT-X-INDEPENDENT-SEGMENTS",
    ]
    mixed = has_mixed_sound(present)
    before: Segment | None = None
    for one in present:
        lines += _beginning(one, before)
        if mixed:
            lines += _without_sound(one, before, pictures)
        else:
            lines += _as_stored(one, before, uri(one))
        before = one
    return "\n".join([*lines, "#EXT-X-ENDLIST", ""])


def has_mixed_sound(segments: Sequence[Segment]) -> bool:
    """Whether sound comes or goes: some files have a track of it and others none, or one in which nothing came."""
    return len({one.audio is not None for one in segments}) > 1 or any(
        one.audio is not None and not one.audio.frames for one in segments
    )


def _follows(one: Segment, before: Segment | None) -> bool:
    return before is not None and (before.stream_id, before.run) == (one.stream_id, one.run)


def _beginning(one: Segment, before: Segment | None) -> list[str]:
    """What is told before a segment of how it goes on."""
    if before is not None and not (_follows(one, before) and before.t1_us == one.t0_us):
        return ["#EXT-X-DISCONTINUITY"]
    return []


def _length(one: Segment) -> list[str]:
    return [f"#EXT-X-PROGRAM-DATE-TIME:{format_us(one.t0_us)[:-4]}Z", f"#EXTINF:{one.duration_s:.6f},"]


def _as_stored(one: Segment, before: Segment | None, uri: str) -> list[str]:
    """A byte range of the file."""
    lines = [] if _follows(one, before) else [f'#EXT-X-MAP:URI="{uri}",BYTERANGE="{one.init_bytes}@0"']
    return [*lines, *_length(one), f"#EXT-X-BYTERANGE:{one.bytes - one.init_bytes}@{one.init_bytes}", uri]


def _without_sound(one: Segment, before: Segment | None, pictures: Callable[[Segment, str], str]) -> list[str]:
    """What is made of the file for this film."""
    lines = [] if _follows(one, before) else [f'#EXT-X-MAP:URI="{pictures(one, "init")}"']
    return [*lines, *_length(one), pictures(one, "fragments")]
