"""A telegram that came over MAC and LLC instead of a link frame: the Link that the layers above want (LPWAN sheet section 20).

Over the LLC stands what in mode C stands behind the ELL. What the ELL would have told is in the LLC and in the MElements; it
is handed on as an `extended.Ell` without CI, so that nobody above has to tell the two apart.
"""

from ...errors import ForbiddenCiError, LinkError
from .. import extended
from .. import telegram as link_telegram
from . import llc as logical
from . import mac as frames

# Bits B and A of CC, by DL-AC: none, temporarily none, limited (options #1 to #4), unlimited (#5 and #6).
_B, _A = extended.BIDIRECTIONAL, extended.ACCESSIBLE
_ACCESS = (0, _A, _B, _B, _B, _B, _B | _A, _B | _A)


class Link(link_telegram.Link):
    """As link.telegram.Link. c_field: None where there is none, and then no upper layer. address: of the sender, None in a
    downlink of the allocated gateway and in a MACK. ell: an Ell with `ci` None (see `read`). message: the frame without
    CRC, in which `offset` counts; `application.telegram.decode(link.message, ..., link=link)` reads it.

    mac, llc: mac.Mac and llc.Llc (None in a MACK). ell_fields: the Ell that stood there as well, or None.
    """

    primary_address = None  # what a sender on a wire has

    def __init__(self, message, mac, llc, ell, ell_fields, offset):
        link_telegram.Link.__init__(self, llc and llc.c_field, llc and llc.address, ell, offset)
        self.message = message
        self.mac = mac
        self.llc = llc
        self.ell_fields = ell_fields

    @property
    def meter(self):
        """Address of the meter's radio, whatever the direction; None in a MACK."""
        if self.llc is None:
            return None
        return self.llc.address if frames.is_up(self.mac.type) else self.llc.receiver


def parse(frame, direction, submode=None):
    """The Link of a whole MAC frame. direction, submode: as for mac.parse, which raises what is wrong with the MAC; a body that
    is corrupt is told in `mac.error` and hides nothing. Else raises as `read`."""
    return read(frames.parse(frame, direction, submode), frame)


def read(mac, frame):
    """The Link of a frame that was parsed already. frame: bytes with CRC.

    Its `ell` has the access number, the receiver and the hop of the LLC; of CC the bits S and H as the LLC, B and A as the
    access that MElement_UA offers (sheet 14). An ELL behind the LLC is skipped; what both say counts as in the LLC (Q.4.1).

    Raises LengthError, ReservedError, ForbiddenCiError (also for an encrypted ELL), CrcError for the payload CRC of an ELL,
    and LinkError where an address or the C-field is missing that has to be there (sheet 13, 20).
    """
    up = frames.is_up(mac.type)
    llc = logical.parse(mac.payload, up)
    message = bytes(frame[:-4])
    if llc is None:
        if mac.type != frames.MACK:
            raise LinkError("a {} without LLC".format(frames.name(mac.type)))
        return Link(message, mac, None, extended.Ell(None, 0, None, None, None, None, 0), None, len(message))
    if (llc.address if up else llc.receiver) is None and mac.type != frames.MACK:
        raise LinkError("a {} without the meter's address".format(frames.name(mac.type)), mac.offset)
    if llc.flag and not up and llc.address is None:
        raise LinkError("RRX without the address of the gateway", mac.offset)
    offset = len(message)
    found = None
    if llc.payload is not None:
        offset -= len(llc.payload)
        if llc.c_field is None:
            raise LinkError("an upper layer without C-field", mac.offset)
        found = extended.parse(message, offset)
        if found is not None:
            if found.encrypted:
                raise ForbiddenCiError("an ELL is not encrypted in OMS LPWAN", offset)
            offset += found.size
            logical.check_ci(message, offset)
    receiver, number = llc.receiver, llc.access_number
    if found is not None:
        receiver = receiver or found.receiver
        number = found.access_number if number is None else number
    ell = extended.Ell(None, _cc(mac, llc, up), number, receiver, None, None, 0)
    return Link(message, mac, llc, ell, found, offset)


def _cc(mac, llc, up):
    cc = extended.HOP if llc.hops else 0
    if up:
        cc |= _ACCESS[mac.elements.access if mac.elements else 0]
        if llc.flag:
            cc |= extended.SYNCHRONOUS
    return cc
