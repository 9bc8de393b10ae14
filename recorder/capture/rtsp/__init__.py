"""The RTSP client: pure machines (messages, framing, SDP, authentication, the session), and a thin shell on asyncio."""
