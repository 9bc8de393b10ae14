"""A file system that forgets what was not made durable, when the power goes. It is served by a process of its own.

It speaks to the kernel by /dev/fuse, with no library between (linux/fuse.h, protocol 7), keeps everything in memory,
and knows of each file and folder what was last made durable. At the change of the number that it was told it writes
down what the disk would have (`lottery`), says so, and from then on answers everything with an I/O error.

The kernel does not tell syncfs(2) to such a file system (it does so to virtiofs alone); setting the extended attribute
`user.syncfs` of any file says the same.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import random
import stat
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.fakes.lottery import Lottery

SYNC_ATTRIBUTE = "user.syncfs"
READ_BYTES = 132 * 1024 + 4096
WRITE_BYTES = 128 * 1024
ROOT = 1
FOR_LONG_S = 1 << 30
_BIG_WRITES, _KEEP_CACHE, _NOSUID_NODEV, _DETACH = 1 << 5, 2, 6, 2
_HEAD, _ANSWER = struct.Struct("<IIQQIIIHH"), struct.Struct("<IiQ")
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass
class Node:
    """A file, or a folder, as it is and as it was when it was last made durable."""

    mode: int
    data: bytearray = field(default_factory=bytearray)
    names: dict[str, int] = field(default_factory=dict)
    durable_data: bytes = b""
    durable_names: dict[str, int] = field(default_factory=dict)

    @property
    def is_folder(self) -> bool:
        return stat.S_ISDIR(self.mode)

    def made_durable(self) -> None:
        self.durable_data, self.durable_names = bytes(self.data), dict(self.names)


class Forgetful:
    """The tree, and what is asked of it."""

    def __init__(self, source: Path, after: Path, cut_at: int, seed: int, say: Callable[[str], None]) -> None:
        self._nodes: dict[int, Node] = {}
        self._read(source, ROOT)
        self._say = say
        self._after, self._cut_at, self._changes, self._is_cut = after, cut_at, 0, False
        self._lottery = Lottery(random.Random(seed))
        self._hidden: set[int] = set()
        """Shared memory of SQLite: no file."""
        self._answers: dict[int, Callable[[int, bytes], bytes]] = {
            1: self._look_up, 3: self._attributes, 4: self._set, 9: self._make_folder, 10: self._unlink,
            11: self._unlink, 12: lambda node, body: self._rename(node, body, 8), 14: self._open, 15: self._read_file,
            16: self._write, 17: self._space, 18: _nothing, 20: self._sync, 21: self._set_attribute, 25: _nothing,
            26: self._begin, 27: self._open, 28: self._list, 29: _nothing, 30: self._sync, 34: _nothing,
            35: self._create, 38: _nothing, 45: lambda node, body: self._rename(node, body, 16),
        }  # fmt: skip

    def _read(self, source: Path, number: int) -> None:
        node = self._nodes[number] = Node(source.stat().st_mode)
        if node.is_folder:
            for path in sorted(source.iterdir()):
                child = len(self._nodes) + 1
                node.names[path.name] = child
                self._read(path, child)
        else:
            node.data += source.read_bytes()
        node.made_durable()

    def answer(self, request: bytes) -> bytes | None:
        """To one request of the kernel; None: it wants none."""
        _, what, unique, node, *_ = _HEAD.unpack_from(request)
        if what in (2, 42):  # FORGET: numbers are never used again
            return None
        if what == 36:  # INTERRUPT: everything is done at once
            return None
        try:
            if self._is_cut:
                raise OSError(errno.EIO, "the power is gone")
            handler = self._answers.get(what)
            if handler is None:
                raise OSError(errno.ENOSYS, "unknown")
            body = handler(node, request[_HEAD.size :])
        except OSError as err:
            return _ANSWER.pack(_ANSWER.size, -(err.errno or errno.EIO), unique)
        return _ANSWER.pack(_ANSWER.size + len(body), 0, unique) + body

    def _change(self, *numbers: int) -> None:
        """Before each change, and each call that makes one last."""
        if self._hidden & set(numbers):
            return
        self._changes += 1
        if self._changes == self._cut_at:
            self._is_cut = True
            self._found(ROOT, self._after)
            self._say("cut")
            raise OSError(errno.EIO, "the power is gone")

    def _found(self, number: int, into: Path) -> None:
        node = self._nodes[number]
        if not node.is_folder:
            into.write_bytes(self._lottery.content(node.durable_data, bytes(node.data)))
            into.chmod(stat.S_IMODE(node.mode))
            return
        into.mkdir()
        for name, child in self._lottery.names(node.durable_names, node.names).items():
            if not name.endswith("-shm"):
                self._found(child, into / name)

    # -- names

    def _child(self, parent: int, name: str) -> int:
        if name not in self._nodes[parent].names:
            raise OSError(errno.ENOENT, name)
        return self._nodes[parent].names[name]

    def _look_up(self, parent: int, body: bytes) -> bytes:
        return self._entry(self._child(parent, _text(body)))

    def _new(self, parent: int, name: str, mode: int) -> int:
        number = len(self._nodes) + 1
        if name.endswith("-shm"):
            self._hidden.add(number)
        self._change(number)
        if name in self._nodes[parent].names:
            raise OSError(errno.EEXIST, name)
        self._nodes[number] = Node(mode)
        self._nodes[parent].names[name] = number
        return number

    def _make_folder(self, parent: int, body: bytes) -> bytes:
        mode, umask = struct.unpack_from("<II", body)
        return self._entry(self._new(parent, _text(body[8:]), stat.S_IFDIR | mode & ~umask))

    def _create(self, parent: int, body: bytes) -> bytes:
        _, mode, umask = struct.unpack_from("<III", body)
        return self._entry(self._new(parent, _text(body[16:]), mode & ~umask)) + self._open(parent, body)

    def _unlink(self, parent: int, body: bytes) -> bytes:
        number = self._child(parent, _text(body))
        self._change(number)
        del self._nodes[parent].names[_text(body)]
        return b""

    def _rename(self, parent: int, body: bytes, head_bytes: int) -> bytes:
        (target,) = struct.unpack_from("<Q", body)
        old, new = body[head_bytes:].split(b"\0")[:2]
        number = self._child(parent, old.decode())
        self._change(number)
        del self._nodes[parent].names[old.decode()]
        self._nodes[target].names[new.decode()] = number
        return b""

    def _list(self, number: int, body: bytes) -> bytes:
        _, offset, size = struct.unpack_from("<QQI", body)
        out = bytearray()
        for at, (name, child) in enumerate(self._nodes[number].names.items(), 1):
            if at <= offset:
                continue
            raw = name.encode()
            one = struct.pack("<QQII", child, at, len(raw), self._nodes[child].mode >> 12) + raw
            one += bytes(-len(one) % 8)
            if len(out) + len(one) > size:
                break
            out += one
        return bytes(out)

    # -- contents

    def _open(self, _number: int, _body: bytes) -> bytes:
        return struct.pack("<QII", 0, _KEEP_CACHE, 0)

    def _read_file(self, number: int, body: bytes) -> bytes:
        _, offset, size = struct.unpack_from("<QQI", body)
        return bytes(self._nodes[number].data[offset : offset + size])

    def _write(self, number: int, body: bytes) -> bytes:
        _, offset, size = struct.unpack_from("<QQI", body)
        self._change(number)
        data = self._nodes[number].data
        if offset > len(data):
            data += bytes(offset - len(data))
        data[offset : offset + size] = body[40 : 40 + size]
        return struct.pack("<II", size, 0)

    def _set(self, number: int, body: bytes) -> bytes:
        valid, _, _, size = struct.unpack_from("<IIQQ", body)
        node = self._nodes[number]
        if valid & 8:
            self._change(number)
            del node.data[size:]
            node.data += bytes(size - len(node.data))
        if valid & 1:
            node.mode = stat.S_IFMT(node.mode) | stat.S_IMODE(struct.unpack_from("<I", body, 68)[0])
        return self._attributes(number, b"")

    def _sync(self, number: int, _body: bytes) -> bytes:
        self._change(number)
        self._nodes[number].made_durable()
        return b""

    def _set_attribute(self, _number: int, body: bytes) -> bytes:
        if _text(body[8:]) != SYNC_ATTRIBUTE:
            raise OSError(errno.EOPNOTSUPP, "unknown")
        self._change()
        for node in self._nodes.values():
            node.made_durable()
        return b""

    # -- facts

    def _begin(self, _number: int, body: bytes) -> bytes:
        major, minor, readahead, flags = struct.unpack_from("<IIII", body)
        told = struct.pack("<IIIIHHII", major, min(minor, 31), readahead, flags & _BIG_WRITES, 16, 12, WRITE_BYTES, 1)
        return told + bytes(64 - len(told))

    def _facts(self, number: int) -> bytes:
        node, now_s = self._nodes[number], int(time.time())
        size = len(node.data)
        owner = (os.getuid(), os.getgid())
        times = (now_s, now_s, now_s, 0, 0, 0)
        return struct.pack("<QQQQQQIIIIIIIIII", number, size, -(-size // 512), *times, node.mode, 1, *owner, 0, 4096, 0)

    def _entry(self, number: int) -> bytes:
        return struct.pack("<QQQQII", number, 0, FOR_LONG_S, FOR_LONG_S, 0, 0) + self._facts(number)

    def _attributes(self, number: int, _body: bytes) -> bytes:
        return struct.pack("<QII", FOR_LONG_S, 0, 0) + self._facts(number)

    def _space(self, _number: int, _body: bytes) -> bytes:
        return struct.pack("<QQQQQIIII", 1 << 28, 1 << 28, 1 << 28, 1 << 20, 1 << 20, 4096, 255, 4096, 0) + bytes(24)


def _nothing(_number: int, _body: bytes) -> bytes:
    return b""


def _text(body: bytes) -> str:
    return body.partition(b"\0")[0].decode()


def mount(at: Path) -> int:
    """Mount it there; the kernel's end of the talk.

    Raises:
        OSError: there is no FUSE here, or no right to mount.
    """
    handle = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
    told = f"fd={handle},rootmode=40000,user_id={os.getuid()},group_id={os.getgid()}"
    if _libc.mount(b"forgetful", os.fsencode(at), b"fuse", _NOSUID_NODEV, told.encode()):
        code = ctypes.get_errno()
        os.close(handle)
        raise OSError(code, os.strerror(code))
    return handle


def unmount(at: Path) -> None:
    """Take it away, whoever uses it still; harmless where it is not mounted."""
    _libc.umount2(os.fsencode(at), _DETACH)


def missing(at: Path) -> str:
    """Why there can be none here; empty where there can."""
    try:
        handle = mount(at)
    except OSError as err:
        return f"needs /dev/fuse and the right to mount ({err.strerror})"
    unmount(at)
    os.close(handle)
    return ""


def serve(tree: Forgetful, handle: int) -> None:
    """Answer until it is unmounted."""
    while True:
        try:
            request = os.read(handle, READ_BYTES)
        except OSError as err:
            if err.errno == errno.ENODEV:
                return
            if err.errno in (errno.EINTR, errno.ENOENT):  # who asked is gone
                continue
            raise
        answer = tree.answer(request)
        if answer is not None:
            with contextlib.suppress(FileNotFoundError):  # likewise
                os.write(handle, answer)
