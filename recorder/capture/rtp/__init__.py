"""RTP to access units: pure depacketisers, one a payload format. They never raise: bad payloads are damage."""
