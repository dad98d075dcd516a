"""Writing files whole or not at all."""

import errno
import os
import stat
from pathlib import Path

import pytest

from aioregistry import files
from aioregistry.files import NotTextError, open_to_append, read_text, write_file
from tests.disks import full_disk


def test_content_takes_the_place_of_the_old(tmp_path):
    path = tmp_path / "plan.json"
    path.write_text("old, and longer")
    write_file(path, "néw")
    assert path.read_bytes() == "néw".encode()
    assert [one.name for one in tmp_path.iterdir()] == ["plan.json"]


def test_a_new_file_has_the_permissions_of_the_umask(tmp_path):
    before = os.umask(0o027)
    try:
        write_file(tmp_path / "report", b"x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "report").stat().st_mode) == 0o640


def test_the_permissions_of_the_old_file_stay(tmp_path):
    path = tmp_path / "report"
    path.write_text("old")
    path.chmod(0o604)
    write_file(path, b"x")
    assert stat.S_IMODE(path.stat().st_mode) == 0o604


def test_permissions_that_are_asked_for(tmp_path):
    path = tmp_path / "secret"
    path.write_text("old")
    write_file(path, b"x", mode=0o600)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_link_stays_and_its_target_is_written(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "there" / "file")
    write_file(tmp_path / "link", "x")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "there" / "file").read_text() == "x"


def test_a_device_is_written_to_and_stays():
    write_file(files.Path("/dev/null"), "x")
    assert not files.Path("/dev/null").is_file()


@pytest.mark.parametrize("fails", ["fsync", "write"])
def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, fails):
    path = tmp_path / "plan.json"
    path.write_text("old")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    if fails == "fsync":
        monkeypatch.setattr(os, "fsync", fail)
    else:
        monkeypatch.setattr(files.Path, "replace", fail)
    with pytest.raises(OSError, match="No space"):
        write_file(path, "new")
    assert path.read_text() == "old"
    assert [one.name for one in tmp_path.iterdir()] == ["plan.json"]


def test_what_cannot_be_written_has_the_name_of_the_file(tmp_path):
    with full_disk(4), pytest.raises(OSError, match="too large") as failed:
        write_file(tmp_path / "plan.json", "a plan")
    assert failed.value.filename == str(tmp_path / "plan.json")
    with pytest.raises(FileNotFoundError) as failed:
        write_file(tmp_path / "folder/plan.json", "a plan")
    assert failed.value.filename == str(tmp_path / "folder/plan.json")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be"])
def test_a_text_is_read_as_editors_leave_it(tmp_path, encoding):
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    (tmp_path / "text").write_bytes(f"{mark}näme\r\n\ufeffother\n".encode(encoding))
    assert read_text(tmp_path / "text") == "näme\n\ufeffother\n"


def test_what_cannot_be_read_has_the_name_of_the_file(tmp_path, monkeypatch):
    def broken(path):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(Path, "read_bytes", broken)
    with pytest.raises(OSError, match="Input/output error") as failed:
        read_text(tmp_path / "policy.toml")
    assert failed.value.filename == str(tmp_path / "policy.toml")


@pytest.mark.parametrize("data", [b"caf\xe9", b"\xff\xfea", b"\xff\xfe\x00\xd8"])
def test_what_is_no_text_is_refused_with_its_name(tmp_path, data):
    path = tmp_path / "text"
    path.write_bytes(data)
    with pytest.raises(NotTextError, match="text: not a text in UTF-8"):
        read_text(path)


def test_what_is_appended_is_no_text_where_that_is_another_thing(tmp_path, monkeypatch):
    """Windows writes two bytes for a line break to a file that is opened without this flag."""
    flags = []
    opened = os.open

    def noted(path, given, mode):
        flags.append(given)
        return opened(path, given, mode)

    monkeypatch.setattr(os, "O_BINARY", os.O_SYNC, raising=False)
    monkeypatch.setattr(os, "open", noted)
    os.close(open_to_append(tmp_path / "journal"))
    assert flags[0] & os.O_SYNC == os.O_SYNC


def test_all_files_that_are_appended_to_are_opened_in_one_place():
    package = Path(files.__file__).parent
    places = [one for one in package.rglob("*.py") if "os.O_APPEND" in one.read_text()]
    assert places == [package / "files.py"]
