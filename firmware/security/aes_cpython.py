"""AES-128 from a library of CPython: `cryptography` from version 43 on where it is installed, else pycryptodome.

Measured with `omsnode bench crypto` and scripts like it (x86-64, CPython 3.11, microseconds). Message keys of profiles B and D
are new each time, so what counts is to make a cipher as much as to use it:

    cryptography                            50    43    42    38    pycryptodome 4.4
    cipher of a new key                    3.7   4.0  12.1  17.5                 5.8
    five blocks with a known cipher        0.1   0.9   2.2   1.9                 2.6
    chain of five blocks, new key          4.2   5.5  13.3  15.9                10.7

and with it `decode` of a telegram takes 62 instead of 87 us in profile B, 45 instead of 74 in D, about 20 in A with both. Older
versions lose what they gain. pycryptodome's own CMAC and CCM take twice as long as ours over its block cipher; those of
`cryptography` would save another tenth of a telegram, for which nobody wants a second implementation of each mode.
"""

_MOST = 1024
_FIRST_FAST = 43


def _cryptography():
    """(function that makes the encryption of blocks under a secret, the same for decryption, CBC encryption)."""
    import cryptography

    if int(cryptography.__version__.split(".")[0]) < _FIRST_FAST:
        raise ImportError("slower than pycryptodome")
    from cryptography.hazmat.primitives.ciphers import Cipher, modes
    from cryptography.hazmat.primitives.ciphers.algorithms import AES

    ecb = modes.ECB()
    return (
        lambda secret: Cipher(AES(secret), ecb).encryptor().update,
        lambda secret: Cipher(AES(secret), ecb).decryptor().update,
        lambda secret, iv, data: Cipher(AES(secret), modes.CBC(iv)).encryptor().update(data),
    )


def _pycryptodome():
    from Crypto.Cipher import AES

    return (
        lambda secret: AES.new(secret, AES.MODE_ECB).encrypt,
        lambda secret: AES.new(secret, AES.MODE_ECB).decrypt,
        lambda secret, iv, data: AES.new(secret, AES.MODE_CBC, iv).encrypt(data),
    )


LIBRARIES = (("cryptography", _cryptography), ("pycryptodome", _pycryptodome))


class BackEnd:
    """Functions of a Key, an initialisation vector and whole blocks. The ciphers of the last keys are kept: blocks by
    themselves have no state, and to make a cipher takes longer than to use it."""

    def __init__(self, name, encryption, decryption, chain):
        self.name = name
        self.encryption, self.decryption, self._cbc = encryption, decryption, chain
        self._encryptions = {}
        self._decryptions = {}

    def _made(self, known, make, secret):
        if len(known) >= _MOST:
            known.clear()
        found = known[secret] = make(secret)
        return found

    def ecb(self, key, data):
        encrypt = self._encryptions.get(key._secret)
        if encrypt is None:
            encrypt = self._made(self._encryptions, self.encryption, key._secret)
        return encrypt(data)

    def chain(self, key, iv, data):
        if len(data) == 16:  # CMAC of one block, as in each derived key
            return self.ecb(
                key, (int.from_bytes(iv, "big") ^ int.from_bytes(data, "big")).to_bytes(16, "big")
            )
        return self._cbc(key._secret, iv, data)

    def unchain(self, key, iv, data):
        decrypt = self._decryptions.get(key._secret)
        if decrypt is None:
            decrypt = self._made(self._decryptions, self.decryption, key._secret)
        before = int.from_bytes((iv + data)[: len(data)], "big")
        return (int.from_bytes(decrypt(data), "big") ^ before).to_bytes(len(data), "big")


def choose(libraries=LIBRARIES):
    """The BackEnd of the first of the libraries that is there; ImportError if none is."""
    for name, load in libraries:
        try:
            return BackEnd(name, *load())
        except ImportError:
            pass
    raise ImportError("no AES: install pycryptodome, or cryptography 43 or later")
