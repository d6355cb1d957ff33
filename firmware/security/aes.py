"""AES-128 behind one interface, whoever computes it: pycryptodome on CPython, `cryptolib` on MicroPython.

Keys are `keys.Key` and nothing else, so that raw key bytes do not travel. Data, blocks and initialisation vectors are
bytes in transmission order. MisuseError if a length does not fit or the key is no Key.
"""

from ..errors import MisuseError
from .keys import Key

try:
    from Crypto.Cipher import AES as _AES

    BACK_END = "pycryptodome"
except ImportError:
    from cryptolib import aes as _aes

    BACK_END = "cryptolib"

BLOCK = 16


def _check(key, iv, data):
    if not isinstance(key, Key):
        raise MisuseError("AES wants a Key, not bytes")
    if len(iv) != BLOCK:
        raise MisuseError("an AES initialisation vector has 16 bytes, not {}".format(len(iv)))
    if len(data) % BLOCK:
        raise MisuseError("AES works on whole blocks of 16 bytes, {} are too many".format(len(data) % BLOCK))


_ANY_IV = bytes(BLOCK)

if BACK_END == "pycryptodome":

    def cbc_encrypt(key, iv, data):
        """AES-128-CBC of whole blocks."""
        _check(key, iv, data)
        return _AES.new(key._secret, _AES.MODE_CBC, iv).encrypt(data)

    def cbc_decrypt(key, iv, data):
        """The inverse of cbc_encrypt."""
        _check(key, iv, data)
        return _AES.new(key._secret, _AES.MODE_CBC, iv).decrypt(data)

    def ecb_encrypt(key, block):
        """AES-128 of each block by itself; the base of CMAC, CTR and CCM."""
        _check(key, _ANY_IV, block)
        return _AES.new(key._secret, _AES.MODE_ECB).encrypt(block)

else:
    # cryptolib.aes(key, mode, iv): mode 1 is ECB, 2 is CBC; an object works in one direction only.

    def cbc_encrypt(key, iv, data):
        """AES-128-CBC of whole blocks."""
        _check(key, iv, data)
        return _aes(key._secret, 2, iv).encrypt(data)

    def cbc_decrypt(key, iv, data):
        """The inverse of cbc_encrypt."""
        _check(key, iv, data)
        return _aes(key._secret, 2, iv).decrypt(data)

    def ecb_encrypt(key, block):
        """AES-128 of each block by itself; the base of CMAC, CTR and CCM."""
        _check(key, _ANY_IV, block)
        return _aes(key._secret, 1).encrypt(block)
