"""`omsnode demo`: meters speak and a collector reads them, then a gateway asks one of them something; with nothing attached.
Stops by itself."""

import sys
import time

from omsnode.firmware.host import order_desk

from . import _dialogue, _orders, output, scene

SECONDS = 24  # of virtual time
SPEED = 3  # on a terminal, so that one can watch; elsewhere as fast as it goes
_HEARD_ALL = {
    "kitchen_water": ("T1", "A", "decrypted"),
    "flat_heat": ("C1", "A", "authenticated"),
    "house_electricity": ("C1", "B", "plain"),
    "cellar_gas": ("T1", "A", "wrong_key_or_altered"),
}


def add_parser(subparsers):
    parser = subparsers.add_parser(
        "demo",
        description="Three meters in modes T1 (encrypted, OMS profile A), C1 format A (authenticated, profile B) and C1 "
        "format B (plain), and a fourth whose key the collector has wrong, send through the CC1101 driver into a model "
        "of the chip, over virtual air, into the collector. Then a gateway asks a meter that listens for its volume and "
        "sets its clock, in the windows of 1 ms behind its telegrams; each step is printed with its margin.",
    )
    parser.add_argument("--json", action="store_true", help="one reading per line, for machines")
    return parser


def run(args):
    heard = {}
    live = output.LiveTable(sys.stdout) if sys.stdout.isatty() and not args.json else None
    show = live.deliver if live else output.printer("json" if args.json else "table")

    def deliver(reading):
        heard[reading.name] = (reading.mode, reading.frame_format, reading.telegram.verdict)
        show(reading)

    play = scene.Scene(deliver)
    counters = play.collector.role.counters
    if live:
        footer = "{{}} s of {}, {{}} telegrams".format(SECONDS)
        play.run(
            SECONDS,
            time.sleep,
            SPEED,
            lambda: live.draw(footer.format(play.world.now_us // 1000000, counters["delivered"])),
        )
    else:
        play.run(SECONDS)
    asked = _second_act(args.json, play.start_us + SECONDS * 1000000)
    sent = sum(node.role.counters["sent"] for node in play.senders)
    print(
        "{} telegrams sent, {} heard, {} readings, {} refused (the key of cellar_gas is wrong on purpose).\n"
        "Next: `omsnode collect --hat cc1101-spi0` with a CC1101 on a Raspberry Pi, `omsnode decode` for telegrams "
        "you have,\n`omsnode collect --hat virtual --mode UL-B4` for meters in the LPWAN burst mode.".format(
            sent,
            counters["frames"],
            counters["delivered"],
            counters.get("rejected.wrong_key_or_altered", 0),
        ),
        file=sys.stderr,
    )
    return 0 if heard == _HEARD_ALL and asked else 1


def _second_act(as_json, start_us):
    """A meter that listens is asked; whether all was answered."""
    words = {}

    def tell(one, wall_us):
        if one.step == "queued":
            words[one.number] = one.detail.split()
        event = order_desk.plain(one, _dialogue.NAME, words[one.number], output.timestamp(wall_us))
        print(_orders.as_json(event) if as_json else _orders.as_line(event, True), flush=True)

    if not as_json:
        print("\nA gateway asks the meter {}, in mode T2:".format(_dialogue.NAME))
    return _dialogue.play(start_us, tell, scene.made_up_key)
