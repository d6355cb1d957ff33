"""What blocks of the security information transfer say to a person: those that Annex N has no example of."""

import pytest
from omsnode.firmware.application import sitp, sitp_blocks
from omsnode.firmware.security.keys import Key

WRAPPER = Key(bytes(16))


def said(block):
    body = sitp_blocks.build([block])
    fields = sitp.fields(body)
    covered = [i for at, length, *_ in fields for i in range(at, at + length)]
    assert covered == list(range(len(body)))  # every byte once
    return {name: value for _, _, name, value, _ in fields}


def test_keys_are_listed():
    active = sitp_blocks.Block(0, 0x88, 0, 0x21, 0xFF, 0xFF, sitp_blocks.names([(0, 1)]))
    assert said(active)["active_key"] == "00 version 01"
    counted = sitp_blocks.Block(0, 0x89, 0, 0x23, 0xFF, 0xFF, sitp_blocks.counters([(0x20, 2, 15)]))
    assert said(counted)["active_key"] == "20 version 02 counter 15"
    assert said(counted)["function_name"] == "list keys and counters, response"


@pytest.mark.parametrize(
    "status, name", [(0, "done"), (0x19, "key id or key version not usable"), (0x77, "not known")]
)
def test_status(status, name):
    command = sitp_blocks.block(sitp_blocks.DESTROY, sitp_blocks.WRAPPED_NAME, 0x12, 0)
    assert said(sitp_blocks.status(command, status))["status_name"] == name


def test_what_is_wrapped_stays_so():
    content = sitp_blocks.wrap_key(WRAPPER, Key(bytes(range(16))), 0, 1)
    block = sitp_blocks.block(sitp_blocks.TRANSFER, sitp_blocks.WRAPPED_KEY, 0x12, 0, content)
    assert said(block)["wrapped_content"] == content.hex().upper()
