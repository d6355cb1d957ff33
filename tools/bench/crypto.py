"""AES back ends beside each other, in one run: what the modes of the stack cost with each, per primitive and per telegram.

"ours, ..." is security/ over the block cipher of that library; the one marked * is what this machine uses (security/
aes_cpython.py). "... alone" are the library's own CBC, CMAC and CCM. Then a table in plain Python, and MicroPython's cryptolib
under our code as on a device (where its unix port is installed; another interpreter, so its figures stand for themselves).
Before anything is measured, all must agree.
"""

import itertools
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from omsnode.firmware.security import aes, aes_cpython, ccm, cmac
from omsnode.firmware.security.keys import Key
from omsnode.firmware.security.octets import xor

from .decode import seconds_each

_SECRET = bytes(range(16))
_ZERO = bytes(16)
_DATA = bytes(range(80))  # 5 blocks, 80 bytes: an average telegram
_NONCE = bytes(range(13))
_HEADER = bytes(7)  # TPL of profile D with short header

CBC, CMAC, CCM, KDF = "CBC open, 5 blocks", "CMAC, 80 bytes", "CCM, 80 bytes", "KDF (CMAC, 1 block)"
A, B, D = "telegram of profile A", "telegram of profile B", "telegram of profile D"
NAMES = (CBC, CMAC, CCM, KDF, A, B, D)


class _Own:
    """A back end: functions of a secret (16 bytes) and data. library: row of aes_cpython.LIBRARIES."""

    def __init__(self, library):
        chosen = aes_cpython.choose([library])
        self.functions = chosen.ecb, chosen.chain, chosen.unchain

    def _use(self):
        aes._ecb, aes._chain, aes._unchain = self.functions

    def cbc(self, secret, iv, data):
        self._use()
        return aes.cbc_decrypt(Key(secret), iv, data)

    def cmac(self, secret, data):
        self._use()
        return cmac.cmac(Key(secret), data)

    def ccm(self, secret, nonce, data, header):
        self._use()
        return ccm.ccm(Key(secret), nonce, data, header, 8, True)


class _Pycryptodome:
    def __init__(self):
        from Crypto.Cipher import AES
        from Crypto.Hash import CMAC

        self.aes, self.hash = AES, CMAC

    def cbc(self, secret, iv, data):
        return self.aes.new(secret, self.aes.MODE_CBC, iv).decrypt(data)

    def cmac(self, secret, data):
        return self.hash.new(secret, data, self.aes).digest()

    def ccm(self, secret, nonce, data, header):
        cipher = self.aes.new(secret, self.aes.MODE_CCM, nonce=nonce, mac_len=8)
        cipher.update(header)
        return cipher.encrypt_and_digest(data)


class _Cryptography:
    def __init__(self):
        from cryptography.hazmat.primitives import ciphers, cmac
        from cryptography.hazmat.primitives.ciphers import aead

        self.ciphers, self.hash, self.aead = ciphers, cmac.CMAC, aead.AESCCM

    def cbc(self, secret, iv, data):
        key, mode = self.ciphers.algorithms.AES(secret), self.ciphers.modes.CBC(iv)
        cipher = self.ciphers.Cipher(key, mode).decryptor()
        return cipher.update(data) + cipher.finalize()

    def cmac(self, secret, data):
        one = self.hash(self.ciphers.algorithms.AES(secret))
        one.update(data)
        return one.finalize()

    def ccm(self, secret, nonce, data, header):
        both = self.aead(secret, tag_length=8).encrypt(nonce, data, header)
        return both[:-8], both[-8:]


class _Table:
    """Our CMAC and CCM over AES in plain Python; nothing that decrypts."""

    def __init__(self):
        self.ciphers = {}

    def _cipher(self, secret):
        found = self.ciphers.get(secret)
        if found is None:
            if len(self.ciphers) > 100:
                self.ciphers.clear()
            found = self.ciphers[secret] = _table_cipher(secret)
        return found

    def _chain(self, encrypt, data):
        mac = _ZERO
        for at in range(0, len(data), 16):
            mac = encrypt(xor(mac, data[at : at + 16]))
        return mac

    def cmac(self, secret, data):
        encrypt = self._cipher(secret)
        subkey = cmac._double(encrypt(_ZERO))
        return self._chain(encrypt, data[:-16] + xor(data[-16:], subkey))

    def ccm(self, secret, nonce, data, header):
        encrypt = self._cipher(secret)
        blocks = 1 + len(data) // 16
        stream = b"".join([encrypt(b"\x01" + nonce + i.to_bytes(2, "big")) for i in range(blocks)])
        associated = len(header).to_bytes(2, "big") + header
        first = b"\x59" + nonce + len(data).to_bytes(2, "big") + associated + bytes(-len(associated) % 16)
        tag = self._chain(encrypt, first + data)
        return xor(data, stream[16:]), xor(tag[:8], stream[:8])


def _back_ends():
    """(name, function that makes it and raises ImportError where its library is missing)."""
    for row in aes_cpython.LIBRARIES:
        mark = "*" if row[0] == aes.back_end.name else ""
        yield "ours, " + row[0] + mark, lambda row=row: _Own(row)
    yield "cryptography alone", _Cryptography
    yield "pycryptodome alone", _Pycryptodome
    yield "table", _Table


def _calls(back_end):
    """{what: function that does it once}. Messages of profiles B and D have keys of their own: none comes twice."""
    count = itertools.count()

    def fresh(purpose):
        return back_end.cmac(_SECRET, bytes((purpose,)) + next(count).to_bytes(15, "little"))

    def telegram_b():
        back_end.cmac(fresh(1), _DATA)
        return back_end.cbc(fresh(0), _ZERO, _DATA)

    calls = {
        CMAC: lambda: back_end.cmac(_SECRET, _DATA),
        CCM: lambda: back_end.ccm(_SECRET, _NONCE, _DATA, _HEADER),
        KDF: lambda: back_end.cmac(_SECRET, _NONCE + b"abc"),
        D: lambda: back_end.ccm(fresh(0), _NONCE, _DATA, _HEADER),
    }
    if hasattr(back_end, "cbc"):
        calls[CBC] = calls[A] = lambda: back_end.cbc(_SECRET, _DATA[:16], _DATA)
        calls[B] = telegram_b
    return calls


def _table_cipher(secret):
    """AES-128 of one block with four tables of 256 words (FIPS-197 as in the submission of Rijndael, 5.2.1)."""
    box = [0x63] * 256
    p = q = 1
    while True:  # p runs through the field, q through the inverses
        p = (p ^ p << 1 ^ (0x1B if p & 0x80 else 0)) & 0xFF
        for shift in (1, 2, 4):
            q = (q ^ q << shift) & 0xFF
        q ^= 0x09 if q & 0x80 else 0
        rotated = q
        for shift in (1, 2, 3, 4):
            rotated ^= (q << shift | q >> (8 - shift)) & 0xFF
        box[p] = rotated ^ 0x63
        if p == 1:
            break
    first = []
    for s in box:
        double = (s << 1 ^ (0x1B if s & 0x80 else 0)) & 0xFF
        first.append(double << 24 | s << 16 | s << 8 | double ^ s)
    t0, t1, t2, t3 = [[(w >> 8 * i | w << 32 - 8 * i) & 0xFFFFFFFF for w in first] for i in range(4)]
    words = [int.from_bytes(secret[i : i + 4], "big") for i in range(0, 16, 4)]
    constant = 1
    for i in range(4, 44):
        w = words[-1]
        if i % 4 == 0:
            w = (w << 8 | w >> 24) & 0xFFFFFFFF
            w = box[w >> 24] << 24 | box[w >> 16 & 255] << 16 | box[w >> 8 & 255] << 8 | box[w & 255]
            w ^= constant << 24
            constant = constant << 1 ^ (0x11B if constant & 0x80 else 0)
        words.append(words[i - 4] ^ w)

    def encrypt(block):
        a, b, c, d = [int.from_bytes(block[i : i + 4], "big") ^ words[i // 4] for i in range(0, 16, 4)]
        for k in range(4, 40, 4):
            a, b, c, d = (
                t0[a >> 24] ^ t1[b >> 16 & 255] ^ t2[c >> 8 & 255] ^ t3[d & 255] ^ words[k],
                t0[b >> 24] ^ t1[c >> 16 & 255] ^ t2[d >> 8 & 255] ^ t3[a & 255] ^ words[k + 1],
                t0[c >> 24] ^ t1[d >> 16 & 255] ^ t2[a >> 8 & 255] ^ t3[b & 255] ^ words[k + 2],
                t0[d >> 24] ^ t1[a >> 16 & 255] ^ t2[b >> 8 & 255] ^ t3[c & 255] ^ words[k + 3],
            )
        out = b""
        for k, (e, f, g, h) in enumerate(((a, b, c, d), (b, c, d, a), (c, d, a, b), (d, a, b, c))):
            w = box[e >> 24] << 24 | box[f >> 16 & 255] << 16 | box[g >> 8 & 255] << 8 | box[h & 255]
            out += (w ^ words[40 + k]).to_bytes(4, "big")
        return out

    return encrypt


# Under MicroPython: lines of name and microseconds.
_SCRIPT = """
import time
from omsnode.firmware.security import aes, ccm, cmac
from omsnode.firmware.security.keys import Key
key = Key(bytes(range(16)))
data = bytes(range(80))
count = 0
def fresh():
    global count
    count += 1
    return Key(cmac.cmac(key, count.to_bytes(16, "little")))
def profile_b():
    cmac.cmac(fresh(), data)
    aes.cbc_decrypt(fresh(), bytes(16), data)
for call in (
    lambda: aes.cbc_decrypt(key, data[:16], data),
    lambda: cmac.cmac(key, data),
    lambda: ccm.ccm(key, data[:13], data, data[:7], 8, True),
    lambda: cmac.cmac(key, data[:16]),
    lambda: aes.cbc_decrypt(key, data[:16], data),
    profile_b,
    lambda: ccm.ccm(fresh(), data[:13], data, data[:7], 8, True),
):
    best = None
    for _ in range(5):
        start = time.ticks_us()
        for _ in range(200):
            call()
        spent = time.ticks_diff(time.ticks_us(), start) / 200
        best = spent if best is None else min(best, spent)
    print(best)
"""


def _micropython():
    """{what: seconds} of the unix port, or None."""
    places = os.pathsep.join([str(pathlib.Path(sys.executable).parent), os.environ.get("PATH", "")])
    interpreter = shutil.which("micropython", path=places)
    if interpreter is None:
        return None
    root = pathlib.Path(__file__).resolve().parent.parent.parent
    with tempfile.TemporaryDirectory(prefix="omsnode-bench") as folder:
        (pathlib.Path(folder) / "omsnode").symlink_to(root, target_is_directory=True)
        done = subprocess.run(
            [interpreter, "-c", _SCRIPT],
            env=dict(os.environ, MICROPYPATH=folder),
            capture_output=True,
            text=True,
            timeout=120,
        )
    if done.returncode:
        return None
    return dict(zip(NAMES, [float(line) * 1e-6 for line in done.stdout.split()], strict=True))


def measure():
    """{"rows": dicts with what and, per back end, microseconds or None; "missing": back ends that are not installed}."""
    kept = aes._ecb, aes._chain, aes._unchain
    try:
        return _measure()
    finally:
        aes._ecb, aes._chain, aes._unchain = kept


def _measure():
    calls: dict[str, dict] = {}
    right: dict[str, object] = {}
    missing = []
    for name, make in _back_ends():
        try:
            calls[name] = _calls(make())
        except ImportError:
            missing.append(name)
            continue
        for what in (CBC, CMAC, CCM, KDF):
            if what in calls[name]:
                result = calls[name][what]()
                assert right.setdefault(what, result) == result, (name, what)
    small = _micropython()
    if small is None:
        missing.append("MicroPython")
    rows = []
    for what in NAMES:
        able = [name for name in calls if what in calls[name]]
        seconds = dict(zip(able, seconds_each([calls[name][what] for name in able]), strict=True))
        if small is not None:
            seconds["MicroPython"] = small[what]
        names = [*calls, "MicroPython"] if small is not None else list(calls)
        us = {name: round(seconds[name] * 1e6, 1) if name in seconds else None for name in names}
        rows.append({"what": what, "us": us})
    return {"rows": rows, "missing": missing}


def lines(found):
    """What `measure` found, to read."""
    names = list(found["rows"][0]["us"])
    yield "{:<24}".format("microseconds") + "".join(["{:>20}".format(name) for name in names])
    for row in found["rows"]:
        cells = ["{:>20}".format("-" if us is None else us) for us in row["us"].values()]
        yield "{:<24}".format(row["what"]) + "".join(cells)
    for name in found["missing"]:
        yield "not installed: " + name
