"""Keys of a meter under commands: every step of the table, wrappers, versions, times, all or nothing, storing."""

import itertools
import json

import pytest
from omsnode.firmware.application import sitp_blocks as sitp
from omsnode.firmware.errors import MisuseError, StoreError
from omsnode.firmware.roles.key_holder import ABSENT, ACTIVE, RETIRED, STORED, TABLE, KeyHolder
from omsnode.firmware.security.keys import Key

MASTER, WRAPPER, ROOT, APPLICATION, STORAGE = [Key(bytes([i] * 16)) for i in range(1, 6)]
NEW = [Key(bytes([i] * 16)) for i in range(16, 30)]
KEYS = {(0, 0): MASTER, (0x12, 0): WRAPPER, (0x10, 0): ROOT, (0x20, 0): APPLICATION}


def holder():
    return KeyHolder(KEYS, STORAGE)


def transfer(
    key, version, key_id=0, wrapper=WRAPPER, wrapper_id=0x12, time=sitp.NOT_YET, wrapper_version=0, number=0
):
    content = sitp.wrap_key(wrapper, key, key_id, version, time)
    return sitp.block(sitp.TRANSFER, sitp.WRAPPED_KEY, wrapper_id, wrapper_version, content, number)


def change(new, old, option=1, time=sitp.AT_ONCE, wrapper=WRAPPER, wrapper_id=0x12, number=0):
    content = sitp.wrap_change(wrapper, new, old, option, time)
    return sitp.block(sitp.COMBINED, sitp.WRAPPED_CHANGE, wrapper_id, 0, content, number)


def destroy(key_id, version, number=0):
    content = sitp.wrap_name(WRAPPER, key_id, version)
    return sitp.block(sitp.DESTROY, sitp.WRAPPED_NAME, 0x12, 0, content, number)


def tell(keys, *blocks):
    """Status of each block; what was answered otherwise is None."""
    answers, _ = keys.execute(list(blocks), lambda key_id, protocol, apdu: (sitp.OK, apdu))
    assert [one.function for one in answers] == [one.function | 0x80 for one in blocks]
    assert [one.number for one in answers] == [one.number for one in blocks]
    return [one.content[0] if one.structure == sitp.STATUS else None for one in answers]


def test_the_life_of_a_master_key():
    keys = holder()
    assert tell(keys, transfer(NEW[0], 1)) == [0] and not keys.reset
    assert keys.active(0) == 0 and keys.key(0, 1) is None
    assert tell(keys, change((0, 1), (0, 0))) == [0] and keys.reset
    assert keys.key(0) == NEW[0] == keys.key(0, 1) and keys.key(0, 0) is None
    # Told again: done already, and the counter does not restart.
    assert tell(keys, change((0, 1), (0, 0))) == [0] and not keys.reset
    assert tell(keys, destroy(0, 1)) == [sitp.KEY]
    assert tell(keys, destroy(0, 0)) == [0] and tell(keys, destroy(0, 0)) == [sitp.KEY]
    assert [row[:3] for row in keys.export()][0] == [0, 1, ACTIVE]


@pytest.mark.parametrize(
    "state, event",
    list(
        itertools.product(
            (ABSENT, STORED, ACTIVE, RETIRED), ("transfer", "activate", "deactivate", "destroy")
        )
    ),
)
def test_every_step_of_the_table(state, event):
    """Communication key 8 in every state, every event: the table says what becomes of it, anything else is refused."""
    keys = holder()
    assert tell(keys, transfer(NEW[1], 1, 8), transfer(NEW[2], 2, 8)) == [0, 0]
    if state == ABSENT:
        tell(keys, destroy(8, 1))
    if state in (ACTIVE, RETIRED):
        tell(keys, change((8, 1), (8, 0xFF)))
    if state == RETIRED:
        tell(keys, change((8, 2), (8, 1)))
    assert dict(((row[0], row[1]), row[2]) for row in keys.export()).get((8, 1), ABSENT) == state
    before = keys.export()
    block = {
        "transfer": transfer(NEW[3], 1, 8),
        "activate": change((8, 1), (8, 2) if state == RETIRED else (8, 0xFF)),
        "deactivate": change((8, 2), (8, 1)),
        "destroy": destroy(8, 1),
    }[event]
    (status,) = tell(keys, block)
    after = dict(((row[0], row[1]), row[2]) for row in keys.export()).get((8, 1), ABSENT)
    # The active version is not transferred again, which the rising versions forbid as well.
    found = TABLE.get((state, event))
    if found and event != "transfer" or (event == "transfer" and state in (ABSENT, STORED)):
        assert (after, status) == found
    else:
        assert status == sitp.KEY and keys.export() == before


@pytest.mark.parametrize(
    "status, block",
    [
        (sitp.SECURITY, transfer(NEW[0], 1, wrapper=NEW[5])),
        (sitp.KEY, transfer(NEW[0], 1, wrapper_version=1)),
        (sitp.KEY, transfer(NEW[0], 1, wrapper=MASTER, wrapper_id=0)),
        (sitp.KEY, transfer(NEW[0], 1, wrapper=APPLICATION, wrapper_id=0x20)),
        (sitp.KEY, transfer(NEW[0], 1, wrapper=ROOT, wrapper_id=0x10)),  # wraps wrapper keys only (SEC-14)
        (sitp.KEY, transfer(NEW[0], 1, 0x20)),
        (sitp.KEY, transfer(NEW[0], 1, 0x12)),
        (sitp.KEY, transfer(NEW[0], 0)),
        (sitp.KEY, transfer(NEW[0], 0xFF)),
        (sitp.KEY, transfer(MASTER, 1)),
        (sitp.TARGET_TIME, transfer(NEW[0], 1, time=sitp.AT_ONCE)),
        (sitp.TARGET_TIME, transfer(NEW[0], 1, time=bytes(5))),
        (sitp.KEY, change((0, 1), (0, 0))),
        (sitp.TARGET_TIME, change((0, 1), (0, 0), time=sitp.NOT_YET)),
        (sitp.KEY, change((0, 0), (0, 0))),
        (sitp.KEY, change((0, 0), (8, 0))),
        (sitp.KEY, destroy(0, 0)),
        (sitp.KEY, destroy(0x12, 0)),
        (sitp.UNKNOWN_FUNCTION, sitp.block(sitp.GENERATE, sitp.WRAPPED_NAME, 0x12, 0)),
        (sitp.UNKNOWN_FUNCTION, sitp.block(sitp.GET, sitp.EMPTY, 0x81, 0xFF)),
        (sitp.UNKNOWN_FUNCTION, sitp.block(0x01, sitp.WRAPPED_NAME, 0x12, 0)),
        (sitp.UNKNOWN_FUNCTION, sitp.block(0x80, sitp.STATUS, 0x12, 0)),
        (sitp.UNKNOWN_FUNCTION, sitp.block(sitp.TRANSFER, 0x10, 0x12, 0)),
        (sitp.UNKNOWN_FUNCTION, sitp.block(sitp.SECURED, 0x36, 0x20, 0, bytes(30))),
        (sitp.PARAMETER, sitp.block(sitp.SECURED, sitp.CMAC_8, 0x20, 0, bytes(17))),
        (sitp.SECURITY, sitp.block(sitp.SECURED, sitp.CMAC_8, 0x20, 0, bytes(30))),
        (sitp.KEY, sitp.block(sitp.SECURED, sitp.CMAC_8, 0, 0, bytes(30))),
        (sitp.KEY, sitp.block(sitp.SECURED, sitp.CMAC_8, 0x12, 0, bytes(30))),
        (sitp.SECURITY, sitp.block(sitp.TRANSFER, sitp.WRAPPED_KEY, 0x12, 0)),
        (
            sitp.SECURITY,
            sitp.block(sitp.TRANSFER, sitp.WRAPPED_KEY, 0x12, 0, sitp.wrap_change(WRAPPER, (0, 1), (0, 0))),
        ),
        (
            sitp.PARAMETER,
            sitp.block(sitp.COMBINED, sitp.WRAPPED_CHANGE, 0x12, 0, sitp.wrap_name(WRAPPER, 0, 1)),
        ),
    ],
)
def test_refused(status, block):
    keys = holder()
    before = keys.export()
    got = tell(keys, block)
    assert got == [status]
    assert keys.export() == before


def test_all_blocks_or_none():
    keys = holder()
    before = keys.export()
    got = tell(
        keys, transfer(NEW[0], 1), destroy(0, 7, 1), sitp.block(sitp.ACTIVE_KEYS, 0, 0xFF, 0xFF, number=2)
    )
    assert got == [sitp.OTHER_FAILED, sitp.KEY, sitp.OTHER_FAILED] and keys.export() == before
    assert tell(keys, transfer(NEW[0], 1), change((0, 1), (0, 0), number=1), destroy(0, 0, 2)) == [0, 0, 0]
    assert keys.reset


def secured(counter, key=APPLICATION, version=0, time=sitp.AT_ONCE):
    content = sitp.secure(key, sitp.Secured(counter, time, 1, b"\x01"))
    return sitp.block(sitp.SECURED, sitp.CMAC_8, 0x20, version, content)


def test_key_counters_rise_and_survive():
    keys = holder()
    assert tell(keys, secured(0)) == [sitp.SECURITY]
    assert tell(keys, secured(7)) == [None] and tell(keys, secured(7)) == [sitp.SECURITY]
    assert tell(keys, secured(8, time=sitp.NOT_YET)) == [sitp.TARGET_TIME]
    again = KeyHolder({}, STORAGE, json.loads(json.dumps(keys.export())))
    assert again.export() == keys.export()
    assert tell(again, secured(7)) == [sitp.SECURITY] and tell(again, secured(8)) == [None]
    answers, effects = again.execute([secured(9)], lambda *which: (sitp.PARAMETER, b""))
    assert answers[0].content[0] == sitp.PARAMETER and effects == []
    assert tell(again, secured(9)) == [None]  # what was not executed did not count


@pytest.mark.parametrize("option, expected", [(1, 0), (0, 7)])
def test_key_counter_of_the_next_version(option, expected):
    wrapper = NEW[7]
    keys = KeyHolder({**KEYS, (0x14, 0): wrapper}, STORAGE)
    tell(keys, secured(7))
    assert tell(keys, transfer(NEW[8], 1, 0x20, wrapper, 0x14)) == [0]
    assert tell(keys, change((0x20, 1), (0x20, 0), option, wrapper=wrapper, wrapper_id=0x14)) == [0]
    assert not keys.reset
    answers, _ = keys.execute([sitp.block(sitp.KEY_COUNTERS, 0, 0xFF, 0xFF)], None)
    assert (0x20, 1, expected) in sitp.read_counters(answers[0].content)


def test_master_key_without_the_option_goes_on_counting():
    keys = holder()
    assert tell(keys, transfer(NEW[0], 1), change((0, 1), (0, 0), 0)) == [0, 0]
    assert keys.key(0) == NEW[0] and not keys.reset


def test_lists():
    keys = holder()
    tell(keys, transfer(NEW[0], 1))
    answers, _ = keys.execute([sitp.block(sitp.ACTIVE_KEYS, 0, 0xFF, 0xFF)], None)
    assert answers[0].structure == sitp.NAMES
    assert sitp.read_names(answers[0].content) == [(0, 0), (0x10, 0), (0x12, 0), (0x20, 0)]
    answers, _ = keys.execute([sitp.block(sitp.ALL_KEYS, 0, 0x12, 0)], None)
    assert answers[0].structure == sitp.KEYS
    plain = sitp.key_wrap.unwrap_padded(WRAPPER, answers[0].content)
    assert (0, 1) in sitp.read_names(plain)
    assert tell(keys, sitp.block(sitp.ALL_KEYS, 0, 0xFF, 0xFF)) == [sitp.KEY]


def test_a_wrapper_key_is_changed_by_the_root():
    keys = holder()
    assert tell(keys, transfer(NEW[4], 1, 0x12, ROOT, 0x10)) == [0]
    assert tell(keys, change((0x12, 1), (0x12, 0), wrapper=ROOT, wrapper_id=0x10)) == [0]
    assert tell(keys, transfer(NEW[0], 1)) == [sitp.KEY]
    assert tell(keys, transfer(NEW[0], 1, wrapper=NEW[4], wrapper_version=1)) == [0]


def test_it_does_not_take_more_than_it_can_hold():
    keys = holder()
    statuses = [tell(keys, transfer(Key(bytes([i] * 16)), i))[0] for i in range(100, 140)]
    assert statuses == [0] * 28 + [sitp.PARAMETER] * 12


@pytest.mark.parametrize(
    "state", [[], [[0, 0, 2, 0, "00"]], [[0, 0, 9, 0, ""]], [[0, 0, 2, -1, ""]], 7, [3], {"a": 1}]
)
def test_damaged_state(state):
    with pytest.raises((StoreError, MisuseError)):
        KeyHolder(KEYS, STORAGE, state)


def test_another_storage_key():
    with pytest.raises(StoreError) as caught:
        KeyHolder(KEYS, MASTER, holder().export())
    assert "storage key" in caught.value.hint
