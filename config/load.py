"""Reads `custos.toml` and the environment into settings, or says everything that is wrong with them at once.

Precedence: environment (`CUSTOS_HTTP__PORT`), then file, then the defaults of `config.settings`. Reading a password
file is left to whoever connects to the camera: only that it can be read is checked here.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import EnvSettingsSource

from config.errors import ConfigInvalid, Fault
from config.keeping import KeepingInvalid, terms_of
from config.settings import WORDS, Settings, WitnessSettings
from config.volumes import MAIN_VOLUME

FILE_LIMIT_BYTES = 1024 * 1024
"""A configuration file of more than this is another file."""

PREFIX = "CUSTOS_"
_LISTS = ("volumes", "cameras")
"""Sections of which there may be several."""

_SECTIONS = tuple(name for name in Settings.model_fields if name not in _LISTS)
_VARIABLES = [f"{PREFIX}{section}__{key}".upper() for section, key in WORDS if section in _SECTIONS]
_NEEDS = {"missing": ("it is missing", "缺少该项"), "extra_forbidden": ("there is no such key", "没有这一项")}
_SAID = {
    "time_zone": ("there is no such time zone", "没有该时区"),
    "url_scheme": ("that is not the URL of a camera", "不是采集设备的地址"),
    "url_secret": ("the URL contains a user name or password", "地址中含有用户名或密码"),
    "authority_scheme": ("that is not a URL that begins with http or https", "不是以 http 或 https 开头的地址"),
    "key_url": ("that names no key in a token", "不是令牌中密钥的地址"),
    "key_secret": ("the URL contains the PIN itself", "地址中含有 PIN"),
    "tsa_without_roots": ("tsa_urls stands there without tsa_ca_file", "设置了 tsa_urls 但没有 tsa_ca_file"),
    "witness_key": ("that is not the verifier key of a witness", "不是见证服务的验证公钥"),
    "witness_twice": ("a witness stands twice", "见证服务重复"),
    "target_below_floor": ("target_days lies below floor_days", "target_days 小于 floor_days"),
    "volume_path": ("main alone has no path, and every other volume has one", "只有 main 不设 path，其他卷必须设置"),
}
_POSITION = re.compile(r"\(at (?:line (\d+), column (\d+)|end of document)\)")


def load(path: Path | None, environ: Mapping[str, str]) -> Settings:
    """Read the settings.

    Args:
        path: the configuration file; None for defaults and environment alone.
        environ: the environment's variables.

    Raises:
        ConfigInvalid: with every fault found, in the order of the file, then of the environment.
    """
    text = "" if path is None else _read(path)
    told = {} if path is None else _parse(path, text)
    from_environment = _environment(environ)
    merged = {name: _merged(told.get(name), from_environment.get(name)) for name in {*told, *from_environment}}
    place = _Place(path, text, environ)
    faults = list(_unknown_variables(environ))
    try:
        settings = Settings.model_validate(merged)
    except ValidationError as err:
        raise ConfigInvalid([*sorted(map(place.fault, err.errors()), key=place.order), *faults]) from None
    faults = [
        *_proof_files(settings, path, place),
        *_volumes_apart(settings, place),
        *_cameras_apart(settings, place),
        *_cameras_kept(settings, place),
        *_camera_files(settings, path, place),
        *faults,
    ]
    if faults:
        raise ConfigInvalid(faults)
    return _absolute(settings, path, from_environment)


class _Place:
    """Tells where a setting stands: line and key of the file, or the variable that overrides it."""

    def __init__(self, path: Path | None, text: str, environ: Mapping[str, str]) -> None:
        self._name = "" if path is None else path.name
        self._lines = _lines(text)
        self._variables = {name.upper() for name in environ}

    def where(self, loc: tuple[int | str, ...]) -> str:
        """Of a setting, as people find it."""
        variable = PREFIX + "__".join(str(part) for part in loc).upper()
        if variable in self._variables:
            return f"environment variable {variable}"
        key = _words_of(loc)
        line = next((at for end in range(len(loc), 0, -1) if (at := self._lines.get(loc[:end]))), None)
        if not self._name:
            return key
        return f"{self._name}, line {line}, {key}" if line else f"{self._name}, {key}"

    def fault(self, error: ErrorDetails) -> Fault:
        """One of pydantic's errors in our words."""
        loc, kind = error["loc"], error["type"]
        if kind in _NEEDS:
            return self._key_fault(loc, kind)
        if kind in _OF_TWO:
            loc = (*loc, _OF_TWO[kind])
        expected = WORDS.get(_field(loc)) or ("a section of settings", "一组设置")
        what = _SAID.get(kind) or _shown(error, loc)
        return Fault(self.where(loc), what[0], expected[0], what[1], expected[1])

    def order(self, fault: Fault) -> tuple[int, str]:
        """File order, then what has no line."""
        found = re.search(r"line (\d+)", fault.where)
        return (int(found[1]) if found else 1 << 30, fault.where)

    def _key_fault(self, loc: tuple[int | str, ...], kind: str) -> Fault:
        what = _NEEDS[kind]
        if kind == "missing":
            expected = WORDS[_field(loc)]
            return Fault(self.where(loc), what[0], expected[0], what[1], expected[1])
        known = sorted(_known(loc))
        near = difflib.get_close_matches(str(loc[-1]), known, n=1)
        guess = (f"{near[0]!r} perhaps", f" {near[0]!r}") if near else ("", "")
        listed = f"one of {', '.join(known)}", f"{'、'.join(known)} 之一"
        return Fault(self.where(loc), what[0], guess[0] or listed[0], what[1], guess[1] or listed[1])


def _read(path: Path) -> str:
    try:
        if path.stat().st_size > FILE_LIMIT_BYTES:
            raise ConfigInvalid([Fault(path.name, "the file is larger than 1 MB", "settings", "文件超过 1 MB", "设置")])
        return path.read_text(encoding="utf-8")
    except OSError as err:
        reason = err.strerror or type(err).__name__
        fault = Fault(
            str(path), f"it cannot be read ({reason})", "a configuration file", f"无法读取（{reason}）", "配置文件"
        )
        raise ConfigInvalid([fault]) from err
    except UnicodeDecodeError as err:
        fault = Fault(
            str(path), "it is not UTF-8 text", "a TOML file in UTF-8", "不是 UTF-8 文本", "UTF-8 编码的 TOML 文件"
        )
        raise ConfigInvalid([fault]) from err


def _parse(path: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as err:
        found = _POSITION.search(str(err))
        place = f"line {found[1]}, column {found[2]}" if found and found[1] else "the end"
        what = _POSITION.sub("", str(err)).strip()
        fault = Fault(f"{path.name}, {place}", what, "TOML (https://toml.io)", f"语法错误（{what}）", "TOML 语法")
        raise ConfigInvalid([fault]) from err


def _environment(environ: Mapping[str, str]) -> dict[str, Any]:
    source = EnvSettingsSource(Settings)
    source.env_vars = {name.lower(): value for name, value in environ.items() if name.upper() in _VARIABLES}
    return dict(source())


def _merged(told: Any, overriding: Any) -> Any:
    if isinstance(told, dict) and isinstance(overriding, dict):
        return {**told, **overriding}
    return told if overriding is None else overriding


def _unknown_variables(environ: Mapping[str, str]) -> Iterator[Fault]:
    """A variable that looks like a setting and is none was misspelt: silence would be a setting without effect."""
    for name in sorted(environ):
        if name.upper().startswith(PREFIX) and "__" in name and name.upper() not in _VARIABLES:
            near = difflib.get_close_matches(name.upper(), _VARIABLES, n=1)
            expected = (f"{near[0]} perhaps", near[0]) if near else (", ".join(_VARIABLES), "、".join(_VARIABLES))
            yield Fault(
                f"environment variable {name}", "there is no such setting", expected[0], "没有这一设置", expected[1]
            )


def _volumes_apart(settings: Settings, place: _Place) -> Iterator[Fault]:
    """Two names for one folder would be two volumes on one disk; a camera can only be pinned to one that there is."""
    for key in ("name", "path"):
        seen: set[Any] = set()
        for at, volume in enumerate(settings.volumes):
            value, expected = getattr(volume, key), WORDS["volumes", key]
            if value is not None and value in seen:
                where = place.where(("volumes", at, key))
                yield Fault(where, f"{str(value)!r} stands twice", expected[0], f"{str(value)!r} 重复", expected[1])
            seen.add(value)
    names = {one.name for one in settings.volumes} or {MAIN_VOLUME}
    for at, camera in enumerate(settings.cameras):
        if camera.volume is not None and camera.volume not in names:
            where, expected = place.where(("cameras", at, "volume")), WORDS["cameras", "volume"]
            yield Fault(
                where,
                f"there is no volume {camera.volume!r}",
                expected[0],
                f"没有存储卷 {camera.volume!r}",
                expected[1],
            )


def _cameras_apart(settings: Settings, place: _Place) -> Iterator[Fault]:
    seen: set[str] = set()
    for at, camera in enumerate(settings.cameras):
        if camera.id in seen:
            expected = WORDS["cameras", "id"]
            where = place.where(("cameras", at, "id"))
            yield Fault(where, f"{camera.id!r} stands twice", expected[0], f"{camera.id!r} 重复", expected[1])
        seen.add(camera.id)


def _cameras_kept(settings: Settings, place: _Place) -> Iterator[Fault]:
    """What a camera says of its keeping must fit what the box says, and the law."""
    for at, camera in enumerate(settings.cameras):
        try:
            terms_of(settings.retention.defaults, camera.wish)
        except KeepingInvalid as err:
            where, expected = place.where(("cameras", at, err.setting)), WORDS["cameras", err.setting]
            yield Fault(where, str(err).removesuffix("."), expected[0], "天数不符合规定", expected[1])


_FILES = ("password_file", "ca_file")

_OF_TWO = {
    "target_below_floor": "target_days",
    "tsa_without_roots": "tsa_ca_file",
    "volume_path": "path",
    "witness_twice": "witnesses",
}
"""Faults that lie between two settings, told of the one that is to be changed."""


def _proof_files(settings: Settings, path: Path | None, place: _Place) -> Iterator[Fault]:
    named = settings.proof.tsa_ca_file
    file = None if named is None else _beside(path, named)
    if file is not None and not (file.is_file() and os.access(file, os.R_OK)):
        where, expected = place.where(("proof", "tsa_ca_file")), WORDS["proof", "tsa_ca_file"]
        yield Fault(where, f"{file} cannot be read", expected[0], f"无法读取 {file}", expected[1])


def _camera_files(settings: Settings, path: Path | None, place: _Place) -> Iterator[Fault]:
    for at, camera in enumerate(settings.cameras):
        for key in _FILES:
            named = getattr(camera, key)
            file = None if named is None else _beside(path, named)
            if file is not None and not (file.is_file() and os.access(file, os.R_OK)):
                where, expected = place.where(("cameras", at, key)), WORDS["cameras", key]
                yield Fault(where, f"{file} cannot be read", expected[0], f"无法读取 {file}", expected[1])


def _absolute(settings: Settings, path: Path | None, from_environment: Mapping[str, Any]) -> Settings:
    """Paths of the file are relative to the file, those of the environment to the current folder."""
    base = None if "data_dir" in from_environment.get("box", {}) else path
    box = settings.box.model_copy(update={"data_dir": _beside(base, settings.box.data_dir)})
    cameras = tuple(
        camera.model_copy(update={key: _beside(path, named) for key in _FILES if (named := getattr(camera, key))})
        for camera in settings.cameras
    )
    roots = settings.proof.tsa_ca_file
    of_file = None if "tsa_ca_file" in from_environment.get("proof", {}) else path
    proof = settings.proof.model_copy(update={"tsa_ca_file": None if roots is None else _beside(of_file, roots)})
    volumes = tuple(
        one if one.path is None else one.model_copy(update={"path": _beside(path, one.path)})
        for one in settings.volumes
    )
    return settings.model_copy(update={"box": box, "volumes": volumes, "cameras": cameras, "proof": proof})


def _beside(path: Path | None, other: Path) -> Path:
    return (other if path is None else path.parent / other).absolute()


def _field(loc: tuple[int | str, ...]) -> tuple[str, str]:
    """Section and key; what stands inside a key, such as the second of its addresses, is told of as that key."""
    return str(loc[0]), str(loc[-1] if loc[0] in _LISTS else loc[min(1, len(loc) - 1)])


def _known(loc: tuple[int | str, ...]) -> set[str]:
    if len(loc) == 1:
        return set(Settings.model_fields)
    if loc[:2] == ("proof", "witnesses"):
        return set(WitnessSettings.model_fields)
    return {key for section, key in WORDS if section == loc[0]}


def _words_of(loc: tuple[int | str, ...]) -> str:
    """`("http", "port")` as ``[http] port``; the second camera's name as ``[[cameras]] (2nd) name``."""
    if len(loc) == 1:
        return str(loc[0])
    if loc[0] in _LISTS:
        rest = f" {loc[2]}" if len(loc) > 2 else ""
        return f"[[{loc[0]}]] no. {int(loc[1]) + 1}{rest}"
    inside = "".join(f" no. {one + 1}" if isinstance(one, int) else f" {one}" for one in loc[2:])
    return f"[{loc[0]}] {loc[1]}{inside}"


_URLS = {("cameras", "url"), ("proof", "tsa_urls"), ("proof", "key"), ("proof", "witnesses")}


def _shown(error: ErrorDetails, loc: tuple[int | str, ...]) -> tuple[str, str]:
    """What stands there. A URL is not shown: there may be a password in it."""
    value = error.get("input")
    if _field(loc) in _URLS or isinstance(value, dict | list):
        return "what stands there cannot be taken", "该值无效"
    return f"{value!r} stands there", f"当前为 {value!r}"


def _lines(text: str) -> dict[tuple[int | str, ...], int]:
    """Where each section and key stands. A scan, not a parse: tomllib has found the file to be right already."""
    found: dict[tuple[int | str, ...], int] = {}
    section: tuple[int | str, ...] = ()
    counts: Counter[str] = Counter()
    for number, line in enumerate(text.splitlines(), 1):
        if head := re.match(r"\s*\[\[\s*(\w+)\s*\]\]", line):
            section = (head[1], counts[head[1]])
            counts[head[1]] += 1
        elif head := re.match(r"\s*\[\s*([\w.]+)\s*\]", line):
            section = tuple(head[1].split("."))
        elif key := re.match(r"\s*([\w-]+)\s*=", line):
            found.setdefault((*section, key[1]), number)
            continue
        else:
            continue
        found.setdefault(section, number)
    return found
