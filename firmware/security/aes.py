"""AES-128 behind one interface, whoever computes it: pycryptodome on CPython, `cryptolib` on MicroPython.

Keys are `keys.Key` and nothing else, so that raw key bytes do not travel. Data, blocks and initialisation vectors are
bytes in transmission order. MisuseError if a length does not fit or the key is no Key.
"""

from ..errors import MisuseError
from .keys import Key

try:
    from Crypto.Cipher import AES

    _ciphers = {}  # secret: its ECB cipher, which has no state; to make one takes longer than to use it
    _MOST = 1024

    def _ecb(key):
        cipher = _ciphers.get(key._secret)
        if cipher is None:
            if len(_ciphers) >= _MOST:
                _ciphers.clear()
            cipher = _ciphers[key._secret] = AES.new(key._secret, AES.MODE_ECB)
        return cipher

    def _chain(key, iv, data):
        if len(data) == BLOCK:  # CMAC of one block, as in each derived key
            block = int.from_bytes(iv, "big") ^ int.from_bytes(data, "big")
            return _ecb(key).encrypt(block.to_bytes(BLOCK, "big"))
        return AES.new(key._secret, AES.MODE_CBC, iv).encrypt(data)

    def _unchain(key, iv, data):
        before = int.from_bytes((iv + data)[: len(data)], "big")
        return (int.from_bytes(_ecb(key).decrypt(data), "big") ^ before).to_bytes(len(data), "big")

except ImportError:
    from cryptolib import aes

    # An object works in one direction only.
    def _ecb(key):
        return aes(key._secret, 1)

    def _chain(key, iv, data):
        return aes(key._secret, 2, iv).encrypt(data)

    def _unchain(key, iv, data):
        return aes(key._secret, 2, iv).decrypt(data)


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
    return _ecb(key).encrypt(block)
