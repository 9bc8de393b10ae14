from recorder.capture.rtp.whole import Answer

def pictures_in(
    buffer: memoryview,
    at: int,
    end: int,
    is_h265: bool,
    channel: int,
    payload_type: int,
    ssrc: int,
    number: int,
    stamp: int,
    /,
) -> Answer: ...
