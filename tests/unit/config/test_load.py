"""The configuration, and what is said of its faults."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.errors import ConfigInvalid, Fault
from config.keeping import Protection, Wish
from config.load import load
from config.settings import CameraSettings, Settings
from config.volumes import VolumeWish

GOOD = """
[box]
name = "North"
data_dir = "kept"

[http]
port = 9000

[[cameras]]
id = "gate"
name = "Gate"
url = "rtsp://192.0.2.1/main"
username = "viewer"
password_file = "gate.password"
"""


def faults(tmp_path: Path, text: str, **environ: str) -> list[Fault]:
    path = tmp_path / "custos.toml"
    path.write_text(text)
    with pytest.raises(ConfigInvalid) as refused:
        load(path, environ)
    return list(refused.value.faults)


def test_nothing_told_gives_the_defaults(tmp_path: Path) -> None:
    """A newcomer needs no file."""
    settings = load(None, {})

    assert (settings.http.host, settings.http.port) == ("127.0.0.1", 8080)
    assert (settings.retention.floor_days, settings.retention.target_days) == (30, 31)


def test_paths_of_the_file_are_relative_to_the_file(tmp_path: Path) -> None:
    """Wherever the box is started from."""
    (tmp_path / "gate.password").write_text("planted")
    (tmp_path / "custos.toml").write_text(GOOD)

    settings = load(tmp_path / "custos.toml", {})

    assert settings.box.data_dir == tmp_path / "kept"
    assert settings.cameras[0].password_file == tmp_path / "gate.password"
    assert "planted" not in repr(settings)
    assert "planted" not in str(settings.canonical())


def test_the_place_of_the_key_is_a_token_or_a_fault(tmp_path: Path) -> None:
    """Or is told by the environment. A PIN in the URL is a fault, and is not shown: settings stand in the log."""
    url = "pkcs11:token=custos;object=log?module-path=/usr/lib/token.so&pin-source=file:/etc/custos/pin"
    assert load(None, {}).proof.key is None
    assert load(None, {"CUSTOS_PROOF__KEY": url}).proof.key == url
    with_pin = url.replace("pin-source=file:/etc/custos/pin", "pin-value=73519046")
    for text in ("keys/log.ed25519", with_pin):
        (fault,) = faults(tmp_path, f'[proof]\nkey = "{text}"\n')
        assert "[proof] key" in fault.where
        for language in ("en", "zh-CN"):
            assert "73519046" not in fault.sentence(language)
            assert "pkcs11:" in fault.sentence(language)


VOLUMES = """
[[volumes]]
name = "main"

[[volumes]]
name = "disk1"
path = "mnt/disk1"
reserve_bytes = 1000
"""


def test_volumes_are_named_in_the_file(tmp_path: Path) -> None:
    """Their folders are relative to it; without any there is the one inside the data directory."""
    (tmp_path / "gate.password").write_text("x")
    (tmp_path / "custos.toml").write_text(GOOD + 'volume = "disk1"\n' + VOLUMES)
    found = load(tmp_path / "custos.toml", {})

    assert found.wishes == (VolumeWish("main"), VolumeWish("disk1", tmp_path / "mnt/disk1", 1000))
    assert found.cameras[0].volume == "disk1"
    assert load(None, {}).wishes == ()


@pytest.mark.parametrize(
    ("text", "where", "words"),
    [
        (VOLUMES + '[[volumes]]\nname = "disk1"\npath = "x"\n', "line 10", "stands twice"),
        (VOLUMES + '[[volumes]]\nname = "disk2"\npath = "mnt/disk1"\n', "line 11", "stands twice"),
        ('[[volumes]]\nname = "disk1"\n', "[[volumes]] no. 1 path", "main alone has no path"),
        ('[[volumes]]\nname = "main"\npath = "x"\n', "line 3", "main alone has no path"),
        ('[[volumes]]\npath = "x"\n', "[[volumes]] no. 1 name", "missing"),
        (VOLUMES + '[[volumes]]\nname = "Disk 2"\npath = "y"\n', "line 10", "'Disk 2'"),
        ('[[cameras]]\nid = "a"\nname = "A"\nurl = "rtsp://h/1"\nvolume = "no"\n', "line 5", "there is no volume"),
    ],
)
def test_volumes_that_cannot_be(tmp_path: Path, text: str, where: str, words: str) -> None:
    """The place is told, and what is wrong there."""
    (fault,) = faults(tmp_path, text)

    assert where in fault.where
    assert words in fault.sentence()


def test_a_readable_password_is_allowed_by_word_only(tmp_path: Path) -> None:
    """It is off; for each camera it can be switched on, and nothing but yes or no is taken."""
    (tmp_path / "gate.password").write_text("planted")
    (tmp_path / "custos.toml").write_text(GOOD)
    assert not load(tmp_path / "custos.toml", {}).cameras[0].allow_basic
    (tmp_path / "custos.toml").write_text(GOOD + "allow_basic = true\n")
    assert load(tmp_path / "custos.toml", {}).cameras[0].allow_basic

    (fault,) = faults(tmp_path, GOOD + 'allow_basic = "perhaps"\n')
    assert "allow_basic" in fault.where
    assert "true or false" in fault.sentence()


def test_the_environment_overrides_the_file(tmp_path: Path) -> None:
    """Section by section: what it does not name stays."""
    (tmp_path / "gate.password").write_text("x")
    (tmp_path / "custos.toml").write_text(GOOD)

    settings = load(tmp_path / "custos.toml", {"CUSTOS_HTTP__PORT": "9001", "CUSTOS_BOX__DATA_DIR": "/elsewhere"})

    assert settings.http.port == 9001
    assert settings.box.name == "North"
    assert settings.box.data_dir == Path("/elsewhere")


def test_who_raises_only_the_floor_raises_the_target() -> None:
    """A target below the floor would be a contradiction that nobody meant."""
    assert load(None, {"CUSTOS_RETENTION__FLOOR_DAYS": "90"}).retention.target_days == 91


def test_every_fault_is_reported_at_once_with_its_line(tmp_path: Path) -> None:
    """One run of the program is enough to mend a file."""
    text = '[box]\nname = ""\nnam = "x"\n[http]\nport = 99999\n[retention]\nwhen_full = "burn"\n'

    found = faults(tmp_path, text, CUSTOS_RECORDING__SEGMENT_S="soon")

    assert [one.where for one in found] == [
        "custos.toml, line 2, [box] name",
        "custos.toml, line 3, [box] nam",
        "custos.toml, line 5, [http] port",
        "custos.toml, line 7, [retention] when_full",
        "environment variable CUSTOS_RECORDING__SEGMENT_S",
    ]
    assert "'name'" in found[1].expected
    assert all(one.expected and one.expected_zh and one.what_zh for one in found)


@pytest.mark.parametrize("days", ["29", "0", "-1", "30.5", '"many"'])
def test_a_floor_below_thirty_days_is_refused_with_the_reason(tmp_path: Path, days: str) -> None:
    """The law's article stands in the sentence."""
    (fault,) = faults(tmp_path, f"[retention]\nfloor_days = {days}\n")

    assert "Wuxi order 168, article 28" in fault.expected
    assert "第二十八条" in fault.expected_zh


def test_a_target_below_the_floor_is_refused(tmp_path: Path) -> None:
    """Footage cannot go before it may go."""
    (fault,) = faults(tmp_path, "[retention]\nfloor_days = 90\ntarget_days = 60\n")

    assert "target_days" in fault.where


def test_who_raises_the_floor_or_the_margin_means_the_target_too(tmp_path: Path) -> None:
    """It lies as far above the floor as footage may be kept without a purpose, unless one is told."""
    told = {"": (30, 31), "floor_days = 60": (60, 61), "margin_days = 5": (30, 35), "margin_days = 0": (30, 30)}
    told |= {"floor_days = 60\nmargin_days = 7": (60, 67), "floor_days = 60\ntarget_days = 90": (60, 90)}
    for text, days in told.items():
        (tmp_path / "custos.toml").write_text(f"[retention]\n{text}\n")
        retention = load(tmp_path / "custos.toml", {}).retention

        assert (retention.floor_days, retention.target_days) == days, text
    retention = load(None, {"CUSTOS_RETENTION__MARGIN_DAYS": "3"}).retention
    assert (retention.target_days, retention.defaults.margin_days) == (33, 3)


VAULT = '[[cameras]]\nid = "a"\nname = "A"\nurl = "rtsp://192.0.2.1/x"\n'


@pytest.mark.parametrize(
    ("said", "setting"),
    [
        ('protection = "counter_terrorism"\nfloor_days = 60', "floor_days"),
        ("floor_days = 29", "floor_days"),
        ("floor_days = 60\ntarget_days = 45", "target_days"),
        ('protection = "secret"', "protection"),
        ('purpose = ""', "purpose"),
    ],
)
def test_a_camera_that_cannot_be_kept_so_is_refused_by_the_setting_to_change(
    tmp_path: Path, said: str, setting: str
) -> None:
    """What was expected stands there in both languages; a floor that the law forbids of its kind is found too."""
    (fault,) = faults(tmp_path, VAULT + said + "\n")

    assert setting in fault.where
    assert fault.expected
    assert fault.expected_zh


def test_a_camera_of_the_file_is_kept_in_its_own_way(tmp_path: Path) -> None:
    """What it says is its wish; what it does not say, the box's."""
    said = 'protection = "counter_terrorism"\ntarget_days = 180\npurpose = "A building site"\n'
    (tmp_path / "custos.toml").write_text(VAULT + said)
    (camera,) = load(tmp_path / "custos.toml", {}).cameras

    assert camera.wish == Wish(Protection.COUNTER_TERRORISM, None, 180, "A building site")


def test_a_variable_that_is_no_setting_is_refused(tmp_path: Path) -> None:
    """A misspelt variable would be a setting without effect; one without a section is somebody else's."""
    (fault,) = faults(tmp_path, "", CUSTOS_HTTP__PROT="1", CUSTOS_TOKEN="x", OTHER__THING="y")

    assert fault.where == "environment variable CUSTOS_HTTP__PROT"
    assert "CUSTOS_HTTP__PORT" in fault.expected


def test_a_syntax_fault_names_line_and_column(tmp_path: Path) -> None:
    """As an editor shows them."""
    (fault,) = faults(tmp_path, "[box]\nname = North\n")

    assert "line 2, column 8" in fault.where


def test_a_secret_in_a_url_is_refused_and_not_shown(tmp_path: Path) -> None:
    """The sentence tells where it belongs; it does not repeat it."""
    text = '[[cameras]]\nid = "a"\nname = "A"\nurl = "rtsp://viewer:planted@192.0.2.1/x"\n'

    (fault,) = faults(tmp_path, text)

    assert "planted" not in fault.sentence("en") + fault.sentence("zh-CN")
    assert "password_file" in fault.expected


@pytest.mark.parametrize("url", ["exec:reboot", "192.0.2.1", "", "concat:a|b"])
def test_a_url_of_no_camera_is_refused(tmp_path: Path, url: str) -> None:
    """Above all one that would run a program."""
    assert len(faults(tmp_path, f'[[cameras]]\nid = "a"\nname = "A"\nurl = "{url}"\n')) == 1


def test_cameras_of_one_id_and_missing_password_files_are_faults(tmp_path: Path) -> None:
    """Each is told, with the number of its camera."""
    one = '[[cameras]]\nid = "a"\nname = "A"\nurl = "rtsp://192.0.2.1/x"\npassword_file = "none"\n'

    found = faults(tmp_path, one + one)

    assert len(found) == 3
    assert any("no. 2" in fault.where and "twice" in fault.what for fault in found)


def test_a_file_that_is_not_there_is_a_fault_not_a_trace(tmp_path: Path) -> None:
    """As is one that is no text, or far too large."""
    with pytest.raises(ConfigInvalid, match="cannot be read"):
        load(tmp_path / "none.toml", {})
    (tmp_path / "x").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigInvalid, match="UTF-8"):
        load(tmp_path / "x", {})
    (tmp_path / "y").write_bytes(b"#" * (1024 * 1024 + 1))
    with pytest.raises(ConfigInvalid, match="1 MB"):
        load(tmp_path / "y", {})


def outcome(path: Path) -> Settings | ConfigInvalid:
    try:
        return load(path, {})
    except ConfigInvalid as err:
        return err


@given(st.text(max_size=200))
def test_any_text_is_settings_or_faults(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    """No file makes anything but settings or `ConfigInvalid`."""
    path = tmp_path_factory.mktemp("any") / "custos.toml"
    path.write_text(text, encoding="utf-8", errors="replace")

    assert isinstance(outcome(path), Settings | ConfigInvalid)


def test_settings_do_not_change() -> None:
    """What the box was told at its start is what it was told."""
    camera = CameraSettings(id="a", name="A", url="rtsp://192.0.2.1/x")

    with pytest.raises(ValueError, match="frozen"):
        camera.enabled = False


NORTH = "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2"


def test_witnesses_are_named_with_their_keys(tmp_path: Path) -> None:
    """In the file as a table each, and in the environment as JSON."""
    (tmp_path / "custos.toml").write_text(f'[proof]\nwitnesses = [{{ url = "http://a", key = "{NORTH}" }}]\n')
    told = json.dumps([{"url": "https://b/witness", "key": NORTH}])

    of_file = load(tmp_path / "custos.toml", {}).proof.witnesses
    of_environment = load(None, {"CUSTOS_PROOF__WITNESSES": told}).proof.witnesses

    assert [(one.url, one.key) for one in (*of_file, *of_environment)] == [
        ("http://a", NORTH),
        ("https://b/witness", NORTH),
    ]


@pytest.mark.parametrize(
    ("entries", "where", "what"),
    [
        ('{ url = "ftp://a", key = "NORTH" }', "no. 1 url", "begins with http or https"),
        ('{ url = "http://me:planted@a", key = "NORTH" }', "no. 1 url", "user name or password"),
        ('{ url = "http://a", key = "NORTH2" }', "no. 1 key", "verifier key"),
        ('{ url = "http://a" }', "no. 1 key", "missing"),
        ('{ url = "http://a", key = "NORTH", kee = 1 }', "no. 1 kee", "no such key"),
        ('{ url = "http://a", key = "NORTH" }, { url = "http://b", key = "NORTH" }', "witnesses", "twice"),
        ('{ url = "http://me:planted@' + "a" * 2000 + '", key = "NORTH" }', "no. 1 url", "user name or password"),
        ('{ url = "http://' + "a" * 2000 + '", key = "NORTH" }', "no. 1 url", "cannot be taken"),
        ('"http://a"', "no. 1", "there"),
    ],
)
def test_a_witness_that_is_told_wrongly(tmp_path: Path, entries: str, where: str, what: str) -> None:
    """Which one, what is wrong with it, what is expected, in which line; a password is not shown."""
    (found,) = faults(tmp_path, f"[proof]\nwitnesses = [{entries.replace('NORTH', NORTH)}]\n")

    assert "custos.toml, line 2, [proof] witnesses" in found.where
    assert where in found.where
    assert what in found.what
    assert "planted" not in found.sentence() + found.sentence("zh-CN")


def test_an_address_among_others_is_told_by_its_number(tmp_path: Path) -> None:
    """With the words of the setting that it is part of."""
    (found,) = faults(tmp_path, '[proof]\ntsa_ca_file = "custos.toml"\ntsa_urls = ["http://a", "ftp://b"]\n')

    assert found.where == "custos.toml, line 3, [proof] tsa_urls no. 2"
    assert "RFC 3161" in found.expected
