"""SM2 signatures with SM3 (GB/T 32918.2), checked; and the line that one makes on a checkpoint. Pure.

`cryptography` knows the hash, not the curve, and a verification that starts programs would not be pure: so the check
is here, by the formulas of the standard, and held against OpenSSL in tests. There is no secret in it that its slowness
(tens of milliseconds) could tell of. Signing, which has one, is OpenSSL's (`sm2key`).
"""

from __future__ import annotations

import base64
import binascii
import hashlib

from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from recorder.store.log.sm3 import sm3

DISTID = "1234567812345678"
"""Who signs, for a signer that says nothing else (GM/T 0009, 10)."""

ALGORITHM = b"\xffcustos/sm2-with-sm3"
"""C2SP signed-note: 0xff, for a type without a number of its own, and a name. The signature is ASN.1 (GB/T 35276)."""

_SPKI = bytes.fromhex("3059301306072a8648ce3d020106082a811ccf5501822d03420004")
"""Before the coordinates of a key: `id-ecPublicKey`, the curve 1.2.156.10197.1.301, a point that is not compressed."""

# The curve (GB/T 32918.5).
_P = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
_A = _P - 3
_B = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
_N = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
_G = (
    0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7,
    0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0,
)

Point = tuple[int, int]


def point_of(public: str) -> Point:
    """The point of a public key, which is given as the log gives it: the base64 of its DER (SubjectPublicKeyInfo).

    Raises:
        ValueError: it is no SM2 key, or not written in just this way.
    """
    try:
        der = base64.b64decode(public, validate=True)
    except binascii.Error as err:
        raise ValueError("it is not base64") from err
    if not der.startswith(_SPKI) or len(der) != len(_SPKI) + 64 or base64.b64encode(der).decode() != public:
        raise ValueError("it is no SM2 key")
    x, y = int.from_bytes(der[-64:-32], "big"), int.from_bytes(der[-32:], "big")
    if max(x, y) >= _P or (y * y - (x * x + _A) * x - _B) % _P:
        raise ValueError("it is no point of the curve")
    return x, y


def fingerprint(public: str) -> str:
    """Hex SHA-256 of the DER, as of the log's own key: what a beat names."""
    return hashlib.sha256(base64.b64decode(public)).hexdigest()


def pem(public: str) -> bytes:
    """The same key as a file that OpenSSL reads."""
    lines = [public[at : at + 64] for at in range(0, len(public), 64)]
    return "\n".join(["-----BEGIN PUBLIC KEY-----", *lines, "-----END PUBLIC KEY-----", ""]).encode()


def key_id(name: str, public: str) -> bytes:
    """The four bytes that name the key in a signature line (C2SP signed-note)."""
    return hashlib.sha256(name.encode() + b"\n" + ALGORITHM + base64.b64decode(public)).digest()[:4]


def line(name: str, public: str, signature: bytes) -> str:
    """The line of a signed note."""
    return f"— {name} {base64.b64encode(key_id(name, public) + signature).decode()}\n"


def is_signature(public: str, text: bytes, signature: bytes) -> bool:
    """Whether `signature` (DER of r and s) is one of `text` by this key (GB/T 32918.2, 7.1).

    Raises:
        ValueError: `public` is no key. Sm3Unavailable: it cannot be found out here.
    """
    key = point_of(public)
    try:
        r, s = decode_dss_signature(signature)
    except ValueError:
        return False
    t = (r + s) % _N
    if not (0 < r < _N and 0 < s < _N and t):
        return False
    e = int.from_bytes(sm3(_identity(key) + text).digest(), "big")
    found = _sum(_times(s, _G), _times(t, key))
    return found is not None and (e + found[0]) % _N == r


def _identity(key: Point) -> bytes:
    """Z: what the standard hashes before a text, so that a signature is of this signer and curve (5.5)."""
    name = DISTID.encode()
    numbers = (_A, _B, *_G, *key)
    told = (len(name) * 8).to_bytes(2, "big") + name + b"".join(one.to_bytes(32, "big") for one in numbers)
    return sm3(told).digest()


def _sum(one: Point | None, two: Point | None) -> Point | None:
    """None is the point at infinity."""
    if one is None or two is None:
        return two if one is None else one
    if one[0] == two[0] and (one[1] + two[1]) % _P == 0:
        return None
    if one == two:
        slope = (3 * one[0] * one[0] + _A) * pow(2 * one[1], -1, _P)
    else:
        slope = (two[1] - one[1]) * pow(two[0] - one[0], -1, _P)
    x = (slope * slope - one[0] - two[0]) % _P
    return x, (slope * (one[0] - x) - one[1]) % _P


def _times(count: int, point: Point) -> Point | None:
    out: Point | None = None
    doubled: Point | None = point
    while count:
        if count & 1:
            out = _sum(out, doubled)
        doubled, count = _sum(doubled, doubled), count >> 1
    return out
