"""HLS media playlists over stored bytes (RFC 8216). Pure.

Each stored segment is one entry: a byte range behind its header boxes. A run is one time line with one
initialisation section; where a run ends there is a discontinuity. Nothing is made anew: what plays is what is stored.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from config.times import format_us
from recorder.store.records import MediaState, Segment

VERSION = 7
"""EXT-X-MAP in a playlist of fragmented MP4 needs at least 6 (RFC 8216, 7); 7 is what players expect of it."""


def media_playlist(segments: Sequence[Segment], uri: Callable[[Segment], str]) -> str:
    """The playlist of the segments that are still here, in order; `uri` says where one's bytes are served."""
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
    before: Segment | None = None
    for one in present:
        lines += _entry(one, before, uri(one))
        before = one
    return "\n".join([*lines, "#EXT-X-ENDLIST", ""])


def _entry(one: Segment, before: Segment | None, uri: str) -> list[str]:
    lines: list[str] = []
    follows = before is not None and (before.stream_id, before.run) == (one.stream_id, one.run)
    if before is not None and not (follows and before.t1_us == one.t0_us):
        lines.append("#EXT-X-DISCONTINUITY")
    if not follows:
        lines.append(f'#EXT-X-MAP:URI="{uri}",BYTERANGE="{one.init_bytes}@0"')
    return [
        *lines,
        f"#EXT-X-PROGRAM-DATE-TIME:{format_us(one.t0_us)[:-4]}Z",
        f"#EXTINF:{one.duration_s:.6f},",
        f"#EXT-X-BYTERANGE:{one.bytes - one.init_bytes}@{one.init_bytes}",
        uri,
    ]
