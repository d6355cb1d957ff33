"""AES-128 behind one interface, whoever computes it: `cryptolib` on MicroPython, on CPython what aes_cpython.py chooses.

Keys are `keys.Key` and nothing else, so that raw key bytes do not travel. Data, blocks and initialisation vectors are
bytes in transmission order. MisuseError if a length does not fit or the key is no Key.
"""

import sys

from ..errors import MisuseError
from .keys import Key

if sys.implementation.name == "micropython":
    from cryptolib import aes

    # An object works in one direction only.
    def _ecb(key, data):
        return aes(key._secret, 1).encrypt(data)

    def _chain(key, iv, data):
        return aes(key._secret, 2, iv).encrypt(data)

    def _unchain(key, iv, data):
        return aes(key._secret, 2, iv).decrypt(data)

else:
    from .aes_cpython import choose

    back_end = choose()
    _ecb, _chain, _unchain = back_end.ecb, back_end.chain, back_end.unchain


BLOCK = 16


def _check(key, iv, data):
    if not isinstance(key, Key):
        raise MisuseError("AES wants a Key, not bytes")
    if len(iv) != BLOCK:
        raise MisuseError("an AES initialisation vector has 16 bytes, not {}".format(len(iv)))
    if len(data) % BLOCK:
        raise MisuseError("AES works on whole blocks of 16 bytes, {} are too many".format(len(data) % BLOCK))


def cbc_encrypt(key, iv, data):
    """AES-128-CBC of whole blocks."""
    _check(key, iv, data)
    return _chain(key, iv, data)


def cbc_decrypt(key, iv, data):
    """The inverse of cbc_encrypt."""
    _check(key, iv, data)
    return _unchain(key, iv, data)


def ecb_encrypt(key, block):
    """AES-128 of each block by itself; the base of CMAC, CTR and CCM."""
    _check(key, bytes(BLOCK), block)
    return _ecb(key, block)
