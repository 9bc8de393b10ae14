"""The access token: until there are accounts, who has it may do everything.

Only its SHA-256 is kept. A slow password hash would add nothing: the token has 256 random bits, nobody guesses it.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets

from recorder.store import files
from recorder.store.layout import Layout

TOKEN_BYTES = 32


def renew(layout: Layout) -> str:
    """Make a new token, which ends the old one; it is shown this once."""
    token = secrets.token_urlsafe(TOKEN_BYTES)
    digest = hashlib.sha256(token.encode()).hexdigest()
    files.write_atomically(layout.token, f"{digest}\n".encode(), mode=0o600)
    return token


def matches(layout: Layout, token: str) -> bool:
    """Whether this is the token; takes equally long whether it nearly is or not."""
    with files.translated(layout.token):
        kept = layout.token.read_text(encoding="ascii").strip()
    return hmac.compare_digest(hashlib.sha256(token.encode()).hexdigest(), kept)
