"""A newcomer's first minutes: one command, a picture is recorded, and what was recorded plays in a browser."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from config.clock import SystemClock
from config.times import format_us
from tests.whole.machine import Machine, until

pytestmark = pytest.mark.whole

CHROMIUM = "/usr/bin/chromium"

PLAY = """async (playlist) => {
    const video = document.createElement('video');
    video.muted = true;
    video.src = playlist;
    document.body.append(video);
    await video.play();
}"""


def ago(seconds: float) -> str:
    return format_us(SystemClock().read().utc_us - round(seconds * 1e6))


def test_newcomer_starts_the_box(machine: Machine) -> None:
    """One command makes the box, and within 30 s of its answering there is a stored second of the demonstration."""
    took_s = machine.start()
    answered_s = time.monotonic()

    def recorded() -> list[dict[str, object]]:
        path = "/api/v1/cameras/demo/segments"
        segments: list[dict[str, object]] = machine.get(path, start=ago(60), end=ago(-60))["segments"]
        return segments

    first = until("a segment of the demonstration is stored", recorded, 30)[0]
    print(f"ready after {took_s:.1f} s, first segment stored {time.monotonic() - answered_s:.1f} s later")
    assert (first["codec"], first["width"], first["height"]) == ("h264", 640, 360)
    assert machine.get("/api/v1/status")["state"] == "ok"
    assert "shown this once" in machine.log
    assert machine.stop() == 0
    assert "Traceback" not in machine.log


def test_box_is_started_again(machine: Machine) -> None:
    """The second start keeps the identity, tells no token, and leaves no second of the pause unexplained."""
    machine.start()
    until("the demonstration is recorded", lambda: machine.status_of("demo")["state"] == "recording", 30)
    box_id, begun = machine.get("/api/v1/status")["box"]["id"], ago(0)
    until(
        "a segment is stored",
        lambda: machine.get("/api/v1/cameras/demo/segments", start=begun, end=ago(-9))["segments"],
        30,
    )
    began_s = time.monotonic()
    assert machine.stop() == 0
    assert time.monotonic() - began_s < 8
    machine.start()
    assert machine.get("/api/v1/status")["box"]["id"] == box_id
    assert "shown this once" not in machine.log
    items = machine.get("/api/v1/cameras/demo/coverage", start=begun, end=ago(0))["items"]
    assert {item["kind"] for item in items[:-1]} == {"recorded", "gap"}
    assert "box_down" in {item.get("cause") for item in items}
    findings = machine.command("fsck", "--json")
    assert (findings.code, findings.json) == (0, {"findings": []})
    assert machine.command("status", "--json").json["box"]["id"] == box_id


@pytest.mark.skipif(shutil.which(CHROMIUM) is None, reason="Debian's chromium is not installed")
def test_recording_plays_in_a_browser(machine: Machine, tmp_path: Path) -> None:
    """A browser's own video element plays the playlist of stored files: time advances, and the picture has its size."""
    machine.start()

    def enough() -> bool:
        segments = machine.get("/api/v1/cameras/demo/segments", start=ago(60), end=ago(-60))["segments"]
        return len(segments) >= 3

    until("three segments are stored", enough, 40)
    playlist = f"/api/v1/cameras/demo/playlist.m3u8?start={ago(60)}&end={ago(-60)}"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
        )
        try:
            page = browser.new_page()
            page.goto(f"{machine.url}/healthz")
            page.evaluate(PLAY, playlist)
            page.wait_for_function("document.querySelector('video').currentTime > 3", timeout=30_000)
            width = page.evaluate("document.querySelector('video').videoWidth")
            error = page.evaluate("document.querySelector('video').error")
        finally:
            browser.close()
    assert (width, error) == (640, None)
