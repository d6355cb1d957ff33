"""The eight bytes that name a device (EN 13757-4 12.5.5, 12.5.6; link sheet 5.4, 5.5; application sheet 4.1, 4.3).

On the link: M(2) ID(4) version device type; in the long header of the transport layer: ID(4) M(2) version device type.
Manufacturer and identification number are sent low byte first. How an address is written for people: address_text.py.
"""

from ..errors import LengthError, MisuseError


def device_type_name(code):
    """Name of a device type in lower case ("cold water"), None where the standard has reserved the code."""
    from .device_types import NAMES

    return NAMES.get(code)


def hexadecimal(digits, most, least=None):
    """The number that `least` to `most` hexadecimal digits are (least None: exactly `most`); MisuseError otherwise."""
    if not (least or most) <= len(digits) <= most or digits.strip("0123456789abcdefABCDEF"):
        raise MisuseError("{} is not {} hexadecimal digits".format(digits, most))
    return int(digits, 16)


class Address:
    """manufacturer: 16-bit integer. ident: the eight BCD digits as printed (nibbles above 9 as lower case letters).
    version, device_type: bytes. A pattern to compare with has None for what may be anything.
    """

    def __init__(self, manufacturer, ident, version, device_type):
        hexadecimal(ident, 8)
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
        ident = int.from_bytes(data[2:6], "little")
        return cls(data[0] | data[1] << 8, "%08x" % ident, data[6], data[7])

    @classmethod
    def from_tpl(cls, data):
        """From the eight bytes ID M version type; LengthError if they are not eight."""
        return cls.from_link(data[4:6] + data[:4] + data[6:])

    @classmethod
    def parse(cls, text):
        """From "12345678.M=KAM.V=1b.T=16" or a part of it that begins with the eight digits; what is not said is None.

        V and T are hexadecimal. MisuseError if the text is something else.
        """
        from .address_text import parse

        return cls(*parse(text))

    @property
    def manufacturer_code(self):
        """Three letters; four hexadecimal digits where the number is no letters; None in a pattern without it."""
        from .address_text import manufacturer_code

        return None if self.manufacturer is None else manufacturer_code(self.manufacturer)

    def _bytes(self, order):
        if self.manufacturer is None or self.version is None or self.device_type is None:
            raise MisuseError("{} is a pattern, not a whole address".format(self))
        ident = int(self.ident, 16).to_bytes(4, "little")
        manufacturer = self.manufacturer.to_bytes(2, "little")
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
        from .address_text import show

        return show(self)

    def __repr__(self):
        return "Address({})".format(self)
