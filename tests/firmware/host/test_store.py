"""State files: atomic, tolerant of damage, and they say what went wrong."""

import json
import os

import pytest
from omsnode.firmware.errors import StoreError
from omsnode.firmware.host.store import JsonStore


def test_what_is_saved_is_loaded(tmp_path):
    store = JsonStore(tmp_path / "not" / "yet", "meter")
    assert store.load() is None and store.problem is None
    store.save({"access_number": 7, "values": [1, 2]})
    assert JsonStore(tmp_path / "not" / "yet", "meter").load() == {"access_number": 7, "values": [1, 2]}


@pytest.mark.parametrize("text", ["", "{", "[1]", "nul", "\x00\x00", '{"a": 1}}'])
def test_damage_is_named_and_set_aside(tmp_path, text):
    store = JsonStore(tmp_path, "meter")
    store.path.write_text(text)
    assert store.load() is None
    assert store.problem.code == "store" and "meter.json" in str(store.problem)
    assert (tmp_path / "meter.damaged").read_text() == text and store.lost
    assert (
        store.load() is None and store.lost and "missing" in str(store.problem)
    )  # until there is state again
    store.save({"a": 1})
    assert store.load() == {"a": 1} and store.problem is None


def test_bytes_that_are_no_text_are_damage(tmp_path):
    store = JsonStore(tmp_path, "meter")
    store.path.write_bytes(b"\xff\xfe{")
    assert store.load() is None and store.problem


def test_power_cut_leaves_the_old_or_the_new(tmp_path, monkeypatch):
    store = JsonStore(tmp_path, "meter")
    store.save({"n": 1})

    def cut(*_):
        raise OSError(5, "power cut")

    monkeypatch.setattr(os, "replace", cut)
    with pytest.raises(StoreError) as caught:
        store.save({"n": 2})
    assert caught.value.hint
    assert json.loads(store.path.read_text())["n"] == 1 and store.load() == {"n": 1}


def test_two_processes_do_not_share_a_state(tmp_path):
    first, second = JsonStore(tmp_path, "meter"), JsonStore(tmp_path, "meter")
    first.claim()
    with pytest.raises(StoreError) as caught:
        second.claim()
    assert "in use by another process" in str(caught.value) and caught.value.hint
    JsonStore(tmp_path, "another").claim()
    del first
    second.claim()


def test_what_cannot_be_written_is_noticed_before_the_first_telegram(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError) as caught:
        JsonStore(tmp_path / "file", "meter").claim()
    assert "state_dir" in caught.value.hint


@pytest.mark.parametrize("text", ["[" * 100000, '{"a": ' * 100000])
def test_endless_nesting_is_damage(tmp_path, text):
    store = JsonStore(tmp_path, "meter")
    store.path.write_text(text)
    assert store.load() is None and store.problem


def test_damage_that_cannot_be_set_aside(tmp_path, monkeypatch):
    store = JsonStore(tmp_path, "meter")
    store.path.write_text("{")

    def denied(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "replace", denied)
    with pytest.raises(StoreError) as caught:
        store.load()
    assert "meter.json: Permission denied" in str(caught.value)


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError):
        JsonStore(tmp_path / "file", "meter").save({})


@pytest.mark.parametrize("damage", ["", "{", "[1]", '{"n": 1}}', "\0" * 40, None])
def test_a_damaged_file_has_a_copy(tmp_path, damage):
    store = JsonStore(tmp_path, "meter")
    store.save({"n": 1, "values": [1.5, "a", None]})
    text = store.path.read_text()
    if damage is None:
        store.path.unlink()
    else:
        store.path.write_text(damage)
    assert store.load() == {"n": 1, "values": [1.5, "a", None]} and not store.lost
    assert "meter.copy" in store.problem.hint
    store.save({"n": 2})
    assert store.load() == {"n": 2} and store.problem is None
    store.copy.write_text("x")  # the other one is not needed
    assert store.load() == {"n": 2} and store.problem is None
    assert text != store.path.read_text()


def test_a_changed_digit_is_damage(tmp_path):
    """A counter that is read too low would be used twice."""
    store = JsonStore(tmp_path, "meter")
    store.save({"message_counter": 1280})
    store.path.write_text(store.path.read_text().replace("1280", "1216"))
    assert store.load() == {"message_counter": 1280} and "changed" in str(store.problem)
    store.path.write_text('{"message_counter": 2000}')  # by hand, without a check
    assert store.load() == {"message_counter": 2000} and store.problem is None


def test_a_file_that_cannot_be_read_has_a_copy(tmp_path):
    store = JsonStore(tmp_path, "meter")
    store.save({"n": 1})
    store.path.unlink()
    store.path.mkdir()
    assert store.load() == {"n": 1} and "directory" in str(store.problem)
    store.copy.unlink()
    with pytest.raises(StoreError, match="cannot read"):
        store.load()


@pytest.mark.parametrize("state", [{}, {"a": {}}, {"b": []}])
def test_empty_states(tmp_path, state):
    store = JsonStore(tmp_path, "meter")
    store.save(state)
    assert store.load() == state


def test_what_was_released_is_claimed_by_another(tmp_path):
    """Also within one process, where the end of the first one does not do it."""
    first, second = JsonStore(tmp_path, "meter"), JsonStore(tmp_path, "meter")
    first.release()
    first.claim()
    first.release()
    second.claim()
