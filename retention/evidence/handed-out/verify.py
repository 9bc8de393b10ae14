#!/usr/bin/env python3
"""Checks this evidence package with Python's standard library alone (3.9 or later).

    python3 verify.py FINGERPRINT

FINGERPRINT is that of the recorder's key, from its acceptance papers. Without it this only shows that the package is
all of one piece, not whose it is. Nothing of the recorder that made it is used or believed; it can be read in ten
minutes. Exit code 0: all holds. 1: something does not, and what is said.
"""

import base64
import hashlib
import json
import os
import re
import sys
from datetime import datetime, timedelta, timezone

HERE = os.path.dirname(os.path.abspath(__file__))
PROBLEMS = []


def fail(name, what):
    PROBLEMS.append((name, what))
    print(f"FAIL {name}: {what}")


NUMBER = r"(?:0|[1-9][0-9]{0,15})"
STREAM = r"[a-z0-9][a-z0-9_-]*\.[a-z]+"
NAMES = re.compile(
    r"README\.txt|说明\.txt|verify\.(?:sh|py)|SHA256SUMS(?:\.sig)?|claim\.json|custody\.jsonl"
    r"|(?:timeline|clock|files)\.csv|keys/log\.pub\.pem|proof/(?:checkpoint|leaves\.jsonl|paths\.txt|heads/"
    + NUMBER
    + r"\.json)|media/"
    + STREAM
    + "/(?:"
    + NUMBER
    + r"-[0-9]{8}T[0-9]{6}\.[0-9]{3}Z|play-"
    + NUMBER
    + r")\.mp4"
)
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


# The steps, in the order of verify.sh.


def check_files():
    """There are files of known names alone; each is listed, each listed one is there, and is what it was."""
    there = set()
    for folder, folders, names in os.walk(HERE):
        for one in folders + names:
            path = os.path.join(folder, one)
            name = os.path.relpath(path, HERE).replace(os.sep, "/")
            if os.path.islink(path) or not (os.path.isdir(path) or os.path.isfile(path)):
                fail(name, "It is neither a file nor a folder.")
            elif os.path.isfile(path) and not NAMES.fullmatch(name):
                fail(name, "No file of a package has such a name.")
            elif os.path.isfile(path) and name not in ("SHA256SUMS", "SHA256SUMS.sig"):
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
        elif sha256_of(name) != listed[name]:
            fail(name, "It was changed: its hash is not the listed one.")
    for name in sorted(set(listed) - there):
        fail(name, "It is listed, and not there.")
    return {name: digest for name, digest in listed.items() if name in there}, text


def check_key(expected):
    pem = read("keys/log.pub.pem").decode("ascii", "replace")
    found = re.fullmatch(r"-----BEGIN PUBLIC KEY-----\s+([A-Za-z0-9+/=\s]+?)\s+-----END PUBLIC KEY-----\s*", pem)
    try:
        der = base64.b64decode("".join(found[1].split()), validate=True) if found else b""
    except ValueError:
        der = b""
    if der[:-32] != bytes.fromhex("302a300506032b6570032100"):  # RFC 8410
        fail("keys/log.pub.pem", "It is no public key of Ed25519.")
    digest = hashlib.sha256(der).hexdigest()
    if expected is None:
        print(f"The key's fingerprint is {digest}: compare it with the acceptance papers.")
    elif digest != re.sub("[: ]", "", expected).lower():
        fail("keys/log.pub.pem", f"The key's fingerprint is {digest}: not that of the papers.")
    return der[-32:], digest


def check_checkpoint(key):
    body, _, lines = read("proof/checkpoint").decode("utf-8", "replace").partition("\n\n")
    origin, size, root = (body.split("\n") + ["", "", ""])[:3]
    for line in lines.splitlines():
        words = line.split(" ")
        try:
            if not re.fullmatch(NUMBER, size):
                break
            if words[1:2] == [origin] and is_signature(key, (body + "\n").encode(), base64.b64decode(words[2])[4:]):
                return origin, int(size), base64.b64decode(root)
        except (ValueError, IndexError):
            break
    fail("proof/checkpoint", "It was not signed with this key.")
    return origin, 0, b""


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
        entries[index] = (digest.hex(), json.loads(body), body.decode())
    return entries


def check_heads(entries):
    heads = {}
    folder = os.path.join(HERE, "proof", "heads")
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
        index, text = name.partition(".")[0], read(f"proof/heads/{name}")
        beat = entries.get(int(index), ("", {}, ""))[1]
        if beat.get("type") != "beat" or beat.get("heads") != hashlib.sha256(text).hexdigest():
            fail(f"proof/heads/{name}", f"It is not what the beat of entry {index} binds.")
        else:
            heads[int(index)] = json.loads(text)
    return heads


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
        kind = {"seg": "segment", "gap": "gap", "del": "discard"}.get(one["type"])
        if kind == "discard":
            rows.append(f"{index},discard,{one['n0']}-{one['n1']},{one['at']},,,{raw(body, 'rule')},")
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
    return there


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
    rows = ["number,file,category,format,bytes,sha256,camera,start,end"]
    for number, n in enumerate(sorted(there), 1):
        one = items[n]
        what = [number, there[n], "original 原始录像", f"mp4 {one['codec']}", one["bytes"], one["sha256"]]
        rows.append(",".join(map(str, [*what, stream.rpartition(".")[0], one["t0"], one["t1"]])))
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


def objection(item, entries, stream, floor_days, zone):
    """Why no discard of it was lawful; empty: one was."""
    why = "Its file is not there, and no entry says that it was discarded."
    camera = stream.rpartition(".")[0]
    kinds = [(index, one) for index, (_, one, _) in sorted(entries.items())]
    released = {one["hold"]: index for index, one in kinds if one["type"] == "release"}
    for index, one in kinds:
        if one["type"] != "del" or one["stream"] != stream or not one["n0"] <= item["n"] <= one["n1"]:
            continue
        t0, t1 = us(item["t0"]), us(item["t1"])
        age = min(us(one["at"]) - t1, one["elapsed_us"] - item["elapsed_us"])
        in_force = sorted(
            (hold["hold"], hold)
            for placed, hold in kinds
            if hold["type"] == "hold" and placed < index and released.get(hold["hold"], index + 1) > index
        )
        lines = "".join(f"{number} {hold['record']}\n" for number, hold in in_force)
        if hashlib.sha256(lines.encode()).hexdigest() != one["holds"]:
            fail("proof/leaves.jsonl", "Not all holds that were in force at a discard are handed over.")
        on_it = [
            hold for _, hold in in_force if camera in hold["cameras"] and us(hold["t0"]) < t1 and t0 < us(hold["t1"])
        ]
        if t1 + age < earliest(item, one, max(floor_days, one["floor_days"]), zone):
            why = "It was discarded before its time."
        elif on_it:
            why = "It was discarded while a hold lay on it."
        else:
            return ""
    return why


def check_claim(text):
    """Canonical JSON of known fields, or nothing of it is believed."""
    claim = json.loads(text)
    texts = ("box", "case", "end", "fingerprint", "made", "origin", "program", "start", "stream", "time_zone")
    if sorted(claim) != sorted([*texts, "floor_days", "format"]) or not all(
        isinstance(claim[one], str) for one in texts
    ):
        raise ValueError("fields")
    canonical = json.dumps(claim, sort_keys=True, separators=(",", ":"), ensure_ascii=False) + "\n"
    if canonical.encode() != text or type(claim["floor_days"]) is not int or claim["format"] != 1:
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
    print(f"NOT GOOD: {len(PROBLEMS)} problems. 未通过校验" if PROBLEMS else "GOOD. 校验通过")
    return 1 if PROBLEMS else 0


def check(listed, sums):
    key, digest = check_key(sys.argv[1] if len(sys.argv) > 1 else None)
    if not is_signature(key, sums, read("SHA256SUMS.sig")):
        fail("SHA256SUMS.sig", "It is not the signature of SHA256SUMS by this key.")
    origin, size, root = check_checkpoint(key)
    try:
        entries = check_entries(size, root)
        heads = check_heads(entries)
    except (ValueError, KeyError, TypeError, RecursionError) as err:
        fail("proof/leaves.jsonl", f"An entry cannot be read ({type(err).__name__}).")
        return
    first = entries.get(0, ("", {}, ""))[1]
    if (first.get("type"), first.get("key"), first.get("origin")) != ("genesis", digest, origin):
        fail("proof/leaves.jsonl", "The log does not begin with this key and name: it is another box's.")
    try:
        claim = check_claim(read("claim.json"))
    except (ValueError, KeyError, TypeError, RecursionError) as err:
        fail("claim.json", f"What the package says of itself cannot be read ({err}).")
        return
    for name, mine in (("fingerprint", digest), ("origin", origin), ("box", first.get("box"))):
        if claim[name] != mine:
            fail("claim.json", f"Its {name} is not that of the log.")
    judge(claim, listed, entries, heads)


def judge(claim, listed, entries, heads):
    check_tables(entries)
    told = "".join(body + "\n" for _, one, body in entries.values() if one["type"] == "export")
    if read("custody.jsonl") != told.encode():
        fail("custody.jsonl", "It is not what the entries of the log say.")
    stream, start, end = claim["stream"], us(claim["start"]), us(claim["end"])
    if any(one["stream"] != stream for _, one, _ in entries.values() if one["type"] in ("seg", "gap", "del")):
        fail("proof/leaves.jsonl", "There are entries of another stream.")
    for index, (_, one, _) in entries.items():
        try:
            if one["type"] in ("seg", "gap", "del"):
                ahead(one)
        except ValueError as err:
            fail("proof/leaves.jsonl", f"Entry {index} cannot be read ({err}).")
            return
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
    there = check_media(listed, chain, stream)
    check_films(listed, chain, stream, there)
    check_list(chain, stream, there)
    numbers = sorted(chain)
    for n in numbers:
        item = chain[n]
        if n - 1 in chain and chain[n - 1]["t1"] != item["t0"]:
            fail("proof/leaves.jsonl", f"Item {n} does not start where the one before ended.")
        if item["type"] == "seg" and n not in there and us(item["t0"]) < end and us(item["t1"]) > start:
            why = objection(item, entries, stream, max(claim["floor_days"], 30), claim["time_zone"])
            if why:
                fail(f"media/{stream}/{n}", why)
    if not numbers or us(chain[numbers[0]]["t0"]) > start or us(chain[numbers[-1]]["t1"]) < end:
        fail("claim.json", "The entries do not account for the whole interval that it names.")


if __name__ == "__main__":
    sys.exit(main())
