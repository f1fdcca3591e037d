"""Remembered digests: contents decide, and nothing that changed is taken for what it was."""

import hashlib
import os
import pickle
import time
from pathlib import Path

import pytest

from pipeline.io import digest_table, digests
from pipeline.io.cache import cache_folder
from pipeline.io.digests import MISSING, ContentDigest, digest_file, digest_files, remembered


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder with a file; the user's cache is empty, and every process is a new one."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(digests, "_stores", {})
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a").write_bytes(b"content")
    return tmp_path / "data"


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files count as settled at once."""
    monkeypatch.setattr(digests, "SETTLED", -1.0)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that are read."""
    read: list[str] = []
    hash_file = digests.hash_file

    def counted(path: str, key: digests.Key) -> tuple[bytes, bool]:
        read.append(os.path.basename(path))
        return hash_file(path, key)

    monkeypatch.setattr(digests, "hash_file", counted)
    return read


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def next_process() -> None:
    digests._stores.clear()


def test_another_process_does_not_read_a_file_again(folder: Path, settled: None, reads: list[str]) -> None:
    for _ in range(3):
        next_process()
        with remembered("own.json"):
            assert digest_file(folder / "a") == sha256(b"content")
    assert reads == ["a"]


def test_a_change_is_noticed_whatever_the_size_and_the_time_of_writing_say(folder: Path, settled: None) -> None:
    file, ns = folder / "a", (folder / "a").stat().st_mtime_ns
    with remembered("own.json"):
        digest_file(file)
    time.sleep(0.02)  # the clock of file systems ticks every few milliseconds
    file.write_bytes(b"Content")
    os.utime(file, ns=(ns, ns))
    next_process()
    with remembered("own.json"):
        assert digest_file(file) == sha256(b"Content")


def test_a_file_that_was_exchanged_is_noticed(folder: Path, settled: None) -> None:
    file, ns = folder / "a", (folder / "a").stat().st_mtime_ns
    with remembered("own.json"):
        digest_file(file)
        (folder / "b").write_bytes(b"Content")
        os.utime(folder / "b", ns=(ns, ns))
        (folder / "b").rename(file)
        assert digest_file(file) == sha256(b"Content")


def test_a_file_that_has_just_changed_is_read_every_time(folder: Path, reads: list[str]) -> None:
    with remembered("own.json"):
        digest_file(folder / "a")
        digest_file(folder / "a")
    assert reads == ["a", "a"]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: content[:-9],
        lambda content: content.replace(bytes.fromhex(sha256(b"content")), bytes(32)),
        lambda _: b"",
        lambda _: b'{"folder": {}}',
    ],
)
def test_a_damaged_cache_is_no_cache(folder: Path, settled: None, spoil) -> None:
    with remembered("own.json"):
        digest_file(folder / "a")
    (cached,) = (folder.parent / "cache/sorn/digests").iterdir()
    assert bytes.fromhex(sha256(b"content")) in cached.read_bytes()
    cached.write_bytes(spoil(cached.read_bytes()))
    next_process()
    with remembered("own.json"):
        assert digest_file(folder / "a") == sha256(b"content")


@pytest.mark.parametrize("home", ["/proc/no", "/dev/null"])
def test_no_room_for_a_cache_is_no_error(folder: Path, settled: None, monkeypatch, home: str) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", home)
    with remembered("own.json"):
        assert digest_file(folder / "a") == sha256(b"content")


def test_a_user_without_a_home(folder: Path, settled: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("no home")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", homeless)
    with remembered("own.json"):
        assert digest_file(folder / "a") == sha256(b"content")


def test_two_caches_are_merged(folder: Path, settled: None, reads: list[str]) -> None:
    (folder / "b").write_bytes(b"other")
    with remembered("own"):
        digest_file(folder / "a")
        mine = dict(digests._stores)
        next_process()
        with remembered("elsewhere"), remembered("own"):  # another process, which has not seen a
            digest_file(folder / "b")
        digests._stores.update(mine)
    next_process()
    with remembered("own"):
        assert list(digest_files([str(folder / "a"), str(folder / "b")])) == [sha256(b"content"), sha256(b"other")]
    assert reads == ["a", "b"]


def test_digests_that_nobody_asked_for_are_forgotten(
    folder: Path, settled: None, reads: list[str], monkeypatch
) -> None:
    (folder / "b").write_bytes(b"other")
    for day, name in ((0, "a"), (0, "b"), (60, "b"), (120, "b"), (120, "c"), (120, "a")):
        (folder / name).exists() or (folder / name).write_bytes(b"new")
        monkeypatch.setattr(digest_table, "today", lambda day=day: 20_000 + day)
        next_process()
        with remembered("own"):
            digest_file(folder / name)
    assert reads == ["a", "b", "c", "a"], "b was asked for all the time"


def test_many_digests_are_found_again(folder: Path, settled: None, reads: list[str], monkeypatch) -> None:
    monkeypatch.setattr(digests, "FEW", 3)
    names = [str(folder / f"{number}") for number in range(200)]
    for name in names:
        Path(name).write_text(name)
    expected = [sha256(name.encode()) for name in names]
    for _ in range(2):
        with remembered("own"):
            assert list(digest_files(names)) == expected
            assert [digest_file(Path(name)) for name in names] == expected
        next_process()
    assert sorted(reads) == sorted(map(os.path.basename, names))


def test_a_file_that_a_list_names_twice_is_read_once(folder: Path, settled: None, reads: list[str]) -> None:
    (folder / "b").write_bytes(b"other")
    names = [str(folder / name) for name in ("b", "a", "gone", "b", "a", "b", "gone")]
    texts = {"a": sha256(b"content"), "b": sha256(b"other"), "gone": MISSING}
    assert list(digest_files(names)) == [texts[os.path.basename(name)] for name in names]
    assert sorted(reads) == ["a", "b"]


def test_what_was_read_before_an_interruption_is_kept(
    folder: Path, settled: None, reads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(digests, "PIECE", 1)
    monkeypatch.setattr(digests, "READERS", 1)
    for name in "bcd":
        (folder / name).write_bytes(name.encode())
    hash_file = digests.hash_file

    def interrupted(path: str, key: digests.Key) -> tuple[bytes, bool]:
        if path.endswith("d"):
            raise KeyboardInterrupt
        return hash_file(path, key)

    names = [str(folder / name) for name in "abcd"]
    monkeypatch.setattr(digests, "hash_file", interrupted)
    with pytest.raises(KeyboardInterrupt), remembered("own"):
        digest_files(names)
    monkeypatch.setattr(digests, "hash_file", hash_file)
    next_process()
    with remembered("own"):
        digest_files(names)
    assert len(reads) == len(set(reads)) == 4


def test_caches_that_nobody_used_for_long_are_removed(folder: Path, settled: None) -> None:
    with remembered("old.json"):
        digest_file(folder / "a")
    old = cache_folder() / digests.FOLDER / "old.json"
    os.utime(old, (time.time() - 100 * 24 * 3600,) * 2)
    with remembered("new.json"):
        digest_file(folder / "a")
    assert [path.name for path in old.parent.iterdir()] == ["new.json"]


def test_many_files_and_names_that_are_no_text(folder: Path, settled: None) -> None:
    odd = os.path.join(os.fsencode(folder), b"\xff")
    with open(odd, "wb") as file:
        file.write(b"odd")
    names = [str(folder / "a"), os.fsdecode(odd), str(folder / "none"), str(folder / "a")]
    for _ in range(2):
        next_process()
        with remembered("own.json"):
            assert list(digest_files(names)) == [sha256(b"content"), sha256(b"odd"), MISSING, sha256(b"content")]


@pytest.mark.parametrize("name", ["a\0b", "\ud800"])
def test_a_name_that_no_file_can_have_is_missing(name: str, folder: Path) -> None:
    assert list(digest_files([str(folder / name), str(folder / "a")])) == [MISSING, sha256(b"content")]
    with pytest.raises(FileNotFoundError):
        digest_file(folder / name)


def test_the_places_of_a_table_are_aligned(folder: Path, settled: None) -> None:
    """Else each search copies all of them."""
    with remembered("own.json"):
        digest_file(folder / "a")
    table = digest_table.read_table(cache_folder() / digests.FOLDER / "own.json")
    assert len(table) == 1 and table.place.flags.aligned


def test_a_pipe_is_not_waited_for(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    assert list(digest_files([str(folder / "pipe"), str(folder)])) == [MISSING, MISSING]


def test_a_digest_agrees_with_the_one_that_was_recorded_before_contents_counted() -> None:
    digest = ContentDigest("new", lambda: "old")
    assert digest == "new" and digest.agrees("new") and digest.agrees("old") and not digest.agrees("other")
    assert type(pickle.loads(pickle.dumps(digest))) is str
