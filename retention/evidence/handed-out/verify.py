#!/usr/bin/env python3
"""Checks this evidence package with Python's standard library alone (3.9 or later).

    python3 verify.py [FINGERPRINT [CERTIFICATES [WITNESS...]]]

FINGERPRINT is that of the recorder's key, from its acceptance papers: of its first key, or of one that followed. Without
it this only shows that the package is all of one piece, not whose it is. CERTIFICATES: a file (PEM) with those of the
time-stamping authority, from itself; without it, or where it is '', those in the package are taken. Stamps are left to the
openssl command, where there is one. WITNESS: the verifier keys of witnesses, each from itself; without them those in the
package are taken. Nothing of the recorder that made it is used or believed; it can be read. Exit code 0: all holds. 1:
something does not, and what is said.
"""

import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from datetime import datetime, timedelta, timezone

HERE = os.path.dirname(os.path.abspath(__file__))
OWN_ROOTS = "keys/tsa-roots.pem"
PROBLEMS = []


def fail(name, what):
    """Names may hold anything, such as what makes a terminal show something else."""
    PROBLEMS.append((name, what))
    print(f"FAIL {''.join(one if one.isprintable() else '?' for one in name)}: {what}")


NUMBER = r"(?:0|[1-9][0-9]{0,14})"
STREAM = r"[a-z0-9][a-z0-9_-]*\.[a-z]+"
NAMES = re.compile(
    r"README\.txt|说明\.txt|verify\.(?:sh|py)|SHA256SUMS(?:\.sig|\.tsr)?|claim\.json|custody\.jsonl"
    r"|(?:timeline|clock|files)\.csv|files\.pdf|keys/(?:log(?:\.sm2|-(?:0|[1-9][0-9]{0,3}))?\.pub|tsa-roots)\.pem"
    r"|proof/(?:checkpoint|leaves\.jsonl|paths\.txt|heads/"
    + NUMBER
    + r"\.json|anchors/"
    + NUMBER
    + r"\.(?:body|path|tsr|[0-9a-f]{8}\.note))|media/"
    + STREAM
    + "/(?:"
    + NUMBER
    + r"-[0-9]{8}T[0-9]{6}\.[0-9]{3}Z|play-"
    + NUMBER
    + r")\.mp4"
)
FOLDERS = re.compile(rf"keys|media(?:/{STREAM})?|proof(?:/(?:anchors|heads))?")
BASE64 = "[A-Za-z0-9+/]"
NOTE_LINE = re.compile(rf"— (\S+) ((?:{BASE64}{{4}})*(?:{BASE64}{{4}}|{BASE64}{{3}}=|{BASE64}{{2}}==))", re.ASCII)
MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z")


def read(name):
    try:
        with open(os.path.join(HERE, *name.split("/")), "rb") as stream:
            return stream.read()
    except OSError:
        fail(name, "It is not there, or cannot be read.")
        return b""


def sha256_of(name):
    digest = hashlib.sha256()
    with open(os.path.join(HERE, *name.split("/")), "rb") as stream:
        for piece in iter(lambda: stream.read(1 << 20), b""):
            digest.update(piece)
    return digest.hexdigest()


# Ed25519 (RFC 8032, 5.1), by its formulas, slow and short.

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT = pow(2, (P - 1) // 4, P)


def recover_x(y, sign):
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT % P
    if y >= P or (x * x - square) % P or (x == 0 and sign):
        return None
    return P - x if x & 1 != sign else x


def add(a, b):
    x1, y1, z1, t1 = a
    x2, y2, z2, t2 = b
    m, n = (y1 - x1) * (y2 - x2) % P, (y1 + x1) * (y2 + x2) % P
    c, d = 2 * t1 * t2 * D % P, 2 * z1 * z2 % P
    e, f, g, h = n - m, d - c, d + c, n + m
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def times(count, point):
    out = (0, 1, 1, 0)
    while count:
        if count & 1:
            out = add(out, point)
        point, count = add(point, point), count >> 1
    return out


def decompress(data):
    number = int.from_bytes(data, "little")
    y = number & (2**255 - 1)
    x = recover_x(y, number >> 255)
    return None if x is None else (x, y, 1, x * y % P)


BASE_Y = 4 * pow(5, P - 2, P) % P
BASE_X = recover_x(BASE_Y, 0)
BASE = (BASE_X, BASE_Y, 1, BASE_X * BASE_Y % P)


def is_signature(key, message, signature):
    if len(signature) != 64 or len(key) != 32:
        return False
    a, r, s = decompress(key), decompress(signature[:32]), int.from_bytes(signature[32:], "little")
    if a is None or r is None or s >= L:
        return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % L
    one, two = times(s, BASE), add(r, times(h, a))
    return (one[0] * two[2] - two[0] * one[2]) % P == 0 and (one[1] * two[2] - two[1] * one[2]) % P == 0


# SM2 with SM3 (GB/T 32918.2 and .5), where the recorder used it besides.

M = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
ORDER = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
B = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
GX = 0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7
GY = 0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0
SPKI = bytes.fromhex("3059301306072a8648ce3d020106082a811ccf5501822d03420004")


def sm3(data=b""):
    try:
        return hashlib.new("sm3", data)
    except ValueError:
        return None


def sm2_add(a, b):
    """Points as x and y; None is the one at infinity."""
    if not a or not b:
        return a or b
    (x1, y1), (x2, y2) = a, b
    if x1 == x2:
        if y1 != y2 or not y1:
            return None
        k = (3 * x1 * x1 - 3) * pow(2 * y1, M - 2, M)
    else:
        k = (y1 - y2) * pow(x1 - x2, M - 2, M)
    x3 = (k * k - x1 - x2) % M
    return x3, (k * (x1 - x3) - y1) % M


def sm2_times(count, point):
    out = None
    for bit in bin(count)[2:]:
        out = sm2_add(out, out)
        if bit == "1":
            out = sm2_add(out, point)
    return out


def der_numbers(data):
    """r and s: a sequence of two whole numbers above 0, written as shortly as can be."""
    numbers = []
    if len(data) < 2 or data[0] != 0x30 or data[1] != len(data) - 2 or data[1] > 127:
        return None
    data = data[2:]
    while data:
        body = data[2 : 2 + data[1]] if len(data) > 1 else b""
        if data[0] != 2 or not body or len(body) != data[1] or body[0] > 127:
            return None
        if len(body) > 1 and body[0] == 0 and body[1] < 128:
            return None
        numbers.append(int.from_bytes(body, "big"))
        data = data[2 + data[1] :]
    return numbers if len(numbers) == 2 else None


def is_sm2_signature(der, message, signature):
    x, y = (int.from_bytes(one, "big") for one in (der[-64:-32], der[-32:]))
    numbers = der_numbers(signature)
    if numbers is None or der[:-64] != SPKI or max(x, y) >= M or (y * y - x**3 + 3 * x - B) % M:
        return False
    r, s = numbers
    t = (r + s) % ORDER
    if not (0 < r < ORDER and 0 < s < ORDER and t):
        return False
    parts = b"".join(one.to_bytes(32, "big") for one in (M - 3, B, GX, GY, x, y))
    z = sm3(b"\x00\x80" + b"1234567812345678" + parts).digest()
    found = sm2_add(sm2_times(s, (GX, GY)), sm2_times(t, (x, y)))
    return found is not None and (int.from_bytes(sm3(z + message).digest(), "big") + found[0]) % ORDER == r


# The Merkle tree (RFC 6962, 2.1; RFC 9162, 2.1.3.2).


def node(left, right):
    return hashlib.sha256(b"\x01" + left + right).digest()


def leads_to(root, leaf, index, size, path):
    if not 0 <= index < size:
        return False
    fn, sn, at = index, size - 1, leaf
    for step in path:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            at = node(step, at)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            at = node(at, step)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and at == root


def goes_on(old, new, old_root, new_root, path):
    """Whether the tree of `old` leaves is a beginning of the other (RFC 9162, 2.1.4.2)."""
    if old == new:
        return not path and old_root == new_root
    if not 0 < old < new:
        return False
    fn, sn, steps = old - 1, new - 1, list(path)
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    if fn == 0:
        steps.insert(0, old_root)
    if not steps:
        return False
    first = second = steps[0]
    for step in steps[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            first, second = node(step, first), node(step, second)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            second = node(second, step)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and first == old_root and second == new_root


# The steps of verify.sh; which comes first differs.


def check_files():
    """There are files of known names alone; each is listed, each listed one is there, and is what it was."""
    there = set()
    for folder, folders, names in os.walk(HERE):
        for one in folders + names:
            path = os.path.join(folder, one)
            name = os.path.relpath(path, HERE).replace(os.sep, "/")
            if os.path.islink(path) or not (os.path.isdir(path) or os.path.isfile(path)):
                fail(name, "It is neither a file nor a folder.")
            elif os.path.isdir(path) and not FOLDERS.fullmatch(name):
                fail(name, "No folder of a package has such a name.")
            elif os.path.isfile(path) and not NAMES.fullmatch(name):
                fail(name, "No file of a package has such a name.")
            elif os.path.isfile(path) and name not in ("SHA256SUMS", "SHA256SUMS.sig", "SHA256SUMS.tsr"):
                there.add(name)
    if PROBLEMS:
        return None, b""
    listed, text = {}, read("SHA256SUMS")
    for line in text.decode("utf-8", "replace").split("\n")[:-1]:
        found = re.fullmatch(r"([0-9a-f]{64})  (.*)", line)
        if found is None or found[2] in listed or not NAMES.fullmatch(found[2]):
            fail("SHA256SUMS", "A line cannot be read, or names a file twice.")
        else:
            listed[found[2]] = found[1]
    if not text.endswith(b"\n"):
        fail("SHA256SUMS", "Its last line is cut off.")
    for name in sorted(there):
        if name not in listed:
            fail(name, "The list of files does not name it.")
            continue
        try:
            digest = sha256_of(name)
        except OSError:
            fail(name, "It is not there, or cannot be read.")
            del listed[name]
            continue
        if digest != listed[name]:
            fail(name, "It was changed: its hash is not the listed one.")
    for name in sorted(set(listed) - there):
        fail(name, "It is listed, and not there.")
    return {name: digest for name, digest in listed.items() if name in there}, text


def read_key(name):
    """The 32 bytes of a key, and its fingerprint."""
    pem = read(name).decode("ascii", "replace")
    found = re.fullmatch(rf"-----BEGIN PUBLIC KEY-----\n({BASE64}{{59}}=)\n-----END PUBLIC KEY-----\n", pem)
    der = base64.b64decode(found[1]) if found else b""
    if der[:-32] != bytes.fromhex("302a300506032b6570032100"):  # RFC 8410
        fail(name, "It is no public key of Ed25519, written as such and nothing else.")
    return der[-32:], hashlib.sha256(der).hexdigest()


def vkey(origin, key):
    """A key as C2SP writes it: name, hash, key."""
    short = hashlib.sha256(origin.encode() + b"\n\x01" + key).hexdigest()[:8]
    return f"{origin}+{short}+{base64.b64encode(bytes([1]) + key).decode()}"


def is_link(body, origin, number, old, new):
    """Whether the entry says that the new key follows the old one, and both signed that."""
    one = json.loads(body)
    if json.dumps(one, sort_keys=True, separators=(",", ":"), ensure_ascii=False) != body:
        return False
    told = {"number": number, "old": old[1], "new": new[1]}
    told.update(old_key=vkey(origin, old[0]), new_key=vkey(origin, new[0]))
    if set(one) != {*told, "old_signature", "new_signature", "type", "v", "at", "elapsed_us"}:
        return False
    if type(one["number"]) is not int or any(one[name] != value for name, value in told.items()):
        return False
    text = f"This is no checkpoint: one key of a log follows another.\norigin {origin}\nnumber {number}\n"
    text += f"old {old[1]}\nnew {new[1]}\n"
    for key, signature in ((old[0], one["old_signature"]), (new[0], one["new_signature"])):
        if not re.fullmatch("[A-Za-z0-9+/]{86}==", signature):
            return False
        raw = base64.b64decode(signature)
        if base64.b64encode(raw).decode() != signature or not is_signature(key, text.encode(), raw):
            return False
    return True


def check_succession(listed, entries, origin, present, expected):
    """The log's first entry names the first key, each entry about a key the one that follows, and both signed that; the
    last one signed what is here, and the papers name any of them."""
    links = [body for _, one, body in entries.values() if one["type"] == "key"]
    files = [f"keys/log-{number}.pub.pem" for number in range(len(links))]
    for name in listed:
        if name.startswith("keys/log-") and name not in files:
            fail(name, "No entry of the log tells of this key.")
    keys = [*map(read_key, files), present]
    for number, body in enumerate(links, 1):
        if json.loads(body).get("old") != keys[number - 1][1]:
            fail(files[number - 1], "It is not there, or not the key that the log had then.")
        if not is_link(body, origin, number, keys[number - 1], keys[number]):
            fail(
                "proof/leaves.jsonl", f"Key {number} of the log does not follow the one before it, signed for by both."
            )
    first = entries.get(0, ("", {}, ""))[1]
    if (first.get("type"), first.get("key"), first.get("origin")) != ("genesis", keys[0][1], origin):
        fail("proof/leaves.jsonl", "The log does not begin with this key and name: it is another box's.")
    if expected is None:
        print(f"The key's fingerprint is {keys[0][1]}: compare it with the acceptance papers.")
        for _, digest in keys[1:]:
            print(f"It was followed by {digest}.")
    elif re.sub("[: ]", "", expected).lower() not in [digest for _, digest in keys]:
        fail("keys/log.pub.pem", f"The key's fingerprint is {keys[0][1]}: not that of the papers.")


def check_checkpoint(key):
    note = read("proof/checkpoint")
    body, _, lines = note.decode("utf-8", "replace").partition("\n\n")
    origin, size, root = (body.split("\n") + ["", "", ""])[:3]
    found = [NOTE_LINE.fullmatch(line) for line in lines.split("\n")[:-1]]
    mark = hashlib.sha256(f"{origin}\n".encode() + b"\x01" + key).digest()[:4]
    try:
        raws = [base64.b64decode(one[2], validate=True) for one in found if one[1] == origin]
        ours = [raw[4:] for raw in raws if raw[:4] == mark]
        if ours and len(note) <= 65_536 and lines.endswith("\n") and re.fullmatch(NUMBER, size):
            if all(is_signature(key, (body + "\n").encode(), one) for one in ours):
                return origin, int(size), base64.b64decode(root)
    except (ValueError, TypeError):
        pass
    fail("proof/checkpoint", "It was not signed with this key.")
    return origin, 0, b""


def is_number(value):
    return type(value) is int and 0 <= value < 10**15


def is_integer(value):
    return type(value) is int and abs(value) < 10**15


def is_days(value):
    return type(value) is int and 0 <= value <= 99_999


def is_rule_days(value):
    return type(value) is int and 0 < value <= 73_000


def is_text(value):
    return isinstance(value, str)


def like(pattern):
    return lambda value: isinstance(value, str) and re.fullmatch(pattern, value) is not None


def is_cameras(value):
    return isinstance(value, list) and bool(value) and all(map(like(CAMERA), value))


def is_hashes(value):
    return isinstance(value, list) and bool(value) and all(map(like("[0-9a-f]{64}"), value))


def is_moment(value):
    if not is_text(value) or not MOMENT.fullmatch(value):
        return False
    try:
        us(value)
    except ValueError:
        return False
    return True


CAMERA = "[a-z0-9][a-z0-9_-]*"
CAUSES = (
    "unreachable|auth_refused|no_media|stalled|stream_invalid|timestamp_jump|overload|storage_full|storage_error|box_down"
    "|clock_step|operator|scheduled|retired"
)
IS_HASH, IS_STREAM, IS_WORD = like("[0-9a-f]{64}"), like(STREAM), like("[a-z0-9_]+")
SPAN = {"t0": is_moment, "t1": is_moment}
ITEM = {"stream": IS_STREAM, "n": is_number, "prev": IS_HASH, **SPAN}
COUNTS = {"run": is_number, "init_bytes": is_number, "bytes": is_number, "frames": is_number}
DISCARD = {
    "stream": IS_STREAM,
    "n0": is_number,
    "n1": is_number,
    "floor_days": is_days,
    "holds": IS_HASH,
    "rule": is_text,
}
MUST = {
    "genesis": {"box": is_text, "key": IS_HASH, "origin": is_text},
    "camera": {"camera": like(CAMERA), "op": IS_WORD},
    "camera rule": {"floor_days": is_rule_days, "target_days": is_rule_days},
    "seg": {**ITEM, **COUNTS, "sha256": IS_HASH, "codec": IS_WORD},
    "gap": {**ITEM, "cause": like(CAUSES), "detail": is_text},
    "del": DISCARD,
    "breach": {
        "stream": IS_STREAM,
        "n0": is_number,
        "n1": is_number,
        "floor_days": is_days,
        "until": is_moment,
        "short_us": is_number,
        "wish": is_number,
    },
    "hold": {"hold": is_number, "cameras": is_cameras, **SPAN, "record": IS_HASH},
    "release": {"hold": is_number},
    "view": {"stream": IS_STREAM},
    "export": {"stream": IS_STREAM},
    "beat": {"heads": IS_HASH},
    "anchor": {"kind": IS_WORD, "size": is_number, "token": IS_HASH},
}
MAY = {
    "seg": {
        "sm3": IS_HASH,
        "clock_offset_us": lambda value: value is None or is_integer(value),
        "clock_drift_ppb": is_integer,
    },
    "beat": {"holds": IS_HASH, "sm2": IS_HASH},
    "del": {"rules": IS_HASH},
    "hold": {
        "asked_t0": is_moment,
        "asked_t1": is_moment,
        "padding_before_s": is_number,
        "padding_after_s": is_number,
        "basis": IS_WORD,
        "review": is_moment,
    },
    "release": {"by": is_hashes},
    "genesis": {"release_codes": is_hashes},
}


def check_form(one):
    """An entry has the fields that it is judged by, of their kinds: none that is missing counts for nothing."""
    kind, audio = one["type"], one.get("audio", {})
    if type(one["v"]) is not int or one["v"] != 1 or not is_moment(one["at"]) or not is_number(one["elapsed_us"]):
        raise ValueError("its own fields")
    for name, is_so in {**MUST.get(kind, {}), **MUST.get(f"{kind} {one.get('op')}", {})}.items():
        if not is_so(one.get(name)):
            raise ValueError(f"{name} is missing, or not of its kind")
    for name, is_so in MAY.get(kind, {}).items():
        if name in one and not is_so(one[name]):
            raise ValueError(f"{name} is not of its kind")
    if kind == "gap" and ("sha256" in one or "sm3" in one):
        raise ValueError("a gap with a hash")
    if not isinstance(audio, dict) or any(isinstance(value, (dict, list)) for value in audio.values()):
        raise ValueError("fields in fields of audio")


def has_fields(value):
    """Whether it has fields of its own, which a shell could take for the entry's."""
    return isinstance(value, dict) or (isinstance(value, list) and any(has_fields(one) for one in value))


def check_entries(size, root):
    text, lines = read("proof/leaves.jsonl"), read("proof/paths.txt").decode("ascii", "replace")
    if not text.endswith(b"\n") or not lines.endswith("\n"):
        fail("proof/leaves.jsonl", "The last line of it, or of proof/paths.txt, is cut off.")
    bodies, lines = text.split(b"\n")[:-1], lines.split("\n")[:-1]
    if len(bodies) != len(lines):
        fail("proof/paths.txt", "It does not have one line for each entry.")
    entries, last = {}, -1
    for body, line in zip(bodies, lines):
        if not re.fullmatch(NUMBER + "(?: [0-9a-f]{64})*", line):
            fail("proof/paths.txt", "A line cannot be read.")
            continue
        index, path = int(line.split(" ")[0]), [bytes.fromhex(one) for one in line.split(" ")[1:]]
        if index <= last:
            fail("proof/leaves.jsonl", f"Entry {index} stands twice, or out of order.")
        last = max(index, last)
        digest = hashlib.sha256(b"\x00" + body).digest()
        if not leads_to(root, digest, index, size, path):
            fail("proof/leaves.jsonl", f"Entry {index} does not lead to the checkpoint's root.")
            continue
        one = json.loads(body)
        if not isinstance(one, dict):
            raise ValueError("no fields")
        if json.dumps(one, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() != body:
            fail("proof/leaves.jsonl", f"Entry {index} cannot be read (not canonical).")
        if any(has_fields(value) for name, value in one.items() if name != "audio"):
            fail("proof/leaves.jsonl", f"Entry {index} cannot be read (fields in fields).")
        check_form(one)
        entries[index] = (digest.hex(), one, body.decode())
    return entries


def check_sm2(entries, origin, size):
    """The key is the one that its entry binds, and the checkpoint is signed with it where its beat says so."""
    bound = [one["public"] for _, one, _ in entries.values() if one["type"] == "sm2"]
    beats = {index: one for index, (_, one, _) in entries.items() if one["type"] == "beat"}
    named = [one["sm2"] for one in beats.values() if "sm2" in one]
    name = "keys/log.sm2.pub.pem"
    if not bound and not named and not os.path.exists(os.path.join(HERE, *name.split("/"))):
        return
    if len(bound) != 1:
        fail("proof/leaves.jsonl", "The log binds no SM2 key, or more than one.")
        return
    der, lines = base64.b64decode(bound[0], validate=True), re.findall("[^\n]{1,64}", bound[0])
    pem = ["-----BEGIN PUBLIC KEY-----", *lines, "-----END PUBLIC KEY-----", ""]
    if read(name) != "\n".join(pem).encode():
        fail(name, "It is not the SM2 key that the log binds.")
    if any(one != hashlib.sha256(der).hexdigest() for one in named):
        fail("proof/leaves.jsonl", "A beat names another SM2 key than the log binds.")
    if size - 1 not in beats:
        fail("proof/leaves.jsonl", "The beat that closes the checkpoint, and tells of SM2, is not handed over.")
        return
    body, _, rest = read("proof/checkpoint").decode("utf-8", "replace").partition("\n\n")
    mark = hashlib.sha256(f"{origin}\n".encode() + b"\xffcustos/sm2-with-sm3" + der).digest()[:4]
    signatures = []
    for line in rest.split("\n"):
        words = line.split(" ")
        raw = base64.b64decode(words[2]) if len(words) == 3 and words[1] == origin else b""
        if raw[:4] == mark:
            signatures.append(raw[4:])
    if "sm2" in beats[size - 1] and not signatures:
        fail("proof/checkpoint", "It has no SM2 signature, and the log says that it has.")
    if sm3() is None:
        print("This Python has no SM3: the second signature was not checked. 未校验 SM2 签名")
    elif not all(is_sm2_signature(der, (body + "\n").encode(), one) for one in signatures):
        fail("proof/checkpoint", "Its SM2 signature is not by the key that the log binds.")


def check_heads(entries):
    heads = {}
    folder = os.path.join(HERE, "proof", "heads")
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
        index, text = name.partition(".")[0], read(f"proof/heads/{name}")
        beat = entries.get(int(index), ("", {}, ""))[1]
        if beat.get("type") != "beat" or beat.get("heads") != hashlib.sha256(text).hexdigest():
            fail(f"proof/heads/{name}", f"It is not what the beat of entry {index} binds.")
        else:
            vector = json.loads(text)
            canonical = json.dumps(vector, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
            is_vector = isinstance(vector, dict) and all(map(is_head, vector.values())) and all(map(IS_STREAM, vector))
            if not is_vector or canonical != text:
                fail(f"proof/heads/{name}", "It is not a vector of heads, in the form that this log writes.")
                raise ValueError("heads")
            heads[int(index)] = vector
    return heads


def is_head(value):
    return isinstance(value, list) and len(value) == 2 and is_number(value[0]) and IS_HASH(value[1])


def openssl(*words):
    done = subprocess.run(["openssl", *words], cwd=HERE, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    return done.returncode == 0, done.stdout.decode("utf-8", "replace")


def check_anchors(entries, origin, size, root, roots):
    """Older checkpoints that an authority stamped (RFC 3161), or a witness cosigned (C2SP tlog-cosignature): their sizes,
    by when, the entry that binds each, and who: a witness's key, or None."""
    folder, seen = os.path.join(HERE, "proof", "anchors"), []
    names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    bound = {}
    for index, (_, one, _) in entries.items():
        if is_stamp(one):
            bound.setdefault(one["size"], []).append((index, one["token"]))
    cosigned = cosigned_by(entries)
    for old in sorted({int(name.partition(".")[0]) for name in names}):
        name = f"proof/anchors/{old}"
        body = check_older(name, old, origin, size, root)
        notes = [one for one in names if one.startswith(f"{old}.") and one.endswith(".note")]
        for note in notes:
            found = check_cosignature(f"proof/anchors/{note}", body, cosigned.get(note))
            if found:
                seen.append((old, *found))
        stamp = check_stamp(f"{name}.body", f"{name}.tsr", roots) if f"{old}.tsr" in names or not notes else None
        if stamp is None:
            continue
        told = bound.get(old, [(None, None)])
        if any(token not in (None, sha256_of(f"{name}.tsr")) for _, token in told):
            fail(f"{name}.tsr", "It is not the stamp of which the log says that it was kept.")
        seen.append((old, stamp, told[0][0], None))
    if shutil.which("openssl"):
        for old in sorted(set(bound) - {one[0] for one in seen if one[3] is None}):
            fail(f"proof/anchors/{old}.tsr", "The log tells of this stamp, and it is not there, or not good.")
    good = {f"{old}.{key.split('+')[1]}.note" for old, _, _, key in seen if key}
    for note in sorted(set(cosigned) - good):
        fail(f"proof/anchors/{note}", "The log tells of this cosignature, and it is not there, or not good.")
    return seen


def check_older(name, old, origin, size, root):
    """An older checkpoint, from which this log goes on: its text."""
    body, told = read(f"{name}.body"), read(f"{name}.path").decode("ascii", "replace")
    lines = body.decode("utf-8", "replace").split("\n")
    try:
        old_root = base64.b64decode(lines[2], validate=True)
    except (ValueError, IndexError):
        old_root = b""
    if lines[:2] != [origin, str(old)] or lines[3:] != [""]:
        fail(f"{name}.body", "It is not a checkpoint of this log, of that size.")
    path = [bytes.fromhex(one) for one in re.findall("^[0-9a-f]{64}$", told, re.MULTILINE)]
    form = re.fullmatch(f"{old} {size}\n(?:[0-9a-f]{{64}}\n)*", told)
    if not form or not goes_on(old, size, old_root, root, path):
        fail(f"{name}.path", "The older checkpoint is no beginning of this log.")
    return body


def cosigned_by(entries):
    """Entries that bind cosignatures, by the names of their files: index, hash of the file, and the witness's key."""
    found = {}
    for index, (_, one, _) in entries.items():
        if one["type"] == "anchor" and one.get("kind") == "witness":
            mark, _ = witness_of(one["witness"])
            name, told = f"{one['size']}.{mark}.note", (one["token"], one["witness"])
            if found.setdefault(name, (index, *told))[1:] != told:
                fail(f"proof/anchors/{name}", "The log tells of it twice, and of two.")
    return found


def witness_of(vkey):
    """The key id of a witness, which is made of its name and key, and the key (C2SP signed-note, tlog-cosignature)."""
    found = re.fullmatch(r"([!#-*,-\[\]-~]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]{44})", vkey)
    key = base64.b64decode(found[3]) if found else b""
    if (
        len(vkey) > 1000
        or not found
        or key[0] != 4
        or hashlib.sha256(found[1].encode() + b"\n" + key).hexdigest()[:8] != found[2]
    ):
        raise ValueError("no key of a witness")
    return found[2], key[1:]


def check_cosignature(name, body, bound):
    """When a witness cosigned that body, by its clock, the entry that binds it, and its key; None: it is not good."""
    note = read(name)
    if bound is None:
        return fail(name, "No entry of the log tells of this cosignature.")
    index, token, vkey = bound
    if token != hashlib.sha256(note).hexdigest():
        return fail(name, "It is not the cosignature of which the log says that it was kept.")
    mark, key = witness_of(vkey)
    text, _, rest = note.decode("utf-8", "replace").rpartition("\n\n")
    if text.encode() + b"\n" != body or len(note) > 65_536:
        return fail(name, "What was cosigned is another checkpoint.")
    times = []
    for line in rest.split("\n")[:-1]:
        found = NOTE_LINE.fullmatch(line)
        if not found or not rest.endswith("\n"):
            return fail(name, "A signature line of it cannot be read.")
        raw = base64.b64decode(found[2])
        if found[1] == vkey.split("+")[0] and raw[:4].hex() == mark:
            when = int.from_bytes(raw[4:12], "big")
            said = f"cosignature/v1\ntime {when}\n".encode() + body
            if len(raw) != 76 or not 0 < when <= 253_402_300_799 or not is_signature(key, said, raw[12:]):
                return fail(name, "It is not cosigned by the witness of which the log tells.")
            times.append(when)
    if not times:
        return fail(name, "It is not cosigned by the witness of which the log tells.")
    return datetime.fromtimestamp(max(times), timezone.utc), index, vkey


def is_stamp(one):
    return one["type"] == "anchor" and one.get("kind") == "rfc3161"


def check_stamp(name, stamp, roots):
    """When it was given, by certificates as they were then; None: it is not good, or nobody here can say."""
    if not shutil.which("openssl"):
        return None
    # The token alone: what stands before it in an answer is not signed.
    _, text = openssl("ts", "-reply", "-in", stamp, "-token_out", "-text")
    found = "\nHash Algorithm: sha256\n" in f"\n{text}" and re.search(
        r"^Time stamp: (\w{3} +\d+ \d\d:\d\d:\d\d)(?:\.\d+)?( \d{4}) GMT$", text, re.MULTILINE
    )
    if found:
        moment = datetime.strptime(found[1] + found[2], "%b %d %H:%M:%S %Y").replace(tzinfo=timezone.utc)
        then = str(int(moment.timestamp()))
        if openssl("ts", "-verify", "-data", name, "-in", stamp, "-CAfile", roots, "-attime", then)[0]:
            return moment
    fail(stamp, f"It is no stamp of {name} by an authority of {roots}.")
    return None


def utc(moment):
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def say_seen(seen, entries, heads, roots, made, witnesses):
    """When those outside saw what. An anchor speaks for all of it when its tree has the discards too, and so the rules
    and holds that they went by: a log can be written anew from the recordings on."""
    if made:
        print(f"By the authority's clock, this package was made before {utc(made)}. 证据包此时已存在")
    first = min((index for index, (_, one, _) in entries.items() if one["type"] in ("seg", "gap")), default=0)
    items = max(heads)
    all_of_it = max([items, *(index for index, (_, one, _) in entries.items() if one["type"] == "del")])
    is_anchored = False
    for key in sorted({one[3] or "" for one in seen}):
        who = f"witness {key.split('+')[0]}" if key else "the authority"
        if key and witnesses and key not in witnesses:
            print(f"{who} cosigned it, and is not among those that were named. 该见证者未列入")
            continue
        mine = [one for one in seen if (one[3] or "") == key]
        before = [when for _, when, index, _ in mine if index is not None and index < first]
        recorded = [when for old, when, _, _ in mine if old > items]
        whole = [when for old, when, _, _ in mine if old > all_of_it]
        if before:
            print(f"By {who}'s clock, all of it was recorded later than {utc(before[-1])}. 均晚于此时录制")
        if recorded and recorded[0] != (whole or [None])[0]:
            print(f"By {who}'s clock, nothing of it was recorded later than {utc(recorded[0])}. 录像此时之前均已存在")
        if whole:
            print(
                f"By {who}'s clock, nothing of it was recorded or discarded later than {utc(whole[0])}. "
                "录像和删除记录此时之前均已存在"
            )
            is_anchored = True
    for key in sorted(set(witnesses) - {one[3] for one in seen}):
        print(f"Nothing in this package is cosigned by {key}. 无该见证者的签名")
    if not is_anchored:
        print(
            "NOT ANCHORED: nobody outside is known by this package to have seen all of it; by the package alone, who has "
            "the recorder's key could have written it anew. 无外部时间戳或见证"
        )
    say_to_compare(seen, roots, made, witnesses)


def say_to_compare(seen, roots, made, witnesses):
    """Whose keys were taken from the package, and are to be compared with their own."""
    if roots == OWN_ROOTS and (made or any(one[3] is None for one in seen)):
        digest = sha256_of(OWN_ROOTS)
        print(
            f"The authority's certificates are those of the package (SHA-256 of {OWN_ROOTS}: {digest}): compare them "
            "with its own. 请核对时间戳机构证书"
        )
    if not witnesses:
        for key in sorted({one[3] for one in seen if one[3]}):
            print(f"The witness's key is that of the package: compare {key} with its own. 请核对见证者公钥")


def us(text):
    moment = datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc)
    return (moment - datetime(1970, 1, 1, tzinfo=timezone.utc)) // timedelta(microseconds=1)


def raw(body, name):
    """A text of an entry as JSON writes it, its quotes doubled: as the tables have it."""
    found = re.search(rf'"{name}":"((?:[^"\\]|\\.)*)"', body)
    return '"' + (found[1] if found else "").replace('\\"', '""') + '"'


def check_tables(entries):
    rows = ["entry,kind,item,start,end,cause,detail,sha256"]
    clocks = ["item,start,camera_clock_ahead_us,camera_clock_drift_ppb,written_down,box_time_us"]
    for index in sorted(entries):
        _, one, body = entries[index]
        kind = {"seg": "segment", "gap": "gap", "del": "discard", "breach": "breach"}.get(one["type"])
        if kind in ("discard", "breach"):
            until = one["until"] if kind == "breach" else ""
            rows.append(f"{index},{kind},{one['n0']}-{one['n1']},{one['at']},{until},,{raw(body, 'rule')},")
        elif kind:
            cells = [index, kind, one["n"], one["t0"], one["t1"], one.get("cause", ""), raw(body, "detail")]
            rows.append(",".join(map(str, [*cells, one.get("sha256", "")])))
        if kind == "segment":
            cells = [one["n"], one["t0"], one.get("clock_offset_us"), one.get("clock_drift_ppb"), one["at"]]
            clocks.append(",".join("" if one is None else str(one) for one in [*cells, one["elapsed_us"]]))
    for name, lines in (("timeline.csv", rows), ("clock.csv", clocks)):
        if read(name) != "".join(line + "\n" for line in lines).encode():
            fail(name, "It is not what the entries of the log say.")


def compact(text):
    """20261124T080000.000Z"""
    return re.sub("[-:]", "", text)[:19] + "Z"


def check_media(listed, items, stream):
    there = {}
    for name, digest in listed.items():
        found = re.fullmatch(r"media/([^/]+)/([0-9]+)-([^/]*)\.mp4", name)
        if not found:
            continue
        item = items.get(int(found[2])) if found[1] == stream else None
        if item is None or "sha256" not in item or compact(item["t0"]) != found[3]:
            fail(name, "No entry of the log tells of this file, by its stream, number and time.")
        elif item["sha256"] != digest:
            fail(name, "It is not what was recorded: its hash is not the one in the log.")
        else:
            there[int(found[2])] = name
    check_sm3({name: items[n]["sm3"] for n, name in there.items() if "sm3" in items[n]})
    return there


def check_sm3(told):
    if told and sm3() is None:
        print("This Python has no SM3: the SM3 of the media was not checked. 未校验 SM3")
        return
    for name, wanted in told.items():
        digest = sm3()
        with open(os.path.join(HERE, *name.split("/")), "rb") as stream:
            for piece in iter(lambda: stream.read(1 << 20), b""):
                digest.update(piece)
        if digest.hexdigest() != wanted:
            fail(name, "Its SM3 hash is not the one in the log.")


def check_films(listed, items, stream, there):
    """The originals of a run, one behind the other: the first whole, of the others what lies behind the beginning."""
    runs = {}
    for n in sorted(there):
        runs.setdefault(items[n]["run"], []).append(n)
    films = {name for name in listed if re.fullmatch(r"media/[^/]+/play[^/]*", name)}
    for run, numbers in runs.items():
        name, digest = f"media/{stream}/play-{run}.mp4", hashlib.sha256()
        for place, n in enumerate(numbers):
            with open(os.path.join(HERE, *there[n].split("/")), "rb") as stream_:
                stream_.seek(items[n]["init_bytes"] if place else 0)
                for piece in iter(lambda: stream_.read(1 << 20), b""):
                    digest.update(piece)
        if listed.get(name) != digest.hexdigest():
            fail(name, "It is not made of the originals.")
        films.discard(name)
    for name in sorted(films):
        fail(name, "No entry of the log tells of this film.")


def check_list(items, stream, there):
    second = any("sm3" in items[n] for n in there)
    rows = ["number,file,category,format,bytes,sha256,camera,start,end" + (",sm3" if second else "")]
    for number, n in enumerate(sorted(there), 1):
        one = items[n]
        what = [number, there[n], "original 原始录像", f"mp4 {one['codec']}", one["bytes"], one["sha256"]]
        more = [one.get("sm3", "")] if second else []
        rows.append(",".join(map(str, [*what, stream.rpartition(".")[0], one["t0"], one["t1"], *more])))
    if read("files.csv") != "".join(row + "\n" for row in rows).encode():
        fail("files.csv", "It is not what the entries of the log say.")


def chain_of(by_hash, ties):
    chain = {}
    for (n0, hash0), (n1, hash1) in zip(ties, ties[1:]):
        if n1 < n0:
            fail("proof/heads", "A later beat knows fewer items than an earlier one: there were two records.")
        n, digest = n1, hash1
        while n > n0:
            item = by_hash.get(digest)
            if item is None or item["n"] != n:
                fail("proof/leaves.jsonl", f"Item {n}, which what follows points back to, is not there.")
                break
            chain[n], n, digest = item, n - 1, item["prev"]
        if n == n0 and digest != hash0:
            fail("proof/leaves.jsonl", f"Item {n0 + 1} does not follow the item that the beat before it binds.")
    return chain


def ahead(entry):
    """How far local time was ahead of UTC, in seconds, as an entry has it; None: it does not say."""
    if "utc_offset_s" not in entry:
        return None
    found = entry["utc_offset_s"]
    if type(found) is not int or abs(found) > 50_400:
        raise ValueError("no offset from UTC")
    return found


def earliest(item, discard, days, zone):
    """00:00 behind so many whole days; the first is not counted (Civil Code, article 201).

    By local time when it was recorded, and when it was discarded, whichever is later. What says nothing of it was
    recorded at UTC+8, or before entries told it; then, as where nothing is known, the strictest of all zones counts.
    """
    t1, day, shanghai = us(item["t1"]), 86_400_000_000, 28_800
    before, after = ahead(item), ahead(discard)
    if after is None:
        is_known = before is None and zone == "Asia/Shanghai"  # as the package claims
    else:
        is_known = before is not None or after == shanghai
    if not is_known:
        return t1 + (days + 1) * day
    offsets = [(shanghai if one is None else one) * 1_000_000 for one in (before, after)]
    return max(((t1 - 1 + one) // day + days + 1) * day - one for one in offsets)


def is_rule(one, camera):
    """Whether an entry says for how long footage of the camera is kept."""
    return one["type"] == "camera" and one.get("op") == "rule" and one["camera"] == camera


def rules_at(index, kinds, camera):
    """By which rules footage of the camera was kept when that entry was written; and the hash over them."""
    rules = [(at, one["floor_days"]) for at, one in kinds if at < index and is_rule(one, camera)]
    return rules, hashlib.sha256("".join(f"{at} {days}\n" for at, days in rules).encode()).hexdigest()


def check_rules(entries, stream):
    """Discards say by which rules it was kept: whoever leaves one out must have lied in each since."""
    kinds = [(index, one) for index, (_, one, _) in sorted(entries.items())]
    for index, one in kinds:
        if one["type"] != "del" or one["stream"] != stream or "rules" not in one:
            continue
        if one["rules"] != rules_at(index, kinds, stream.rpartition(".")[0])[1]:
            fail("proof/leaves.jsonl", f"Not all rules that were in force at discard {index} are handed over.")


def ruled(item, rules):
    """For how many days it had to be kept: the longest of the rule in force when it was recorded, and of all later ones."""
    earlier = sum(1 for index, _ in rules if index < item["#"])
    return max((days for _, days in rules[max(earlier - 1, 0) :]), default=0)


def in_force_at(index, kinds):
    """The holds that were in force when that entry was written, by their numbers; and the hash over them."""
    released = {one["hold"]: at for at, one in kinds if one["type"] == "release"}
    found = sorted(
        (
            (hold["hold"], hold)
            for placed, hold in kinds
            if hold["type"] == "hold" and placed < index < released.get(hold["hold"], index + 1)
        ),
        key=lambda one: one[0],
    )
    lines = "".join(f"{number} {hold['record']}\n" for number, hold in found)
    return found, hashlib.sha256(lines.encode()).hexdigest()


def check_holds(entries):
    """Beats say which holds were in force: whoever leaves one out must have lied in every beat since."""
    kinds = [(index, one) for index, (_, one, _) in sorted(entries.items())]
    for index, beat in kinds:
        if beat["type"] == "beat" and "holds" in beat and beat["holds"] != in_force_at(index, kinds)[1]:
            fail("proof/leaves.jsonl", f"Not all holds that were in force at beat {index} are handed over.")


def objection(item, entries, stream, floor_days, zone):
    """What is held against every discard of it; empty: one was lawful, or broke the floor and the log admits it.

    And which of the two: true where it was too early.
    """
    why, is_admitted = "Its file is not there, and no entry says that it was discarded.", False
    camera = stream.rpartition(".")[0]
    kinds = [(index, one) for index, (_, one, _) in sorted(entries.items())]
    for index, one in kinds:
        if one["type"] != "del" or one["stream"] != stream or not one["n0"] <= item["n"] <= one["n1"]:
            continue
        rules, _ = rules_at(index, kinds, camera)
        t0, t1 = us(item["t0"]), us(item["t1"])
        age = aged(t1, us(one["at"]), one["elapsed_us"] - item["elapsed_us"])
        in_force, digest = in_force_at(index, kinds)
        if digest != one["holds"]:
            fail("proof/leaves.jsonl", "Not all holds that were in force at a discard are handed over.")
        on_it = [
            hold for _, hold in in_force if camera in hold["cameras"] and us(hold["t0"]) < t1 and t0 < us(hold["t1"])
        ]
        is_early = t1 + age < earliest(item, one, max(floor_days, one["floor_days"], ruled(item, rules)), zone)
        if is_early and not any(admits(said, at, item, stream, index) for at, said in kinds):
            why = "It was discarded before its time."
        elif on_it:
            why = "It was discarded while a hold lay on it."
        elif is_early:
            is_admitted = True
        else:
            return "", False
    return ("", True) if is_admitted else (why, False)


def aged(t1, wall, by_box):
    """The smaller of two ages. Of what by the wall is still to come box time counts alone, less a day and two hours."""
    return by_box - 93_600_000_000 if t1 > wall else min(wall - t1, by_box)


def admits(said, at, item, stream, index):
    """Whether an entry says, before that discard, that it breaks the floor of that item."""
    return (
        said["type"] == "breach" and said["stream"] == stream and at < index and said["n0"] <= item["n"] <= said["n1"]
    )


def check_claim(text):
    """Canonical JSON of known fields, or nothing of it is believed."""
    claim = json.loads(text)
    texts = ("box", "case", "end", "fingerprint", "made", "origin", "program", "start", "stream", "time_zone")
    if sorted(claim) != sorted([*texts, "floor_days", "format", "stamped"]) or not all(
        isinstance(claim[one], str) for one in texts
    ):
        raise ValueError("fields")
    canonical = json.dumps(claim, sort_keys=True, separators=(",", ":"), ensure_ascii=False) + "\n"
    if canonical.encode() != text or type(claim["floor_days"]) is not int or claim["format"] != 1:
        raise ValueError("form")
    if not 0 <= claim["floor_days"] <= 99_999 or not re.fullmatch("[A-Za-z0-9_+/-]+", claim["time_zone"]):
        raise ValueError("form")
    if type(claim["stamped"]) is not bool or not re.fullmatch(r'[^"\\\0-\x1f]+', claim["program"]):
        raise ValueError("form")
    if not all(MOMENT.fullmatch(claim[one]) for one in ("start", "end", "made")):
        raise ValueError("times")
    if not claim["start"] < claim["end"] <= claim["made"]:
        raise ValueError("an interval without length, or still to come")
    return claim


def main():
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")
    listed, sums = check_files()
    if listed is not None:
        check(listed, sums)
    print(f"NOT GOOD, problems: {len(PROBLEMS)}. 未通过校验" if PROBLEMS else "GOOD. 校验通过")
    return 1 if PROBLEMS else 0


def check(listed, sums):
    key, digest = read_key("keys/log.pub.pem")
    if not is_signature(key, sums, read("SHA256SUMS.sig")):
        fail("SHA256SUMS.sig", "It is not the signature of SHA256SUMS by this key.")
    origin, size, root = check_checkpoint(key)
    try:
        entries = check_entries(size, root)
        check_sm2(entries, origin, size)
        heads = check_heads(entries)
        check_succession(listed, entries, origin, (key, digest), sys.argv[1] if len(sys.argv) > 1 else None)
        roots = os.path.abspath(sys.argv[2]) if len(sys.argv) > 2 and sys.argv[2] else OWN_ROOTS
        seen = check_anchors(entries, origin, size, root, roots)
    except (ValueError, KeyError, TypeError, RecursionError) as err:
        fail("proof/leaves.jsonl", f"An entry cannot be read ({type(err).__name__}).")
        return
    first = entries.get(0, ("", {}, ""))[1]
    try:
        claim = check_claim(read("claim.json"))
        for name in ("start", "end", "made"):
            us(claim[name])
    except (ValueError, KeyError, TypeError, RecursionError) as err:
        fail("claim.json", f"What the package says of itself cannot be read ({err}).")
        return
    for name, mine in (("fingerprint", digest), ("origin", origin), ("box", first.get("box"))):
        if claim[name] != mine:
            fail("claim.json", f"Its {name} is not that of the log.")
    try:
        judge(claim, listed, entries, heads)
    except (ValueError, KeyError, TypeError, OverflowError, OSError) as err:
        fail("proof/leaves.jsonl", f"An entry cannot be read ({type(err).__name__}).")
    made = None
    if (claim["stamped"] or os.path.isdir(os.path.join(HERE, "proof", "anchors"))) and not shutil.which("openssl"):
        print("There is no openssl here: time stamps were not checked.")
    if claim["stamped"]:
        read("SHA256SUMS.tsr")  # that it is there needs no openssl
        made = check_stamp("SHA256SUMS", "SHA256SUMS.tsr", roots)
    elif os.path.exists(os.path.join(HERE, "SHA256SUMS.tsr")):
        fail("SHA256SUMS.tsr", "The package does not tell of it.")
    if not PROBLEMS:
        say_seen(seen, entries, heads, roots, made, sys.argv[3:])


OF_A_STREAM = ("seg", "gap", "del", "breach", "export", "view")


def judge(claim, listed, entries, heads):
    check_tables(entries)
    check_custody(entries)
    stream = claim["stream"]
    if not check_stream(entries, stream):
        return
    check_holds(entries)
    check_rules(entries, stream)
    chain = bound_chain(entries, heads, stream)
    there = check_media(listed, chain, stream)
    check_films(listed, chain, stream, there)
    check_list(chain, stream, there)
    early = check_missing(claim, entries, chain, there)
    if early and not PROBLEMS:
        print(
            f"BREACH: {early} segments were discarded before the law allowed it; the log admits it: the disk was full, "
            "and the recorder's owner had chosen to overwrite. 未满法定最短留存期即被覆盖，日志已载明"
        )


def check_custody(entries):
    told = "".join(body + "\n" for _, one, body in entries.values() if one["type"] in ("export", "view"))
    if read("custody.jsonl") != told.encode():
        fail("custody.jsonl", "It is not what the entries of the log say.")


def check_stream(entries, stream):
    """That they are of this stream, and whether their times can be read: nothing else can be said where not."""
    if any(one.get("stream") != stream for _, one, _ in entries.values() if one["type"] in OF_A_STREAM):
        fail("proof/leaves.jsonl", "There are entries of another stream.")
    for index, (_, one, _) in entries.items():
        try:
            if one["type"] in ("seg", "gap", "del"):
                ahead(one)
        except ValueError as err:
            fail("proof/leaves.jsonl", f"Entry {index} cannot be read ({err}).")
            return False
    return True


def bound_chain(entries, heads, stream):
    """The items that the beats bind, by number; there must be no other."""
    mine = {h: one for h, one, _ in entries.values() if one["type"] in ("seg", "gap") and one["stream"] == stream}
    camera = stream.rpartition(".")[0]
    told = [(h, one) for h, one, _ in entries.values() if one["type"] == "camera" and one.get("op") == "registered"]
    registered = [h for h, one in told if one["camera"] == camera]
    ties = [tuple(heads[index].get(stream, [-1, (registered or [""])[0]])) for index in sorted(heads)]
    if len(ties) < 2:
        fail("proof/heads", "There are not two beats that bind the interval.")
    chain = chain_of(mine, ties)
    for one in mine.values():
        if chain.get(one["n"]) is not one:
            fail("proof/leaves.jsonl", f"Item {one['n']} is not on the chain that the beats bind.")
    return chain


def check_missing(claim, entries, chain, there):
    """That items touch and account for the interval, and why what is not there was discarded. How many of it went
    before the law allowed it, as the log admits."""
    stream, start, end = claim["stream"], us(claim["start"]), us(claim["end"])
    numbers, early = sorted(chain), 0
    for index, (_, one, _) in entries.items():
        one["#"] = index  # by which `ruled` knows what was in force
    for n in numbers:
        item = chain[n]
        if n - 1 in chain and chain[n - 1]["t1"] != item["t0"]:
            fail("proof/leaves.jsonl", f"Item {n} does not start where the one before ended.")
        if item["type"] == "seg" and n not in there and us(item["t0"]) < end and us(item["t1"]) > start:
            why, is_early = objection(item, entries, stream, max(claim["floor_days"], 30), claim["time_zone"])
            early += is_early
            if why:
                fail(f"media/{stream}/{n}", why)
    if not numbers or us(chain[numbers[0]]["t0"]) > start or us(chain[numbers[-1]]["t1"]) < end:
        fail("claim.json", "The entries do not account for the whole interval that it names.")
    return early


if __name__ == "__main__":
    sys.exit(main())
