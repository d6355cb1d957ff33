"""Commands: records that a gateway sends to a meter with CI 51, 5A, 5B (EN 13757-3:2018 clause 6; OMS Vol.2 Annex B B.2.4
command tags, Annex M; sheet en13757-3-application 2.5 and 8.5).

A command is the record of a data point with an action as its last VIFE; only the VIFE of a compact profile stands behind it.
Older commands have none: a record with data is then a write, data field 0 or 8 asks for the data point. DIF 7F and VIF 7E ask
for everything.

`execute` is the meter: pure, all or nothing. Inferred: a data point that the meter does not have gives 12h where it was to be
read, 11h where it was to be changed; freeze copies the present value into the storage number that was named; add entry,
delete entry and delayed actions are known by name only and give 11h.
"""

from collections import namedtuple

from ..errors import ApplicationError, MisuseError
from . import dib as _dib
from . import encode, error_codes, record, vif
from .fields import SIZES

# Action codes under the names that OMS gives its command tags; the last five have no tag.
ACTIONS = {
    "set": 0x00,
    "add": 0x01,
    "sub": 0x02,
    "bor": 0x03,
    "and": 0x04,
    "xor": 0x05,
    "not": 0x06,
    "clr": 0x07,
    "arl": 0x0C,
    "drl": 0x0D,
    "get": 0x0F,
    "add entry": 0x08,
    "delete entry": 0x09,
    "delayed": 0x0A,
    "freeze": 0x0B,
}
_NAMES = {code: name for name, code in ACTIONS.items()}
_WITHOUT_DATA = ("get", "arl", "drl", "clr", "freeze")
_EVERYTHING = 0x7E
_SELECTION = b"\xfd\xfd\x00"  # VIB of MM6!

# Two operands of arithmetic and bit actions: what there is, what the command says.
_ARITHMETIC = {
    "set": lambda old, new: new,
    "add": lambda old, new: old + new,
    "sub": lambda old, new: old - new,
    "bor": lambda old, new: old | new,
    "and": lambda old, new: old & new,
    "xor": lambda old, new: old ^ new,
    "not": lambda old, new: old & ~new,
}
_BITWISE = ("bor", "and", "xor", "not")


# --- both sides: the VIB of a command ---


def command_vib(vib, action):
    """The VIB of a data point with an action put in. Raises MisuseError where no action of the standard can stand."""
    code = ACTIONS.get(action)
    if code is None:
        raise MisuseError("no action " + str(action), None, "use one of: " + ", ".join(sorted(ACTIONS)))
    if not vib:
        raise MisuseError("no VIB")
    places, text_at, text_end = _chain(vib)
    if places is None:
        raise MisuseError("behind a manufacturer specific VIF or VIFE no action has a meaning")
    codes = [vib[i] for i in places]
    last = len(codes) - 1
    profile = last >= _heads(codes) and codes[-1] in vif.PROFILES and not _second_of_fc(codes, last)
    at = len(codes) - 1 if profile else len(codes)
    codes = codes[:at] + [code] + codes[at:]
    made = bytes([byte | 0x80 for byte in codes[:-1]] + [codes[-1] & 0x7F]) + vib[text_at:text_end]
    if split_vib(made) != (vib, action):
        raise MisuseError("no action can stand in this VIB")  # reserved VIFs, which would become others
    return made


def split_vib(vib):
    """(the VIB of the data point, its action or None): a command's VIB taken apart."""
    places, text_at, text_end = _chain(vib)
    if places is None:
        return vib, None
    codes = [vib[i] for i in places]
    for at in (len(codes) - 1, len(codes) - 2):
        if at < _heads(codes) or _second_of_fc(codes, at):
            return vib, None
        code = codes[at] & 0x7F
        if code in _NAMES:
            codes = codes[:at] + codes[at + 1 :]
            body = bytes([byte | 0x80 for byte in codes[:-1]] + [codes[-1] & 0x7F])
            if text_end and len(codes) == 1:
                body = b"\x7c"
            return body + vib[text_at:text_end], _NAMES[code]
        if code not in vif.PROFILES:
            return vib, None
    return vib, None


def _heads(codes):
    """How many of the bytes choose the VIF: one, two in an extension table, three in its second level."""
    if codes[0] == 0xFD and len(codes) > 1 and codes[1] == 0xFD:
        return 3
    return 2 if codes[0] in (0xFB, 0xFD, 0xEF) else 1


def _second_of_fc(codes, at):
    """Whether the byte at `at` only completes an FC in front of it."""
    i = _heads(codes)
    while i < at:
        if codes[i] & 0x7F == 0x7C:
            i += 1
            if i == at:
                return True
        i += 1
    return False


def _chain(vib):
    """(places of VIF and VIFEs, begin and end of the unit's length byte and text behind them); places None: manufacturer."""
    text_at = text_end = 0
    if vib[0] & 0x7F == 0x7C:
        text_at = vif.scan(vib, 0, len(vib))[1]
        text_end = text_at + 1 + vib[text_at]
    places = [i for i in range(len(vib)) if not text_at <= i < text_end]
    codes = [vib[i] for i in places]
    i = _heads(codes)
    if codes[0] & 0x7F == 0x7F:
        return None, 0, 0
    while i < len(codes):
        if codes[i] & 0x7F == 0x7F:
            return None, 0, 0
        i += 2 if codes[i] & 0x7F == 0x7C else 1
    return places, text_at, text_end


# --- gateway ---


def build(dib, vib, action, value=None, exponent=None):
    """The bytes of one command record.

    dib, vib: of the data point (builder.build, points). action: a word of ACTIONS, or None for the older commands without
    one. value, exponent: as in builder.record; without a value (get, arl, drl, clr, freeze) the data field becomes 0.
    Raises MisuseError where value and action do not fit.
    """
    from . import builder

    dib = bytes(dib)
    vib = bytes(vib)
    if value is None and action is not None:
        if action not in _WITHOUT_DATA and action != "set":
            raise MisuseError(str(action) + " needs a value")
        return bytes((dib[0] & 0xF0,)) + dib[1:] + command_vib(vib, action)
    if action in _WITHOUT_DATA:
        raise MisuseError(action + " carries no value")
    whole = builder.record(dib, vib, value, exponent)
    if action is None:
        return whole
    return dib + command_vib(vib, action) + whole[len(dib) + len(vib) :]


# --- meter ---

# action: word of ACTIONS. dib, vib: of the data point, the action taken out. record: the record.Record. data: its data bytes.
Command = namedtuple("Command", ("action", "dib", "vib", "data", "record"))


def parse(payload):
    """(list of Command, None or an application error code): the records of a command telegram.

    A code says why the rest could not be read; nothing of such a telegram should then be executed.
    """
    records, undecoded = record.decode(payload, True)
    commands = []
    for one in records:
        if one.dib == b"\x0f" or one.dib == b"\x1f":
            return commands, error_codes.NO_FUNCTION
        if one.dib == b"\x7f":
            commands.append(Command("get", one.dib, b"", b"", one))
            continue
        vib, action = split_vib(one.vib)
        if action is None:
            action = "get" if one.dib[0] & 0x0F in (0, 8) else "set"
        commands.append(Command(action, one.dib, vib, one.data, one))
    if undecoded is None:
        return commands, None
    code = {"too many DIFE": 0x05, "too many VIFE": 0x06}.get(undecoded.reason, 0x04)
    return commands, code


class Register:
    """A data point of a meter that commands may reach (one that is only sent is a roles.meter.Register).

    dib, vib: as the meter sends it. value: the raw value, a whole number, or bytes where the data are none (addresses, dates,
    texts). actions: what may be done besides get, arl and drl. secured: the KeyID of the secured container that changing it
    needs, True if any will do, False if none is needed. check(old, new): None, or the application error code that refuses
    the new value. becomes(old, new): the value that it then has, None if it cannot be (a valve that is only released).
    """

    def __init__(self, dib, vib, value, actions=(), secured=False, check=None, becomes=None):
        self.dib = bytes(dib)
        self.vib = bytes(vib)
        self.value = value
        self.actions = actions
        self.secured = secured
        self.check = check
        self.becomes = becomes
        self.meaning = vif.resolve(self.vib)

    def record(self, value):
        """The bytes of the record that tells `value`. MisuseError if the data field cannot hold it."""
        return self.dib + self.vib + _data(self, value)


def _data(register, value):
    field = register.dib[0] & 0x0F
    if isinstance(value, (bytes, bytearray)):
        return bytes(value)
    kind = register.meaning.kind
    return encode.data(field, value, kind in ("C", "D"), kind in ("", "C"))


# answers: bytes of the records to answer with. error: application error code or None. writes: new values by the place of
# their Register in the list. readout: places of the registers in the readout list, in order.
Result = namedtuple("Result", ("answers", "error", "writes", "readout"))


def execute(commands, registers, readout=(), secured=False, limit_bytes=190, offered=None):
    """What a meter answers to the Commands of a telegram. Nothing is changed here: the caller carries out `writes`.

    registers: list of Register. readout: the readout list as it stands. secured: the KeyID of the secured container that they
    came in (True: of any), False for none. limit_bytes: how long the answer may be; more is error 03h, so the readout list is bounded too. offered: places
    of the registers by application number, for setMM6!; an application that is not there is application 0.
    Returns a Result; with an error nothing else is set but the old readout list.
    """
    writes = {}
    new_readout = list(readout)
    answers = []  # places
    listed = False
    for command in commands:
        error = None
        if command.dib == b"\x7f" or command.vib[:1] == bytes((_EVERYTHING,)):
            places = range(len(registers))
        else:
            place = find(registers, command)
            places = () if place is None else (place,)
        if command.action == "get":
            if not len(places):
                error = error_codes.NO_DATA
            answers += [place for place in places if place not in answers]
        elif command.action == "arl":
            new_readout += [place for place in places if place not in new_readout]
            listed = True
        elif command.action == "drl":
            new_readout = [place for place in new_readout if place not in places]
            listed = True
        elif len(places) != 1:
            error = error_codes.NO_FUNCTION
        else:
            error = _change(command, registers, places[0], writes, secured)
            if error is None and places[0] not in answers:
                answers.append(places[0])
            if error is None and command.vib == _SELECTION and offered is not None:
                new_readout = _select(writes[places[0]], offered)
                listed = True
        if error is not None:
            return Result((), error, {}, tuple(readout))
    if listed:
        answers = new_readout + [place for place in answers if place not in new_readout]
    out = []
    size = 0
    for place in answers:
        one = registers[place].record(writes.get(place, registers[place].value))
        size += len(one)
        out.append(one)
    if size > limit_bytes:
        return Result((), error_codes.TOO_MANY_RECORDS, {}, tuple(readout))
    return Result(tuple(out), None, writes, tuple(new_readout))


def find(registers, command):
    """The place of the Register that a Command names, or None.

    Data field, resolution and data type may be others than the register's (OMS B.1.4: the real VIF and the one with n = 0).
    """
    meaning = vif.resolve(command.vib)
    wanted = _dib.parse(command.dib, 0, len(command.dib))[2:]
    for place in range(len(registers)):
        register = registers[place]
        if _dib.parse(register.dib, 0, len(register.dib))[2:] != wanted:
            continue
        own = register.meaning
        if register.vib == command.vib or (
            (own.quantity, own.unit, own.qualifiers) == (meaning.quantity, meaning.unit, meaning.qualifiers)
        ):
            return place
    return None


def _change(command, registers, place, writes, secured):
    """Carry one command out in `writes`; returns None or the application error code."""
    register = registers[place]
    if command.action not in register.actions:
        return error_codes.NO_FUNCTION
    if register.secured and secured is not True and (not secured or register.secured not in (True, secured)):
        return error_codes.TOO_WEAK
    old = writes.get(place, register.value)
    if command.action == "clr":
        new = bytes(len(old)) if isinstance(old, (bytes, bytearray)) else 0
    elif command.action == "freeze":
        source = _present(registers, register)
        if source is None:
            return error_codes.NO_DATA
        new = writes.get(source, registers[source].value)
    elif isinstance(old, (bytes, bytearray)):
        if command.action != "set":
            return error_codes.NO_FUNCTION
        if command.dib[0] & 0x0F != register.dib[0] & 0x0F:
            return error_codes.PARAMETER
        new = command.data
    else:
        operand = _operand(command, register)
        if operand is None:
            return error_codes.PARAMETER
        if command.action in _BITWISE and (old < 0 or operand < 0):
            return error_codes.PARAMETER
        if command.action not in _ARITHMETIC:
            return error_codes.NO_FUNCTION
        new = _ARITHMETIC[command.action](old, operand)
    if register.becomes is not None:
        new = register.becomes(old, new)
        if new is None:
            return error_codes.PARAMETER
    try:
        register.record(new)
    except MisuseError:
        return error_codes.PARAMETER  # does not fit: UC-20b "out of range"
    error = register.check(old, new) if register.check else None
    if error is None:
        writes[place] = new
    return error


def _operand(command, register):
    """The command's number in the register's resolution, or None where there is none or it is not exact."""
    if command.dib[0] & 0x0F == 0 and command.vib == _SELECTION:
        return 0  # setMM6! without data: application reset
    one = command.record
    if one.mantissa is None:
        return None
    raw = one.mantissa
    exponent = one.exponent - register.meaning.exponent
    if command.action in _BITWISE or register.meaning.kind == "D":
        size = SIZES[command.dib[0] & 0x0F]
        if 0 < size <= 8 and command.dib[0] & 0x0F < 8:
            return int.from_bytes(command.data, "little")  # a mask has no sign
    if exponent >= 0:
        return raw * 10**exponent
    return None if raw % 10**-exponent else raw // 10**-exponent


def _present(registers, target):
    """The place of the register of which `target` is a stored value."""
    field, function, _storage, tariff, subunit = _dib.parse(target.dib, 0, len(target.dib))[1:6]
    for place in range(len(registers)):
        own = registers[place]
        at = _dib.parse(own.dib, 0, len(own.dib))
        if own.vib == target.vib and (at[1], at[2], at[3], at[4], at[5]) == (
            field,
            function,
            0,
            tariff,
            subunit,
        ):
            return place
    return None


def _select(value, offered):
    """The readout list of the application that MM6! holds."""
    from . import select

    body = bytes(value) if isinstance(value, (bytes, bytearray)) else bytes((value & 0xFF,))
    try:
        application = select.parse(body)[0]
    except ApplicationError:
        application = select.RESET
    return list(offered.get(application, offered.get(select.RESET, ())))
