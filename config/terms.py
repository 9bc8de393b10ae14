"""Terms that settings and records share. Pure: nothing is imported that could do anything."""

from __future__ import annotations

from typing import Literal

TransportName = Literal["tcp", "udp", "multicast", "libav"]
"""How a camera's media comes: three ways over RTSP, or whatever libav makes of the URL."""

AudioName = Literal["off", "on"]
"""Whether a camera's sound is recorded: only where somebody asked for it (State Council order 799, article 8)."""
