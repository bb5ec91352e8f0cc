"""The disk cache: what is stored comes back, and nothing on the disk can make it fail."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from constrain.vocab import cache

ARRAYS = {"a": np.arange(5, dtype=np.int32), "b": np.array([[1, 2], [3, 4]], np.uint8), "empty": np.zeros(0)}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CONSTRAIN_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache" / "v1" / "kind"


def test_round_trip(folder: Path) -> None:
    assert cache.store("kind", "key", ARRAYS, {"name": "é", "ids": [1, 2]})
    entry = cache.load_entry("kind", "key")
    assert entry is not None
    arrays, meta = entry
    assert meta == {"name": "é", "ids": [1, 2]}
    assert arrays.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert arrays[name].dtype == array.dtype and arrays[name].flags.writeable
        np.testing.assert_array_equal(arrays[name], array)
    assert [path.name for path in folder.iterdir()] == ["key.npz"]


def test_what_was_not_stored_is_none(folder: Path) -> None:
    cache.store("kind", "key", ARRAYS)
    assert cache.load("kind", "other") is None
    assert cache.load("other", "key") is None


def test_storing_again_replaces(folder: Path) -> None:
    cache.store("kind", "key", {"a": np.arange(3)})
    cache.store("kind", "key", {"a": np.arange(4)})
    arrays = cache.load("kind", "key")
    assert arrays is not None and len(arrays["a"]) == 4


@pytest.mark.parametrize("damage", ["empty", "cut", "noise", "every byte"])
def test_a_damaged_entry_is_dropped(folder: Path, damage: str, caplog: pytest.LogCaptureFixture) -> None:
    cache.store("kind", "key", ARRAYS)
    path = folder / "key.npz"
    whole = path.read_bytes()
    broken = {
        "empty": [b""],
        "cut": [whole[: len(whole) // 2], whole[:-1]],
        "noise": [b"x" * 1000],
        "every byte": [whole[:i] + bytes([whole[i] ^ 0x55]) + whole[i + 1 :] for i in range(0, len(whole), 7)],
    }[damage]
    dropped = 0
    for content in broken:
        path.write_bytes(content)
        arrays = cache.load("kind", "key")
        dropped += arrays is None
        if arrays is None:
            assert not path.exists()
        else:  # the byte was one that nobody reads, such as a date in the zip directory
            np.testing.assert_array_equal(arrays["a"], ARRAYS["a"])
            np.testing.assert_array_equal(arrays["b"], ARRAYS["b"])
    assert dropped > len(broken) / 2
    assert "damaged" in caplog.text


def test_an_unwritable_folder_stores_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("CONSTRAIN_CACHE_DIR", str(tmp_path / "file" / "below"))
    assert cache.store("kind", "key", ARRAYS) is False
    assert cache.load("kind", "key") is None
    assert "cannot write" in caplog.text


def test_a_failing_write_leaves_nothing_behind(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    assert cache.store("kind", "key", ARRAYS) is False
    assert list(folder.iterdir()) == []


def test_caching_can_be_turned_off(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.store("kind", "key", ARRAYS)
    monkeypatch.setenv("CONSTRAIN_NO_CACHE", "1")
    assert cache.directory() is None
    assert cache.load("kind", "key") is None
    assert cache.store("kind", "new", ARRAYS) is False
    assert [path.name for path in folder.iterdir()] == ["key.npz"]


def test_the_least_recently_used_go_first(folder: Path) -> None:
    for i in range(4):
        cache.store("kind", f"key{i}", ARRAYS)
        os.utime(folder / f"key{i}.npz", (1_000_000 + i, 1_000_000 + i))
    assert cache.load("kind", "key0") is not None  # now the most recent
    cache.store("kind", "new", ARRAYS, keep=3)
    assert {path.stem for path in folder.iterdir()} == {"key0", "key3", "new"}


def test_files_of_dead_processes_are_swept(folder: Path) -> None:
    folder.mkdir(parents=True)
    old, young = folder / "old.tmp", folder / "young.tmp"
    old.touch()
    young.touch()
    os.utime(old, (1_000_000, 1_000_000))
    cache.store("kind", "key", ARRAYS)
    assert not old.exists() and young.exists()


@pytest.mark.parametrize("word", ["", "../key", "a/b", "a.b", "x" * 300])
def test_names_stay_inside_the_folder(folder: Path, word: str) -> None:
    with pytest.raises(ValueError, match="not a name"):
        cache.store("kind", word, ARRAYS)
    with pytest.raises(ValueError, match="not a name"):
        cache.load(word, "key")


def test_pickled_objects_are_refused(folder: Path) -> None:
    with pytest.raises(ValueError, match="cannot cache"):
        cache.store("kind", "key", {"a": np.array([object()])})
    folder.mkdir(parents=True)
    np.savez(folder / "key.npz", a=np.array([object()], dtype=object), __meta__=np.frombuffer(b"{}", np.uint8))
    assert cache.load("kind", "key") is None


def test_a_digest_depends_on_parts_names_and_contents(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_bytes(b"x")
    two.write_bytes(b"x")
    keys = [cache.digest(["a", 1]), cache.digest(["a1"]), cache.digest([], [one]), cache.digest([], [two])]
    one.write_bytes(b"y")
    keys.append(cache.digest([], [one]))
    assert len(set(keys)) == 5
    assert cache.digest(["a", 1]) == keys[0]
