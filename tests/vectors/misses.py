"""The readings that the decoder does not find, from the raw bytes, by the rules that tools/corpus_check.py prints.

    python tests/vectors/misses.py ../shared/vectors/corpus.json

Written by someone who did not write the decoder; nothing of omsnode is used. Exit status 1 if a rule does not give
the number.
"""

import json
import sys
from fractions import Fraction

from Crypto.Cipher import AES

HEADER = 15  # link layer and short transport header


def payload(entry):
    """Bytes behind the short header, decrypted where the header says mode 5, check bytes included."""
    form = entry.get("encrypted_form") or entry
    frame = bytes.fromhex(form["telegram"])
    assert frame[0] == len(frame) - 1 and frame[10] == 0x7A
    body = frame[HEADER:]
    if frame[14] & 0x1F == 5:
        size = 16 * (frame[13] >> 4)
        iv = frame[2:10] + bytes([frame[11]]) * 8
        body = AES.new(bytes.fromhex(form["key"]), AES.MODE_CBC, iv).decrypt(body[:size]) + body[size:]
    assert body[:2] == b"//"
    return body


def apator162(body):
    lengths = {0x43: 2, 0x83: 10, 0x10: 4, 0x7B: 49, 0xA0: 4}
    at = 10
    while body[at] != 0x10:
        at += 1 + lengths[body[at]]
    return {"total_m3": Fraction(int.from_bytes(body[at + 1 : at + 5], "little"), 1000)}


def bfw240radio(body):
    found = {"current_hca": body[6] << 8 | body[7], "prev_hca": body[4] << 8 | body[5]}
    for pair in range(9):
        a, b, c = body[34 - 3 * pair : 37 - 3 * pair]
        found["prev_{:02}_hca".format(2 * pair + 1)] = (b & 15) << 8 | c
        found["prev_{:02}_hca".format(2 * pair + 2)] = (b >> 4) << 8 | a
    return found


def c5isf(body):
    found = {}
    for number in range(2, 15):
        storage = number + 31
        head = bytes([0x84 | (storage & 1) << 6, 0x80 | storage >> 1 & 15, storage >> 5, 0x06])
        assert body.count(head) == 1
        at = body.index(head) + len(head)
        found["prev_{}_month_kwh".format(number)] = int.from_bytes(body[at : at + 4], "little", signed=True)
    return found


# Telegram -> its rule: (driver, identification).
RULES = {
    ("apator162", "88888888"): apator162,
    ("bfw240radio", "00707447"): bfw240radio,
    ("c5isf", "55445555"): c5isf,
}


def main(path):
    with open(path, encoding="utf-8") as file:
        entries = json.load(file)["telegrams"]
    right = wrong = 0
    for entry in entries:
        rule = RULES.get((entry["driver"], entry["id"]))
        if not rule or entry["payload"] != "standard records only":
            continue
        for name, value in rule(payload(entry)).items():
            expected = Fraction(str(entry["expected"][0][name]))
            if expected:
                right += value == expected
                wrong += value != expected
                print(entry["driver"], name, float(value), "as expected" if value == expected else "WRONG")
    print("{} readings by their rules, {} wrong".format(right, wrong))
    return 1 if wrong or not right else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
