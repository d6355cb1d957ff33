"""KDF-A: the keys of one message, derived from the key of a meter (security sheet section 6.1; OMS Vol.2 9.3)."""

from .cmac import cmac
from .keys import Key

# DC: what a derived key is for. A message from the meter can so never be taken for one to it.
ENCRYPTION_UP = 0x00  # Kenc
MAC_UP = 0x01  # Kmac
ENCRYPTION_DOWN = 0x10  # Lenc
MAC_DOWN = 0x11  # Lmac

_PADDING = b"\x07" * 7


def derive(key, purpose, counter, address):
    """Key of one message.

    key: the Key that KeyID selects. purpose: DC. counter: message counter, 0..2**32 - 1. address: the meter's Address, whose
    identification number enters; never the gateway's.
    """
    identification = address.tpl_bytes()[:4]
    return Key(cmac(key, bytes((purpose,)) + counter.to_bytes(4, "little") + identification + _PADDING))
