"""The demonstration camera by itself: ``python -m appliance.demo [--port N] [NAME …]`` serves until stopped.

Prints the URL of each film, a line each, once it can be reached. Meant for trying the box out, and for its tests.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
from zoneinfo import ZoneInfo

from appliance.demo.film import ClockFilm
from appliance.demo.rtsp import Account
from appliance.demo.server import DemoServer
from config.clock import SystemClock


def main() -> None:
    """Read the arguments, serve, and end quietly on Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m appliance.demo", description="A demonstration camera over RTSP.")
    parser.add_argument("names", nargs="*", default=["demo"], help="names of the films, each with its own URL")
    parser.add_argument("--port", type=int, default=0, help="0: one that is free")
    parser.add_argument("--zone", default="Asia/Shanghai", help="whose local time is burnt in")
    parser.add_argument("--username", help="ask for this user name; the password is read from standard input")
    arguments = parser.parse_args()
    account = Account(arguments.username, sys.stdin.readline().rstrip("\n")) if arguments.username else None
    films = {name: ClockFilm(ZoneInfo(arguments.zone), name) for name in arguments.names}

    server = DemoServer(films, SystemClock(), account=account, port=arguments.port)

    def tell() -> None:
        sys.stdout.writelines(f"{server.url(name)}\n" for name in films)
        sys.stdout.flush()

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(server.run(tell))


if __name__ == "__main__":
    main()
