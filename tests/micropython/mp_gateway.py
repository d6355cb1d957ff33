"""Gateway values, status words, plausibility and registers of a TAF7 telegram, carried over a restart by JSON."""

import json

from checking import raises
from omsnode.firmware.application import gateway, obis, plausibility, registers, status_words, telegram
from omsnode.firmware.errors import StoreError

T = 1767225600000  # 2026-01-01T00:00:00Z

# Records of OMS Vol.2 Annex N.13, with battery low in MM3!.
N13 = (
    "0E02609901000000"
    "0E823C513000000000"
    "CD016DE20330"
    "CE0103951900000000"
    "CD01831330410801030507090806040200000000000000000000000103050709080604020000000000000000000000010305070908"
    "C1017403"
    "02FD971D0200"
)


def read(records, device_type="02"):
    body = bytes.fromhex("442D2C785634121B" + device_type + "7A2A040000" + records)
    result = telegram.decode(bytes([len(body)]) + body)
    obis.annotate(result)
    return result


one = read(N13)
before = [record.mantissa for record in one.records]
values = gateway.values(one, T)
assert values[0].text == "00:00:00.000Z" and values[1].text == "2026-01-01"
assert values[2].text == "785634122D2C1B02" and values[4].mantissa == 4
energy = [value for value in values if value.obis == "1-0:1.8.0*255"]
assert len(energy) == 48
assert energy[2].mantissa == 1994 and energy[2].measured_ms == T - 11000
assert energy[-1].mantissa == 1872 and energy[-1].measured_ms == T - 371000
words = status_words.of(one, T)
assert words.gateway == 0x20005 and words.meter == 0x20000040
assert sorted(words.flags()) == ["battery low", "power low"] and words.severity() == "warning"

rows = registers.Registers()
assert rows.feed("meter", 2, values, T, words.gateway, words.meter) == []
again = registers.Registers()
again.restore(json.loads(json.dumps(rows.export())))
lines = again.close(T + 500000)
assert len(lines) == 2
meter, code, period_ms, entry = lines[0]
assert (meter, code, period_ms, entry.target_ms) == ("meter", "1-0:1.8.0*255", 900000, T)
assert entry.mantissa == 19960 and entry.exponent == -1 and entry.meter_word == 0x20000040
raises(StoreError, again.restore, {"version": 1, "registers": [["a"]]})

judge = plausibility.Plausibility()
assert judge.check(read("041308190000", "07"), T) == []
other = plausibility.Plausibility()
other.restore(json.loads(json.dumps(judge.export())))
(finding,) = other.check(read("041307190000", "07"), T + 3600000)
assert finding.check == "goes backwards" and finding.obis == "8-0:1.0.0*255"
assert finding.numbers[0] == ("before", (6408, -3, "m3"))
assert before == [record.mantissa for record in one.records]
print("ok")
