"""OMS Annex A and B read by another program: straight from their facts as JSON, row by row, after their `how_to_use`."""

import functools
import json

NO_DATA = {"0": 0, "1": 1, "2": 2, "3": 3, "4": 4, "6": 6, "7": 8, "9": 1, "A": 2, "B": 3, "C": 4, "E": 6}


class Dib:
    """The numbers of a DIB, read here again."""

    def __init__(self, dib):
        self.field = "{:X}".format(dib[0] & 15)
        self.function = ("instantaneous", "maximum", "minimum", "error")[dib[0] >> 4 & 3]
        difes = dib[1:]
        self.storage = (dib[0] >> 6 & 1) + sum((b & 15) * 2 * 16**i for i, b in enumerate(difes))
        self.tariff = sum((b >> 4 & 3) * 4**i for i, b in enumerate(difes))
        self.subunit = sum((b >> 6 & 1) * 2**i for i, b in enumerate(difes))
        self.final_dife = len(difes) > 0 and difes[-1] == 0


def dib(field, function="instantaneous", storage=0, tariff=0, subunit=0, final_dife=False):
    """The shortest DIB of these numbers."""
    function = ("instantaneous", "maximum", "minimum", "error").index(function)
    out = [int(field, 16) | function << 4 | (storage & 1) << 6]
    storage //= 2
    while storage or tariff or subunit:
        out.append(storage % 16 | tariff % 4 << 4 | subunit % 2 << 6)
        storage, tariff, subunit = storage // 16, tariff // 4, subunit // 2
    if final_dife:
        out.append(0)
    return bytes([byte | 0x80 for byte in out[:-1]] + out[-1:])


class Annexes:
    def __init__(self, shared):
        folder = shared / "vectors"
        self.obis = json.loads((folder / "obis.json").read_text(encoding="utf-8"))["entries"]
        points = json.loads((folder / "datapoints.json").read_text(encoding="utf-8"))
        self.points = points
        self.tags = {tag["tag"]: tag for tag in points["tags"]}
        self.columns = points["device_columns"]
        self.sensors = points["sensor_columns"]
        self.types = [int(code, 16) for codes in self.columns.values() for code in codes]
        for row in [*self.tags.values(), *(one for entry in self.obis for one in entry["patterns"])]:
            row["vib"] = [(bytes.fromhex(one["match"]), bytes.fromhex(one["mask"])) for one in row["vib"]]

    def requirement(self, tag, device_type):
        """Whether the device type has one."""
        code = "{:02X}".format(device_type)
        if code in self.columns["sensor"]:
            own = [name for name, one in self.sensors.items() if one["device_type"] == code]
            if code == "1F":  # says itself which sensors it has
                own = list(self.sensors)
            return any(name in tag.get("sensor_requirement", {}) for name in own)
        return any(code in codes and column in tag["requirement"] for column, codes in self.columns.items())

    def fits(self, row, dib, vib):
        """Whether the record is of this tag or pattern; the device type is not asked."""
        numbers = Dib(dib)
        if numbers.field == "D" and len(vib) > 1 and vib[-1] in (0x1F, 0x1E, 0x13) and vib[-2] & 0x80:
            vib = vib[:-2] + bytes([vib[-2] & 0x7F])  # a compact profile of it
        elif numbers.field not in row["data_field_codes"]:
            return False
        if numbers.function != row["function"] or numbers.final_dife != row["final_dife"]:
            return False
        if not row["tariff"][0] <= numbers.tariff <= row["tariff"][1]:
            return False
        if not any(low <= numbers.storage <= high for low, high in row["storage"]):
            return False
        return any(
            len(match) == len(vib) and bytes(b & m for b, m in zip(vib, mask, strict=True)) == match
            for match, mask in row["vib"]
        )

    @functools.lru_cache(maxsize=100000)  # noqa: B019
    def candidates(self, dib, vib):
        """(tags, entries of Annex A) that fit, whatever the device is."""
        tags = [name for name, tag in self.tags.items() if self.fits(tag, dib, vib)]
        entries = [
            (entry, pattern["tag"])
            for entry in self.obis
            for pattern in entry["patterns"]
            if not entry["summary_row"] and self.fits(pattern, dib, vib)
        ]
        return tags, entries

    def excluded(self, tag, dib, device_type):
        """Footnote 15: combined meters have tariff 1 only."""
        return device_type == 0x0D and 15 in self.tags[tag].get("footnotes", ()) and Dib(dib).tariff != 1

    def tag_of(self, dib, vib, device_type):
        """The one tag, or None."""
        found = [
            tag
            for tag in self.candidates(dib, vib)[0]
            if self.requirement(self.tags[tag], device_type) and not self.excluded(tag, dib, device_type)
        ]
        assert len(found) < 2, (found, dib, vib, device_type)
        return found[0] if found else None

    def codes_of(self, dib, vib, device_type, dp2=False):
        """Every code of the table for this record, in the order of the table."""
        out = []
        code = "{:02X}".format(device_type)
        numbers = Dib(dib)
        for entry, tag in self.candidates(dib, vib)[1]:
            if code not in entry["device_types"] and not (
                entry["a"] == 0 and entry["device_types"] == ["all"]
            ):
                continue
            if entry["a"] == 7 and entry["c"] == 43 and (entry["d"] > 60) != dp2:
                continue
            if self.excluded(tag, dib, device_type):
                continue
            e = numbers.tariff if entry["e"] == "e" else entry["e"]
            f = numbers.storage if entry["f"] == "f" else entry["f"]
            text = "{}-{}:{}.{}.{}".format(entry["a"], numbers.subunit, entry["c"], entry["d"], e)
            out.append(text if f is None else "{}*{}".format(text, f))
        return tuple(dict.fromkeys(out))


def data_of(field):
    """Data bytes for a data field code: zeros."""
    return b"\0" if field == "D" else bytes(NO_DATA[field])


def vibs_of(row):
    """Every VIB that a row allows, the n of the lowest and the highest."""
    for match, mask in row["vib"]:
        yield match
        if any(byte != 0xFF for byte in mask):
            yield bytes(x | 255 - m for x, m in zip(match, mask, strict=True))
