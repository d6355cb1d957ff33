"""Security mode 10, OMS profile D: AES-128-CCM under a key of this message alone (security sheet section 8).

Keys come from kdf.derive with the counter of the transport layer. The tag of 8 bytes ends the message.
"""

from ..errors import MacError
from .ccm import ccm
from .octets import equal

TAG_BYTES = 8  # OO = 01, the only length of OMS


def _nonce(address, counter):
    # Counter most significant byte first, unlike everywhere else.
    return address.link_bytes() + b"\x00" + counter.to_bytes(4, "big")


def seal(key, address, counter, header, data, clear=b""):
    """(data encrypted, tag). header: TPL from the CI code through CFE and KV; it is authenticated with `clear`, the part
    behind `data` that stays readable. Whether `clear` belongs to what is authenticated is inferred: no public example."""
    return ccm(key, _nonce(address, counter), bytes(data), bytes(header) + bytes(clear), TAG_BYTES, True)


def open(key, address, counter, header, data, clear, tag):
    """The plain text of `data`; parameters as in `seal`. MacError if the tag is wrong.

    A tag that does not cover the clear part proves nothing: anybody could have put that part before the tag of a message
    that had none. The sheet (section 8) would try both.
    """
    plain, expected = ccm(
        key, _nonce(address, counter), bytes(data), bytes(header) + bytes(clear), TAG_BYTES, False
    )
    if equal(expected, tag):
        return plain
    hint = None
    if clear:
        hint = "another key, or somebody changed the message; that the tag covers a clear part is inferred"
    raise MacError("the tag of the message is wrong", hint=hint)
