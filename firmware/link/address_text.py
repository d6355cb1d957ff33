"""Addresses as people write them: "12345678.M=KAM.V=1b.T=16". Loaded when one is read or shown."""

from ..errors import MisuseError
from .address import hexadecimal


def manufacturer_code(number):
    """Three letters of a manufacturer number ("KAM" of 2C2D); bit 15 (address not unique worldwide) is left out.

    A number that is no three letters A-Z is returned as four hexadecimal digits.
    """
    code = "".join([chr(64 + (number >> shift & 31)) for shift in (10, 5, 0)])
    for letter in code:
        if not "A" <= letter <= "Z":
            return "{:04x}".format(number)
    return code


def manufacturer_number(code):
    """Number of three letters, or of four hexadecimal digits; MisuseError if it is neither."""
    code = code.upper()
    if len(code) == 3:
        number = 0
        for letter in code:
            if not "A" <= letter <= "Z":
                break
            number = number << 5 | ord(letter) - 64
        else:
            return number
    return hexadecimal(code, 4)


def parse(text):
    """(manufacturer, ident, version, device type) of such a text; what it does not say is None. MisuseError otherwise."""
    parts = text.strip().split(".")
    fields = {"M": None, "V": None, "T": None}
    for part in parts[1:]:
        name, _, value = part.partition("=")
        name = name.upper()
        if fields.get(name, 0) is not None:
            raise MisuseError(
                "{} is no address".format(text), hint="write 12345678 or 12345678.M=KAM.V=1b.T=16"
            )
        fields[name] = manufacturer_number(value) if name == "M" else hexadecimal(value, 2, 1)
    return (fields["M"], parts[0], fields["V"], fields["T"])


def show(address):
    """The text of an Address; what is None in a pattern is left out."""
    text = address.ident
    if address.manufacturer is not None:
        # Bit 15 is part of the address: without it another address would be written.
        soft = address.manufacturer & 0x8000
        text += ".M=" + (
            "{:04x}".format(address.manufacturer) if soft else manufacturer_code(address.manufacturer)
        )
    if address.version is not None:
        text += ".V={:02x}".format(address.version)
    if address.device_type is not None:
        text += ".T={:02x}".format(address.device_type)
    return text
