"""config.logs: no line carries a secret, whoever writes it."""

from __future__ import annotations

import io
import json
import logging
import threading
import warnings
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from config import logs
from config.logs import redact, redact_event, register_secret
from tests.fakes.clock import FakeClock

PLANTED = "Tr0ub4dor&3 \\ \"q'"


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """Logging set up as JSON into a buffer, and as it was afterwards."""
    before = logging.root.handlers[:], logging.root.level, threading.excepthook
    out = io.StringIO()
    logs.configure(as_json=True, level="DEBUG", stream=out, clock=FakeClock("2026-11-24T08:00:00Z"))
    yield out
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()
    logging.root.handlers[:], threading.excepthook = before[0], before[2]
    logging.root.setLevel(before[1])


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("open rtsp://admin:hunter22@10.0.0.5:554/live failed", "open rtsp://***@10.0.0.5:554/live failed"),
        ("rtsp://admin@cam/live", "rtsp://***@cam/live"),
        ("rtsp://admin:p@ss@cam/live", "rtsp://***@cam/live"),
        ("rtsp://admin:pa/ss@cam/live", "rtsp://***@cam/live"),
        ("rtsp://:onlypass@[fe80::1]:554/x", "rtsp://***@[fe80::1]:554/x"),
        ("'rtsp://a:b@h/x' and rtsps://c:d@i/y", "'rtsp://***@h/x' and rtsps://***@i/y"),
        ("http://cam/view?user=admin&password=hunter22&channel=1", "http://cam/view?user=admin&password=***&channel=1"),
        ("Authorization: Bearer abcdef123456", "Authorization: Bearer ***"),
        ("Authorization: Basic YWRtaW46aHVudGVyMjI=", "Authorization: Basic ***"),
    ],
)
def test_secret_stands_in_text(written: str, shown: str) -> None:
    """User names and passwords in URLs, and values named like secrets, are hidden; the rest stays readable."""
    assert redact(written) == shown


@pytest.mark.parametrize(
    "text",
    [
        "rtsp://10.0.0.5:554/live",
        "rtsp://cam:554/path@with-at",
        "http://[::1]:8080/a@b",
        "mail someone@example.org",
        "a basic fact",
    ],
)
def test_text_without_secret(text: str) -> None:
    """Text that holds no secret is left as it is."""
    assert redact(text) == text


@given(
    user=st.text(st.characters(exclude_categories=("Z", "C"), exclude_characters="\"'<>/?#:@"), min_size=1),
    password=st.text(st.characters(exclude_categories=("Z", "C"), exclude_characters="\"'<>/?#"), min_size=1),
)
def test_any_userinfo(user: str, password: str) -> None:
    """No user name and no password of any characters survives in the URL that carries it."""
    assert redact(f"before rtsp://{user}:{password}@camera.example:554/live after") == (
        "before rtsp://***@camera.example:554/live after"
    )


@given(st.text())
def test_redacting_twice(text: str) -> None:
    """Text that was redacted once is not changed by redacting it again."""
    assert redact(redact(text)) == redact(text)


def test_secret_registered() -> None:
    """A registered secret is hidden as such, percent-encoded, and as Python or JSON quote it."""
    register_secret(PLANTED)
    for form in (PLANTED, "Tr0ub4dor%263%20%5C%20%22q%27", repr(PLANTED), json.dumps(PLANTED)):
        assert "Tr0ub4dor" not in redact(f"the form {form} in a sentence")


def test_short_secret_registered() -> None:
    """A short secret is hidden where it stands as a word, and spares longer words that contain it."""
    register_secret("q7z")
    assert redact("pass q7z, port q7zz") == "pass ***, port q7zz"


def test_empty_secret_registered() -> None:
    """An empty password hides nothing, rather than everything."""
    register_secret("")
    register_secret("  ")
    assert redact("a  b") == "a  b"


def test_secret_in_nested_value() -> None:
    """Keys, lists, mappings, bytes, errors and foreign objects are all searched."""
    url = "rtsp://admin:hunter22@cam/x"
    event = {"event": "x", "deep": [{"k": (url, {url})}], url: 1, "raw": url.encode(), "err": ValueError(url)}
    assert "hunter22" not in repr(redact_event(None, "info", event))


def test_value_contains_itself() -> None:
    """A value that contains itself ends in text instead of running for ever."""
    ring: list[object] = ["rtsp://admin:hunter22@cam/x"]
    ring.append(ring)
    assert "hunter22" not in repr(redact_event(None, "info", {"event": "x", "ring": ring}))


def test_line_is_written(lines: io.StringIO) -> None:
    """A line is one JSON object with its instant, level, logger and fields."""
    structlog.get_logger("custos.x").info("sealed", segment="gate-3", bytes=10)
    assert json.loads(lines.getvalue()) == {
        "at": "2026-11-24T08:00:00.000000Z",
        "bytes": 10,
        "event": "sealed",
        "level": "info",
        "logger": "custos.x",
        "segment": "gate-3",
    }


def test_error_is_logged_with_traceback(lines: io.StringIO) -> None:
    """Secrets in an error's text, its cause and its traceback are hidden too."""
    try:
        try:
            raise OSError("cannot open rtsp://admin:hunter22@cam/x")
        except OSError as err:
            raise RuntimeError("gave up on http://u:hunter22@cam/y") from err
    except RuntimeError:
        structlog.get_logger("custos.x").exception("camera failed")
    assert "gave up on http://***@cam/y" in json.loads(lines.getvalue())["exception"]
    assert "hunter22" not in lines.getvalue()


def test_library_logs(lines: io.StringIO) -> None:
    """Lines of libraries pass through the same chain, even when the library hung up its own handler."""
    library = logging.getLogger("uvicorn.error")
    library.addHandler(logging.StreamHandler(lines))
    library.propagate = False
    logs.configure(as_json=True, level="INFO", stream=lines, clock=FakeClock("2026-11-24T08:00:00Z"))
    library.warning("trouble with %s", "rtsp://admin:hunter22@cam/x")
    written = lines.getvalue().splitlines()
    assert [json.loads(line)["event"] for line in written] == ["trouble with rtsp://***@cam/x"]


def test_level_is_below(lines: io.StringIO) -> None:
    """Lines below the level are not written."""
    logs.configure(as_json=True, level="WARNING", stream=lines)
    structlog.get_logger("custos.x").info("not this")
    structlog.get_logger("custos.x").warning("this")
    assert [json.loads(line)["event"] for line in lines.getvalue().splitlines()] == ["this"]


def test_thread_dies(lines: io.StringIO) -> None:
    """A thread's uncaught error is one line of the log, without its secrets."""

    def die() -> None:
        raise OSError("rtsp://admin:hunter22@cam/x")

    thread = threading.Thread(target=die, name="camera gate")
    thread.start()
    thread.join()
    line = json.loads(lines.getvalue())
    assert (line["event"], line["thread"], line["level"]) == ("thread died", "camera gate", "critical")
    assert "hunter22" not in lines.getvalue()


def test_warning_is_given(lines: io.StringIO) -> None:
    """Python's warnings are lines of the log and pass the redaction."""
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=False)
        logging.captureWarnings(capture=True)
        warnings.warn("old rtsp://admin:hunter22@cam/x", stacklevel=1)
    assert "old rtsp://***@cam/x" in lines.getvalue()


def test_lines_for_people() -> None:
    """The form for a terminal passes the same redaction."""
    out = io.StringIO()
    before = logging.root.handlers[:], logging.root.level, threading.excepthook
    logs.configure(as_json=False, stream=out, clock=FakeClock("2026-11-24T08:00:00Z"))
    structlog.get_logger("custos.x").info("connecting", url="rtsp://admin:hunter22@cam/x")
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()
    logging.root.handlers[:], threading.excepthook = before[0], before[2]
    logging.root.setLevel(before[1])
    assert "2026-11-24T08:00:00.000000Z" in out.getvalue()
    assert "rtsp://***@cam/x" in out.getvalue()
