"""Image transfer, a firmware update (CI C0, C7 command; C1, C2 response): the messages (EN 13757-3:2018 clause 15 and Annex I;
OMS Vol.2 Annex M UC-05; sheets en13757-3-application 8.7, oms-requirements 14.12). The two roles are image_meter.py and
image_gateway.py.

Public are the function codes, which data a message must hold, the numbers of the meter's states, block size, times and errors,
and the image MAC: 16 bytes AES-CMAC (OMS ASP03), algorithm 04, key 18. The LAYOUT of the fields is not: _LAYOUTS below is
INFERRED, every width and every place in it, and the one thing to change when Annex I becomes known. Function 01 (synchronise)
is known by name only. Numbers are least significant byte first.
"""

from collections import namedtuple

from ..errors import ApplicationError, MisuseError

PREPARE, SYNCHRONISE, TRANSFER, COMPLETION, STATE, VALIDATE, ACTIVATE, TERMINATE = range(8)
RESPONSE = 0x80  # bit of the function code

# From a secured container (CI C3): OMS UC-05 prescribes it for prepare and recommends it for the others.
SECURED = (PREPARE, ACTIVATE, TERMINATE)

# Numbers of the meter's states (OMS Annex M Figure M.2).
INITIATED = 2
TRANSFER_ACTIVE = 3
TRANSFER_TERMINATED = 4
TRANSFER_SUCCESSFUL = 5
TRANSFER_FAILED = 6
VALIDATION_INITIATED = 7
VALIDATION_ACTIVE = 8
VALIDATION_SUCCESSFUL = 9
VALIDATION_FAILED = 10
ACTIVATION_INITIATED = 11
ACTIVATED = 12
ACTIVATION_FAILED = 13
TERMINATED = 14
IDLE = 15

STATE_NAMES = {
    INITIATED: "initiated",
    TRANSFER_ACTIVE: "transfer active",
    TRANSFER_TERMINATED: "transfer terminated",
    TRANSFER_SUCCESSFUL: "transfer successful",
    TRANSFER_FAILED: "transfer failed",
    VALIDATION_INITIATED: "validation initiated",
    VALIDATION_ACTIVE: "validation active",
    VALIDATION_SUCCESSFUL: "validation successful",
    VALIDATION_FAILED: "validation failed",
    ACTIVATION_INITIATED: "activation initiated",
    ACTIVATED: "activated",
    ACTIVATION_FAILED: "activation failed",
    TERMINATED: "terminated",
    IDLE: "idle",
}

BLOCK_BYTES = 190  # every meter takes blocks of this size
MAC_ALGORITHM = 0x04
MAC_KEY_ID = 0x18
MAC_BYTES = 16
ID_BYTES = 8
AT_ONCE = b"\x00\x00\x00\x00\x00\x00"  # time of activation

# scope of terminate
TRANSFER_ONLY, WHOLE = 0, 1

# How many block numbers a completion response lists at most; its count is that of all missing blocks.
LISTED = 64

NUMBER, BYTES, REST, LIST = range(4)
_ID = ("image_id", ID_BYTES, BYTES)
_STATE = ("state", 1, NUMBER)

# INFERRED. Function code -> (name, fields behind it); a field is (name, bytes, kind).
_LAYOUTS = {
    0x00: (
        "prepare",
        (
            _ID,
            ("size", 4, NUMBER),
            ("block_size", 2, NUMBER),
            ("mac_algorithm", 1, NUMBER),
            ("key_id", 1, NUMBER),
            ("mac", MAC_BYTES, BYTES),
        ),
    ),
    0x01: ("synchronise", ()),
    0x02: ("transfer", (_ID, ("block", 2, NUMBER), ("data", 0, REST))),
    0x03: ("completion", (_ID,)),
    0x04: ("state", (_ID,)),
    0x05: ("validate", (_ID,)),
    0x06: ("activate", (_ID, ("time", 6, BYTES))),
    0x07: ("terminate", (_ID, ("scope", 1, NUMBER))),
    0x80: ("prepare", (_ID, _STATE)),
    0x81: ("synchronise", ()),
    0x82: ("transfer", (_ID, _STATE, ("block", 2, NUMBER))),
    0x83: ("completion", (_ID, _STATE, ("missing", 2, NUMBER), ("blocks", 2, LIST))),
    0x84: ("state", (_ID, _STATE)),
    0x85: ("validate", (_ID, _STATE)),
    0x86: ("activate", (_ID, _STATE)),
    0x87: ("terminate", (_ID, _STATE)),
}

# function: code, with RESPONSE. name: of the function. values: by field name, whole numbers, bytes, or a list of numbers.
Message = namedtuple("Message", ("function", "name", "values"))


def _walk(body):
    """Yield (offset, length, field name, kind, value) for what the layout of a body's function code finds in it."""
    at = 1
    for label, size, kind in _LAYOUTS[body[0]][1]:
        if kind == REST:
            length = len(body) - at
        elif kind == LIST:
            length = (len(body) - at) // size * size
        else:
            length = size
        if at + length > len(body):
            return
        raw = bytes(body[at : at + length])
        if kind == NUMBER:
            value = int.from_bytes(raw, "little")
        elif kind == LIST:
            value = [raw[i] | raw[i + 1] << 8 for i in range(0, length, 2)]
        else:
            value = raw
        yield at, length, label, kind, value
        at += length


def parse(body):
    """The Message of a body. Raises ApplicationError (position) if it is empty, cut off, or its function reserved."""
    if not body or body[0] not in _LAYOUTS:
        raise ApplicationError("no such function of the image transfer", 0)
    name, layout = _LAYOUTS[body[0]]
    values = {}
    for _at, _length, label, _kind, value in _walk(body):
        values[label] = value
    if len(values) < len(layout):
        raise ApplicationError("an image transfer message is cut off", len(body))
    return Message(body[0], name, values)


def build(function, **values):
    """The body of a message: function code and values by field name as in `parse`. MisuseError if one does not fit."""
    if function not in _LAYOUTS:
        raise MisuseError("no such function of the image transfer")
    out = bytearray((function,))
    layout = _LAYOUTS[function][1]
    if len(values) != len(layout):
        raise MisuseError("this message has the fields " + ", ".join([field[0] for field in layout]))
    for label, size, kind in layout:
        if label not in values:
            raise MisuseError("no value for " + label)
        value = values[label]
        if kind in (NUMBER, LIST):
            for number in value if kind == LIST else (value,):
                if not 0 <= number < 1 << (8 * size):
                    raise MisuseError(label + " does not fit")
                out += number.to_bytes(size, "little")
        else:
            if kind == BYTES and len(value) != size:
                raise MisuseError("%s has %d bytes" % (label, size))
            out += value
    return bytes(out)


def fields(body, _ci=None):
    """The fields of a body, as protocols.read gives them (all of them inferred but the function code)."""
    if not body or body[0] not in _LAYOUTS:
        return []
    name = _LAYOUTS[body[0]][0]
    out = [
        (0, 1, "function", body[0], None),
        (1, 0, "function_name", name + (" response" if body[0] & RESPONSE else ""), None),
    ]
    for at, length, label, kind, value in _walk(body):
        if not length:
            continue
        if kind == LIST:
            value = " ".join([str(number) for number in value])
        elif kind != NUMBER:
            value = value.hex().upper()
        out.append((at, length, label, value, "bytes" if label in ("size", "block_size") else None))
        if label == "state":
            out.append((at + length, 0, "state_name", STATE_NAMES.get(body[at], "reserved"), None))
    return out


def blocks(size, block_size):
    """How many blocks an image has."""
    return (size + block_size - 1) // block_size
