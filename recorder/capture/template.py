"""An audio stream as libav describes one, from what a decoder must be told: for a muxer to copy.

PyAV makes streams for writing from an encoder, which would make up a configuration of its own, or after those of a
file. So a file is made: Matroska (RFC 9559), without a frame in it, whose description is the one that is wanted.
"""

from __future__ import annotations

import io
import struct

import av
from av.audio.stream import AudioStream
from av.container import InputContainer

from recorder.capture.source import AudioTrack
from recorder.store.records import AudioCodec

_EBML, _SEGMENT, _INFO, _TRACKS, _CLUSTER = 0x1A45DFA3, 0x18538067, 0x1549A966, 0x1654AE6B, 0x1F43B675
_DOC_TYPE, _TIMESTAMP = 0x4282, 0xE7
_ENTRY, _NUMBER, _UID, _TYPE, _CODEC, _PRIVATE = 0xAE, 0xD7, 0x73C5, 0x83, 0x86, 0x63A2
_AUDIO, _RATE, _CHANNELS = 0xE1, 0xB5, 0x9F
_TYPE_AUDIO = b"\x02"

_NAMES = {AudioCodec.AAC: b"A_AAC", AudioCodec.OPUS: b"A_OPUS", AudioCodec.FLAC: b"A_FLAC"}
_FLAC_HEAD = b"fLaC\x80\x00\x00\x22"
"""RFC 9559 wants STREAMINFO as at the beginning of a FLAC file: the only block, of 34 bytes."""


def open_template(track: AudioTrack) -> tuple[InputContainer, AudioStream]:
    """The stream, and the container to be closed once no more is made after it.

    Raises:
        av.error.FFmpegError: libav does not understand the description.
    """
    container = av.open(io.BytesIO(_file(track)), format="matroska")
    assert isinstance(container, InputContainer)
    return container, container.streams.audio[0]


def _file(track: AudioTrack) -> bytes:
    private = _FLAC_HEAD + track.config if track.codec is AudioCodec.FLAC else track.config
    sound = _element(_RATE, struct.pack(">d", track.rate_hz)) + _element(_CHANNELS, bytes((track.channels,)))
    entry = b"".join(
        (
            _element(_NUMBER, b"\x01"),
            _element(_UID, b"\x01"),
            _element(_TYPE, _TYPE_AUDIO),
            _element(_CODEC, _NAMES[track.codec]),
            _element(_PRIVATE, private),
            _element(_AUDIO, sound),
        )
    )
    body = _element(_INFO, b"") + _element(_TRACKS, _element(_ENTRY, entry))
    body += _element(_CLUSTER, _element(_TIMESTAMP, b"\x00"))  # where a reader stops to look for descriptions
    return _element(_EBML, _element(_DOC_TYPE, b"matroska")) + _element(_SEGMENT, body)


def _element(name: int, content: bytes) -> bytes:
    """Name, length in four bytes, content (RFC 8794)."""
    return name.to_bytes((name.bit_length() + 7) // 8, "big") + (1 << 28 | len(content)).to_bytes(4, "big") + content
