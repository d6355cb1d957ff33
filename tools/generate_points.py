"""Writes firmware/application/points/*.py: the OBIS codes and data points of OMS Vol.2 Annex A and B as packed tables.

Run by hand when the annexes change: `python -m omsnode.tools.generate_points [FOLDER]`. FOLDER holds obis.json and
datapoints.json, the facts of the annexes as data (default ../shared/vectors beside the repository).
"""

import json
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
FACTS = ROOT.parent / "shared" / "vectors"
TARGET = ROOT / "firmware" / "application" / "points"

# Module -> its columns, named as in datapoints.json. A device loads its own module and common.
MODULES = {
    "electricity": ("electricity",),
    "allocator": ("hca",),
    "heat": ("cooling", "heat_cooling", "heat"),
    "gas": ("gas",),
    "water": ("cold_water", "hot_water"),
    "actuator": ("breaker_valve",),
}
METERS = ("electricity", "hca", "cooling", "heat_cooling", "heat", "gas", "cold_water", "hot_water")
# Value group A of the codes of each column (Annex A.1); None: only codes with a group A of their own.
GROUP_A = {
    "electricity": 1,
    "hca": 4,
    "cooling": 5,
    "heat_cooling": 6,
    "heat": 6,
    "gas": 7,
    "cold_water": 8,
    "hot_water": 9,
}
# Gas flow without and with DP2! in the message (Annex A notes 9 to 11).
WITH_DP2 = {"43.15.0*255": "43.63.0*255", "43.16.0*255": "43.64.0*255", "43.17.0*255": "43.65.0*255"}

# Requirement of a sensor column as one letter.
LETTERS = {"M": "M", "O": "O", "C": "C", "A1": "A", "O1": "1", "O2": "2"}
UNITS = {
    "degC": "°C",
    "deg": "°",
    "dB(A)": "dBA",
    "pH": "",
    "l/mm2 as printed (1 mm of rain is 1 l/m2: probably a misprint)": "l/mm2",
}
FUNCTIONS = ("instantaneous", "maximum", "minimum", "error")
RECENT = [[0, 99], [101, 124]]
ENCRYPTION = {"mandatory": "m", "optional": "o", "not allowed": "n"}


def vib_names(names):
    """EW01, EW02 -> EW01,02"""
    assert len({name[:2] for name in names}) == 1 and all(len(name) == 4 for name in names)
    return names[0][:2] + ",".join(name[2:] for name in names)


def fields(codes):
    """The data field codes as in a row: I for the integers, B for BCD, else the hex digits."""
    text = "".join(codes)
    for group, letter in (("123467", "I"), ("9ABCE", "B")):
        if text.startswith(group) or (letter == "B" and text[1:].startswith(group)):
            text = text.replace(group, letter)
    return text


def dib(tag, tariff):
    """`function,tariffs,storage numbers`, or - for 0,0,0; R: the recent values with the final DIFE."""
    function = str(FUNCTIONS.index(tag["function"]))
    if tag["final_dife"]:
        assert tag["storage"] == RECENT, tag["tag"]
        storage = "R"
    else:
        assert len(tag["storage"]) == 1, tag["tag"]
        storage = span(tag["storage"][0])
    text = ",".join((function, span(tariff), storage))
    return "-" if text == "0,0,0" else text


def span(pair):
    return str(pair[0]) if pair[0] == pair[1] else "{}-{}".format(*pair)


class Annexes:
    """The facts: tags, the codes of a tag for each device type, VIB types."""

    def __init__(self, folder):
        points = json.loads((folder / "datapoints.json").read_text(encoding="utf-8"))
        obis = json.loads((folder / "obis.json").read_text(encoding="utf-8"))
        self.tags = points["tags"]
        self.commands = [tag for tag in points["commands"] if "vib" in tag]
        self.vibs = {row["vib_type"]: row for row in points["vib_types"]}
        self.types = points["device_columns"]
        self.sensors = points["sensor_columns"]
        self.column = {code: column for column, codes in self.types.items() for code in codes}
        self.codes: dict[tuple, list] = {}  # (tag, column) -> codes in the order of Annex A
        for entry in obis["entries"]:
            if entry["summary_row"]:  # a heading
                continue
            a, rest = entry["obis"].split("-0:")
            assert entry["a"] == int(a) and entry["b"] == 0
            types = self.column if entry["device_types"] == ["all"] else entry["device_types"]
            columns = list(dict.fromkeys(self.column[code] for code in types))
            for column in columns:
                assert column == "sensor" or set(self.types[column]) <= set(types)
                for pattern in entry["patterns"]:
                    code = rest if entry["a"] == GROUP_A.get(column) else a + ":" + rest
                    self.codes.setdefault((pattern["tag"], column), []).append(code)

    def code(self, tag, column):
        """The codes of a tag in a row: `without DP2!/with DP2!`, + between two codes of one record."""
        codes = self.codes.get((tag, column), [])
        longer = [WITH_DP2[code] for code in codes if code in WITH_DP2]
        if longer:
            assert sorted(codes) == sorted(longer + [one for one in codes if one in WITH_DP2])
            return codes[0] + "/" + longer[0]
        return "+".join(codes)

    def requirement(self, tag, column):
        """As printed; - if the device type has none; ? if Annex A has a code where Annex B has no requirement."""
        codes = tag["requirement"].get(column)
        if codes:
            return "/".join(codes)
        return "?" if (tag["tag"], column) in self.codes else "-"

    def sensor_letters(self, tag):
        own = tag.get("sensor_requirement", {})
        return "".join(LETTERS[own[column]] if column in own else "-" for column in self.sensors)


def row(annexes, tag, requirement, code, tariff=None):
    parts = [
        tag["tag"],
        fields(tag["data_field_codes"]),
        dib(tag, tariff or tag["tariff"]),
        ENCRYPTION[tag["encryption"]],
        requirement,
        vib_names(tag["vib_types"]),
        code,
    ]
    return " ".join(parts).rstrip()


def vib_row(vib):
    """`name match/mask|unit|exponent at n = 0`; the bits outside the mask are n."""
    unit = ",".join(vib["unit_by_n"]) if "unit_by_n" in vib else vib.get("unit") or ""
    exponent = str(vib.get("exp10_at_zero", ""))
    text = "{} {}/{}|{}|{}".format(
        vib["vib_type"], vib["match"], vib["mask"], UNITS.get(unit, unit), exponent
    )
    return text.rstrip("|")


def modules(folder):
    """{file name: text} of every generated module."""
    annexes = Annexes(folder)
    tables: dict[str, list] = {name: [] for name in ("common", *MODULES, "sensor", "commands")}
    used: dict[str, list] = {name: [] for name in tables}

    def add(module, tag, requirement, code, tariff=None):
        tables[module].append(row(annexes, tag, requirement, code, tariff))
        used[module] += [name for name in tag["vib_types"] if name not in used[module]]

    for tag in annexes.tags:
        name = tag["tag"]
        kinds = {(annexes.requirement(tag, column), annexes.code(name, column)) for column in METERS}
        sensor = set(annexes.sensor_letters(tag))
        common = len(kinds) == 1 and kinds.pop()
        if common and common[0] != "-":
            requirement, code = common
            actuator = annexes.requirement(tag, "breaker_valve")
            sensors = tag["sensor_requirement"]["humidity"] if len(sensor) == 1 and sensor != {"-"} else "-"
            for column in ("breaker_valve", "sensor"):
                own = annexes.code(name, column)
                assert own == "" and ":" not in code or own == code, name
            add("common", tag, ",".join((requirement, actuator, sensors)), code)
        else:
            for module, columns in MODULES.items():
                requirements = [annexes.requirement(tag, column) for column in columns]
                if set(requirements) == {"-"}:
                    continue
                codes = {annexes.code(name, column) for column in columns} - {""}
                assert len(codes) <= 1, name
                for column, requirement in zip(columns, requirements, strict=True):
                    assert not codes or requirement == "-" or annexes.code(name, column), name
                # Footnote 15: combined meters have tariff 1 only.
                only = [1, 1] if module == "heat" and 15 in tag.get("footnotes", ()) else None
                add(module, tag, ",".join(requirements), "".join(codes), only)
        if len(sensor) > 1 or (sensor != {"-"} and not (common and common[0] != "-")):
            assert not annexes.code(name, "sensor")
            add("sensor", tag, annexes.sensor_letters(tag), "")

    for tag in annexes.commands:
        line, names = command_row(tag)
        tables["commands"].append(line)
        used["commands"] += [name for name in names if name not in used["commands"]]

    out = {}
    for module, rows in tables.items():
        out[module] = HEADER.format(DOCS[module])
        if module == "common":
            out[module] += TYPES_NOTE + table("TYPES", types(annexes))
            out[module] += (
                "\n# Which column of the table of sensors a sub device type has (OMS Vol.2 4.3.2.3 Table 9).\n"
            )
            out[module] += table(
                "SENSORS", ["{} {}".format(one["sub_device_type"], n) for n, one in annexes.sensors.items()]
            )
        columns = COLUMNS.get(module, annexes.sensors)
        out[module] += "\n" + table("COLUMNS", columns) + "\n" + table("TAGS", rows)
        out[module] += "\n" + table("VIBS", [vib_row(annexes.vibs[name]) for name in used[module]])
    return {name + ".py": text for name, text in out.items()}


def command_row(tag):
    """As of a data point, with the action code (or -) instead of the encryption. The VIB types are the data point's:
    without the action code, which follows in the VIB."""
    columns = COLUMNS["commands"]
    requirement = "".join(tag["requirement"].get(column, ["-"])[0] for column in columns)
    names = [name.removesuffix("]").rpartition("[")[2] for name in tag["vib_types"]]
    parts = (
        tag["tag"],
        fields(tag["data_field_codes"]),
        dib(tag, tag["tariff"]),
        tag.get("action_code") or "-",
    )
    return " ".join((*parts, requirement, vib_names(names))), names


def types(annexes):
    """`device type|module|first column|last column|column in common|group A`"""
    rows = []
    for module, columns in MODULES.items():
        for place, column in enumerate(columns):
            common = 1 if module == "actuator" else 0
            for code in annexes.types[column]:
                rows.append(
                    "{} {} {} {} {} {}".format(code, module, place, place, common, GROUP_A.get(column, ""))
                )
    last = len(annexes.sensors) - 1
    for code in annexes.types["sensor"]:
        own = [i for i, one in enumerate(annexes.sensors.values()) if one["device_type"] == code]
        # 1F names its sensors itself (ID11!), smoke and other alarms among them.
        first, final = (own[0], own[0]) if len(own) == 1 else (0, last)
        rows.append("{} sensor {} {} 2".format(code, first, final))
    return sorted(line.rstrip() for line in rows)


def table(name, rows):
    return '{} = """\n{}\n"""\n'.format(name, "\n".join(rows))


COLUMNS = {"common": ("meter", "actuator", "sensor"), "commands": (*METERS, "breaker_valve"), **MODULES}
DOCS = {
    "common": "Data points that every meter may have, and which device types there are.",
    "electricity": "Data points of electricity meters.",
    "allocator": "Data points of heat cost allocators.",
    "heat": "Data points of heat and cooling meters and of those that are both.",
    "gas": "Data points of gas meters.",
    "water": "Data points of water meters, cold and hot.",
    "actuator": "Data points of breakers and valves.",
    "sensor": "Data points of sensors. Requirement: a letter for each column; A is A1, 1 and 2 are O1 and O2.",
    "commands": "Command tags (OMS Vol.2 Annex B.2.4), sent to a meter.",
}
HEADER = '''"""{}

Packed; how to read it: __init__.py of this package.
Generated from the facts of OMS Vol.2 Annex A and B by tools/generate_points.py: do not edit.
"""
'''
TYPES_NOTE = (
    "\n# `device type, module, first and last column there, column here, value group A of its OBIS codes`.\n"
)


def main(arguments):
    folder = pathlib.Path(arguments[0]) if arguments else FACTS
    for name, text in modules(folder).items():
        (TARGET / name).write_text(text, encoding="utf-8")
        print(TARGET / name, len(text))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
