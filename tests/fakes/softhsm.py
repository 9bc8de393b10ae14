"""A real token, in software: SoftHSM, with a folder of its own, that can be pulled out and put back."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

MODULE = "/usr/lib/softhsm/libsofthsm2.so"
PIN = "geheim-4321"
SO_PIN = "meister-8765"
LABEL = "custos"


@dataclass(frozen=True)
class SoftToken:
    """A token and its URL."""

    folder: Path
    pin_file: Path

    def url(self, key: str = "log", *, token: str = LABEL, module: str = MODULE) -> str:
        """Of a key in it."""
        return f"pkcs11:token={token};object={key}?module-path={module}&pin-source=file:{self.pin_file}"

    def pull(self) -> None:
        """Take it out."""
        self.folder.rename(self.folder.with_name("pulled"))
        self.folder.mkdir()

    def put_back(self) -> None:
        """Put it in again."""
        for path in self.folder.iterdir():
            path.unlink()
        self.folder.rmdir()
        self.folder.with_name("pulled").rename(self.folder)


def soft_token(folder: Path) -> SoftToken:
    """Make one. SoftHSM reads where its tokens lie from the environment, when its module begins."""
    tokens = folder / "tokens"
    tokens.mkdir(parents=True)
    conf = folder / "softhsm2.conf"
    conf.write_text(f"directories.tokendir = {tokens}\nobjectstore.backend = file\nlog.level = ERROR\n")
    os.environ["SOFTHSM2_CONF"] = str(conf)
    command = ["softhsm2-util", "--init-token", "--free", "--label", LABEL, "--so-pin", SO_PIN, "--pin", PIN]
    subprocess.run(command, check=True, capture_output=True, timeout=30)
    pin_file = folder / "pin"
    pin_file.write_text(f"{PIN}\n")
    pin_file.chmod(0o600)
    return SoftToken(tokens, pin_file)
