"""The eight bytes that name a device (EN 13757-4 12.5.5, 12.5.6; link sheet 5.4, 5.5; application sheet 4.1, 4.3).

On the link: M(2) ID(4) version device type; in the long header of the transport layer: ID(4) M(2) version device type.
Manufacturer and identification number are sent low byte first.
"""

from ..errors import LengthError, MisuseError


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
    return _hex(code, 4)


def device_type_name(code):
    """Name of a device type in lower case ("cold water"), None where the standard has reserved the code."""
    from .device_types import NAMES

    return NAMES.get(code)


def _hex(digits, most, least=None):
    if not (least or most) <= len(digits) <= most:
        raise MisuseError("{} is not {} hexadecimal digits".format(digits, most))
    for digit in digits:
        if digit not in "0123456789abcdefABCDEF":
            raise MisuseError("{} is not {} hexadecimal digits".format(digits, most))
    return int(digits, 16)


class Address:
    """manufacturer: 16-bit integer. ident: the eight BCD digits as printed (nibbles above 9 as lower case letters).
    version, device_type: bytes. A pattern to compare with has None for what may be anything.
    """

    def __init__(self, manufacturer, ident, version, device_type):
        _hex(ident, 8)
        for value, most in ((manufacturer, 0xFFFF), (version, 0xFF), (device_type, 0xFF)):
            if value is not None and not 0 <= value <= most:
                raise MisuseError("{} does not fit the address".format(value))
        self.manufacturer = manufacturer
        self.ident = ident.lower()
        self.version = version
        self.device_type = device_type

    @classmethod
    def from_link(cls, data):
        """From the eight bytes M ID version type; LengthError if they are not eight."""
        if len(data) != 8:
            raise LengthError("an address is 8 bytes, not {}".format(len(data)))
        ident = data[2] | data[3] << 8 | data[4] << 16 | data[5] << 24
        return cls(data[0] | data[1] << 8, "%08x" % ident, data[6], data[7])

    @classmethod
    def from_tpl(cls, data):
        """From the eight bytes ID M version type; LengthError if they are not eight."""
        if len(data) != 8:
            raise LengthError("an address is 8 bytes, not {}".format(len(data)))
        ident = data[0] | data[1] << 8 | data[2] << 16 | data[3] << 24
        return cls(data[4] | data[5] << 8, "%08x" % ident, data[6], data[7])

    @classmethod
    def parse(cls, text):
        """From "12345678.M=KAM.V=1b.T=16" or a part of it that begins with the eight digits; what is not said is None.

        V and T are hexadecimal. MisuseError if the text is something else.
        """
        parts = text.strip().split(".")
        fields = {"M": None, "V": None, "T": None}
        for part in parts[1:]:
            name, _, value = part.partition("=")
            name = name.upper()
            if fields.get(name, 0) is not None:
                raise MisuseError(
                    "{} is no address".format(text), hint="write 12345678 or 12345678.M=KAM.V=1b.T=16"
                )
            fields[name] = manufacturer_number(value) if name == "M" else _hex(value, 2, 1)
        return cls(fields["M"], parts[0], fields["V"], fields["T"])

    @property
    def manufacturer_code(self):
        """Three letters; four hexadecimal digits where the number is no letters; None in a pattern without it."""
        return None if self.manufacturer is None else manufacturer_code(self.manufacturer)

    def _bytes(self, order):
        if None in (self.manufacturer, self.version, self.device_type):
            raise MisuseError("{} is a pattern, not a whole address".format(self))
        number = int(self.ident, 16)
        ident = bytes([number & 0xFF, number >> 8 & 0xFF, number >> 16 & 0xFF, number >> 24])
        manufacturer = bytes([self.manufacturer & 0xFF, self.manufacturer >> 8])
        head = manufacturer + ident if order == "link" else ident + manufacturer
        return head + bytes([self.version, self.device_type])

    def link_bytes(self):
        """Eight bytes M ID version type; MisuseError for a pattern."""
        return self._bytes("link")

    def tpl_bytes(self):
        """Eight bytes ID M version type; MisuseError for a pattern."""
        return self._bytes("tpl")

    def matches(self, other):
        """True if no field that both of them have differs."""
        return self.ident == other.ident and (
            (self.manufacturer == other.manufacturer or None in (self.manufacturer, other.manufacturer))
            and (self.version == other.version or None in (self.version, other.version))
            and (self.device_type == other.device_type or None in (self.device_type, other.device_type))
        )

    def __eq__(self, other):
        return (
            isinstance(other, Address)
            and self.ident == other.ident
            and self.manufacturer == other.manufacturer
            and self.version == other.version
            and self.device_type == other.device_type
        )

    def __hash__(self):
        return hash((self.manufacturer, self.ident, self.version, self.device_type))

    def __str__(self):
        text = self.ident
        if self.manufacturer is not None:
            # Bit 15 is part of the address: without it another address would be written.
            soft = self.manufacturer & 0x8000
            text += ".M=" + ("{:04x}".format(self.manufacturer) if soft else self.manufacturer_code)
        if self.version is not None:
            text += ".V={:02x}".format(self.version)
        if self.device_type is not None:
            text += ".T={:02x}".format(self.device_type)
        return text

    def __repr__(self):
        return "Address({})".format(self)
