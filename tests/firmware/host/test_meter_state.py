"""What a meter goes on from: a message counter that is lost does not begin again."""

import pytest
from omsnode.firmware.errors import MisuseError, StoreError
from omsnode.firmware.host import meter_state
from omsnode.firmware.host.store import JsonStore
from omsnode.firmware.link.address import Address
from omsnode.firmware.roles.meter import Meter, Profile, Register
from omsnode.firmware.security.counters import LAST, MessageCounter
from omsnode.firmware.security.keys import Key

ADDRESS = Address.parse("12345678.M=KAM.V=1b.T=16")


def profile(mode):
    return Profile(ADDRESS, [Register(b"\x04", b"\x13", 1)], key=Key(bytes(range(16))), security_mode=mode)


@pytest.fixture
def damaged(tmp_path):
    store = JsonStore(tmp_path, "meter")
    store.save({"message_counter": 640, "access_number": 7})
    for path in (store.path, store.copy):
        path.write_text("{" + path.read_text())
    return store


def test_the_first_start(tmp_path):
    assert meter_state.load(JsonStore(tmp_path, "meter"), profile(7)) is None


@pytest.mark.parametrize("mode", [7, 10])
def test_a_lost_counter_does_not_begin_again(damaged, mode):
    for _ in range(3):  # the first one sets the file aside
        with pytest.raises(StoreError, match="must not begin again") as caught:
            meter_state.load(damaged, profile(mode))
        assert "message_counter" in caught.value.hint and "new key" in caught.value.hint
    damaged.path.write_text('{"message_counter": 704}')  # what the hint says
    state = meter_state.load(damaged, profile(mode))
    assert Meter(profile(mode), bytes(5), state).message_counter.value == 704
    damaged.path.unlink()
    damaged.copy.unlink()
    damaged.damaged.unlink()
    assert meter_state.load(damaged, profile(mode)) is None


def test_profile_a_goes_on_with_a_random_access_number(damaged):
    assert meter_state.load(damaged, profile(5)) is None and damaged.problem


def test_one_good_file_is_enough(tmp_path):
    store = JsonStore(tmp_path, "meter")
    store.save({"message_counter": 640})
    store.path.write_text("")
    assert meter_state.load(store, profile(10)) == {"message_counter": 640}


@pytest.mark.parametrize("stored", [-1, LAST + 1, "1", 1.0, [], {}, "x"])
def test_a_damaged_counter_is_not_taken_for_none(stored):
    with pytest.raises(MisuseError, match="counter is damaged"):
        MessageCounter(stored)
    with pytest.raises(MisuseError):
        Meter(profile(7), bytes(5), {"message_counter": stored})


def test_the_counter_outlives_a_time_in_profile_a():
    """Configured as B, then A, then B again with the same key: it goes on."""
    state = {"message_counter": 640, "access_number": 7}
    between = Meter(profile(5), bytes(5), state)
    between.start(0)
    state = between.tick(between.due_us)[0].state
    assert state["message_counter"] == 640
    assert between.stop()[0].state["message_counter"] == 640
    assert Meter(profile(10), bytes(5), state).message_counter.value == 640
    never = Meter(profile(5), bytes(5), {"access_number": 3})
    assert "message_counter" not in never.stop()[0].state
