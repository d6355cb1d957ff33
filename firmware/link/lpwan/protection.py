"""MAC security: MDerKey and profile MSP1, AES-CCM over the MAC body (OMS Vol. 2 Annex Q.3.4; LPWAN sheet section 16).

Only the body is protected: MAC header, LLC and what is above have their own or no protection. The MMAC is the encrypted tag of
CCM. The MMsgCounter is sent low byte first and stands high byte first in the nonce.
"""

from ...errors import MisuseError
from ...security.cmac import cmac
from ...security.keys import Key
from ...security.octets import equal
from . import body as bodies
from . import mac

_TAG_BYTES = 4
_FROM_KEY = b"\x09" * 9

# Usage, a byte of the nonce, by MFT: bit 0 downlink, bit 1 the counter is the CMD-MMsgCounter.
_USAGE = {mac.MSNR: 0, mac.MRSP: 2, mac.MCMD: 3, mac.MCNR: 3}


def derive(key, der_counter, address):
    """MDerKey, a Key. key: the MAC key (KeyID 0F). der_counter: 0..255. address: the meter's, as in the LLC."""
    return Key(cmac(key, bytes([der_counter]) + address.link_bytes()[:6] + _FROM_KEY))


def nonce(address, frame_type, counter):
    """The 13 bytes for a body in a frame of this MFT. address: the meter's in both directions. MisuseError if bodies of such
    frames are not secured."""
    if frame_type not in _USAGE:
        raise MisuseError("the body of a {} is not secured".format(mac.name(frame_type)))
    return address.link_bytes() + bytes([_USAGE[frame_type], 0, 0, counter >> 8, counter & 255])


def seal(derived, address, frame_type, counter, data, der_counter=None):
    """The secured Body of MBlocks.

    derived: MDerKey. counter: MMsgCounter, 0..65535, never used before with this key and MFT, but for MCMD and MCNR, which
    share theirs. data: bytes of the MBlocks, may be empty. der_counter: MDerCounter to be sent along, or None.
    """
    if not 0 <= counter <= 0xFFFF:
        raise MisuseError("an MMsgCounter has 16 bits")
    head = bodies.associated(len(data), der_counter, True)
    out, tag = _ccm(derived, nonce(address, frame_type, counter), data, head, True)
    return bodies.Body(head, der_counter, counter, tag, out)


def open_(derived, address, frame_type, body):
    """Bytes of the MBlocks of a secured Body. MacError if the MMAC is wrong, ReservedError if frames of this type have none."""
    if frame_type not in _USAGE:
        from ...errors import ReservedError

        raise ReservedError("the body of a {} is not secured".format(mac.name(frame_type)), None)
    once = nonce(address, frame_type, body.counter)
    data, tag = _ccm(derived, once, body.data, body.associated, False)
    if not equal(tag, body.mmac):
        from ...errors import MacError

        raise MacError("MMAC wrong: wrong MAC key or tampered")
    return data


def _ccm(derived, once, data, associated, encrypt):
    from ...security.ccm import ccm  # a role stands on many modules: not at the end of that chain

    return ccm(derived, once, data, associated, _TAG_BYTES, encrypt)
