"""RTP to access units: pure depacketisers, one a payload format. They never raise: what a camera sends wrong is damage."""
