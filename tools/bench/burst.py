"""Burst mode: frames lost against chip errors and against Ec/N0, beside the figures of the LPWAN sheet, and what decoding costs.

    viterbi   hard chips, accumulated to bits in an uplink, then what every node has (phy/burst/decode.py)
    joint     what that gave up, decoded by firmware/host/burst_decoder.py: the collector's way
    soft      a coherent receiver's soft bits, the reference of sheet 24

Against chip errors only data fields have errors, and the header is known, as in the sheet. Against Ec/N0 a whole burst goes
through the baseband channel (burst_channel.py): sync found with up to 6 errors, then header, then payload, or it is lost.
"""

import array
import time
from collections import namedtuple

import numpy as np
from omsnode.firmware.host import burst_decoder
from omsnode.firmware.link.lpwan import mac
from omsnode.firmware.phy.burst import burst, decode, header

from . import burst_channel, burst_heap
from .burst_report import lines, picture

__all__ = ("lines", "measure", "picture")

FRAMES = 20
LENGTHS = (15, 71, 255)
SEED = 7
TIV = 89
SYNC_ERRORS = 6
UL_B4_CPS = 125000

# which: bursts that are received of the three. errors, ecn0: where it is measured, per direction. soft: around the sheet's
# Ec/N0 for 10 % loss.
Kind = namedtuple("Kind", ("name", "multi", "type", "which", "errors", "ecn0", "soft"))
Errors = namedtuple("Errors", ("up", "down"))

KINDS = (
    Kind(
        "7/8",
        0,
        0,
        (1,),
        Errors((0.001, 0.003, 0.01), (0.0004, 0.005)),
        Errors((10, 12, 14), (9, 10, 12)),
        (3, 4, 6),
    ),
    Kind(
        "1/2",
        0,
        1,
        (1,),
        Errors((0.001, 0.003, 0.01, 0.03), (0.034, 0.059)),
        Errors((8, 10, 12), (6, 7, 8)),
        (-1, 0, 1),
    ),
    Kind(
        "1/3",
        0,
        2,
        (1,),
        Errors((0.003, 0.01, 0.02, 0.03, 0.05), (0.07, 0.107)),
        Errors((6, 8, 10), (4, 5, 6)),
        (-3, -2, -1),
    ),
    Kind(
        "1 of 3",
        1,
        0,
        (1,),
        Errors((0.001, 0.003), (0.0004, 0.005)),
        Errors((10, 12, 14), (9, 10, 12)),
        (3, 4, 6),
    ),
    Kind(
        "2 of 3",
        1,
        0,
        (1, 2),
        Errors((0.003, 0.01, 0.02, 0.03, 0.05), (0.05, 0.08)),
        Errors((6, 8, 10), (5, 6, 7)),
        (-2, -1, 0),
    ),
    Kind(
        "3 of 3",
        1,
        0,
        (1, 2, 3),
        Errors((0.01, 0.02, 0.03, 0.05, 0.07), (0.1, 0.13)),
        Errors((5, 6, 8), (3, 4, 5)),
        (-4, -3, -2),
    ),
)

# LPWAN sheet 23: percent of frames lost. (direction, decoder, kind, bytes): {chip error rate: percent}. viterbi of an
# uplink: "accumulate, then Viterbi", ranges by their middle.
SHEET_ERRORS: dict[tuple, dict] = {
    ("up", "viterbi", "7/8", 15): {0.001: 16, 0.003: 31},
    ("up", "joint", "7/8", 15): {0.001: 1, 0.003: 5},
    ("up", "viterbi", "1/2", 15): {0.001: 19, 0.003: 43, 0.01: 79.5},
    ("up", "joint", "1/2", 15): {0.001: 0.2, 0.003: 2.5, 0.01: 13},
    ("up", "viterbi", "1/3", 15): {0.003: 46.5, 0.01: 85, 0.02: 100, 0.03: 100, 0.05: 100},
    ("up", "joint", "1/3", 15): {0.003: 0.3, 0.01: 0.3, 0.02: 1.5, 0.03: 5, 0.05: 23},
    ("up", "viterbi", "2 of 3", 15): {0.01: 69, 0.02: 92, 0.03: 99, 0.05: 100},
    ("up", "joint", "2 of 3", 15): {0.01: 0.3, 0.02: 1, 0.03: 5, 0.05: 24},
    ("up", "viterbi", "3 of 3", 15): {0.02: 82, 0.03: 94, 0.05: 100, 0.07: 100},
    ("up", "joint", "3 of 3", 15): {0.02: 0.3, 0.03: 0.5, 0.05: 7, 0.07: 18},
    ("up", "joint", "7/8", 71): {0.001: 2},
    ("up", "joint", "1/2", 71): {0.001: 1, 0.003: 15},
    ("up", "joint", "1/3", 71): {0.001: 1, 0.003: 9},
    ("up", "joint", "2 of 3", 71): {0.003: 1, 0.01: 7},
    ("up", "joint", "3 of 3", 71): {0.01: 2, 0.02: 14},
    ("up", "joint", "2 of 3", 255): {0.003: 3},
    ("down", "viterbi", "7/8", 15): {0.005: 10},
    ("down", "viterbi", "1/2", 15): {0.059: 10},
    ("down", "viterbi", "1/3", 15): {0.107: 10},
    ("down", "viterbi", "7/8", 255): {0.0004: 10},
    ("down", "viterbi", "1/2", 255): {0.034: 10},
    ("down", "viterbi", "1/3", 255): {0.07: 10},
}


class _Frame:
    """A random frame of a kind and its bursts as they are sent."""

    def __init__(self, random, kind, length, direction):
        body = random.bytes(length - 4)
        self.payload = body + mac.crc(body)
        self.header = header.Header(length, TIV, kind.multi, kind.type)
        send = burst.uplink if direction == "up" else burst.downlink
        bursts = send(self.payload, TIV, kind.multi, kind.type)
        self.bursts = [(index if kind.multi else None, bursts[index - 1]) for index in kind.which]
        self.direction = direction

    def quick(self, frames):
        """Whether the decoder of every node reads it. frames: [(index, chips behind the sync)]"""
        if not frames:
            return False
        fields = [
            (index, burst.data(burst.split(chips, self.direction), self.header)) for index, chips in frames
        ]
        return decode.payload(self.header, fields, mac.valid) == self.payload

    def long(self, frames):
        """(whether the joint decoder reads it, milliseconds)"""
        found, effort = burst_decoder.decode(self.header, frames)
        return found == self.payload, effort.ms


def measure(
    frames=FRAMES, lengths=LENGTHS, seed=SEED, tell=lambda text: None, offset=0.02, drift=1e-7, kinds=KINDS
):
    """Everything, as one object that JSON can hold.

    frames: per point. offset, drift: of the carrier, in chip rates and chip rates per chip. tell: is told what is being
    measured."""
    rows, times = [], []
    names = [kind.name for kind in kinds]
    for kind in kinds:
        for length in lengths:
            tell("{}, {} bytes".format(kind.name, length))
            spent: list = []
            for direction in ("up", "down"):
                for rate in getattr(kind.errors, direction):
                    rows += _against_errors(kind, length, direction, rate, frames, seed, spent)
                for ecn0 in getattr(kind.ecn0, direction):
                    rows += _against_noise(kind, length, direction, ecn0, frames, seed, offset, drift, spent)
            for ecn0 in kind.soft:
                rows.append(_soft(kind, length, ecn0, frames, seed))
            times.append(_times(kind, length, seed, spent))
    rows.sort(key=lambda row: (names.index(row["kind"]), row["bytes"], row["at"]))
    tell("MicroPython")
    return {
        "frames": frames,
        "seed": seed,
        "limit_ms": burst_decoder.BUDGET.limit_ms,
        "offset": offset,
        "drift": drift,
        "rows": rows,
        "times": times,
        "heap": burst_heap.measure(),
    }


def _row(kind, length, direction, decoder, axis, at, frames, lost):
    sheet = None
    if axis == "chip errors":
        sheet = SHEET_ERRORS.get((direction, decoder, kind.name, length), {}).get(at)
    return {
        "kind": kind.name,
        "bytes": length,
        "direction": direction,
        "decoder": decoder,
        "axis": axis,
        "at": at,
        "frames": frames,
        "lost": lost,
        "percent": round(100 * lost / frames, 2),
        "sheet": sheet,
    }


def _against_errors(kind, length, direction, rate, frames, seed, spent):
    random = np.random.default_rng([seed, kind.multi, kind.type, length, round(1e6 * rate)])
    lost = {"viterbi": 0, "joint": 0}
    for _ in range(frames):
        frame = _Frame(random, kind, length, direction)
        heard = []
        for index, sent in frame.bursts:
            clean = np.frombuffer(sent[8:], np.uint8)
            wrong = np.packbits(random.random(8 * len(clean)) < rate)
            heard.append((index, (clean ^ wrong).tobytes()))
        _count(frame, heard, lost, spent)
    return _both(lost, kind, length, direction, "chip errors", rate, frames)


def _against_noise(kind, length, direction, ecn0, frames, seed, offset, drift, spent):
    random = np.random.default_rng([seed, kind.multi, kind.type, length, 1000 + ecn0])
    lost = {"viterbi": 0, "joint": 0}
    for _ in range(frames):
        frame = _Frame(random, kind, length, direction)
        heard = []
        for index, sent in frame.bursts:
            chips = np.unpackbits(np.frombuffer(sent, np.uint8))
            samples = burst_channel.modulate(chips, burst_channel.INDEX[direction])
            samples = burst_channel.disturb(samples, ecn0, random, offset * random.uniform(-1, 1), drift)
            found = burst_channel.discriminator(samples, chips[:64], burst_channel.FILTER[direction])
            behind = np.packbits(found[64:]).tobytes()
            if (found[32:64] != chips[32:64]).sum() <= SYNC_ERRORS and _header_right(frame, behind):
                heard.append((index, behind))
        _count(frame, heard, lost, spent)
    return _both(lost, kind, length, direction, "Ec/N0", ecn0, frames)


def _header_right(frame, behind):
    parts = burst.split(behind, frame.direction)
    if frame.direction == "up":
        found = header.uplink(parts.header, (TIV,))
    else:
        found = header.downlink(parts.header, TIV)
    return found is not None and found[0] == frame.header


def _count(frame, heard, lost, spent):
    if frame.quick(heard):
        return
    lost["viterbi"] += 1
    if frame.direction == "up" and heard:
        right, ms = frame.long(heard)
        spent.append(ms)
        if right:
            return
    lost["joint"] += 1


def _both(lost, kind, length, direction, axis, at, frames):
    decoders = ("viterbi", "joint") if direction == "up" else ("viterbi",)
    return [_row(kind, length, direction, one, axis, at, frames, lost[one]) for one in decoders]


def _soft(kind, length, ecn0, frames, seed):
    """Payload only, as the sheet has it."""
    random = np.random.default_rng([seed, kind.multi, kind.type, length, 2000 + ecn0])
    lost = 0
    for _ in range(frames):
        frame = _Frame(random, kind, length, "up")
        fields = []
        for index, sent in frame.bursts:
            chips = np.unpackbits(np.frombuffer(sent, np.uint8))
            samples = burst_channel.modulate(chips, burst_channel.INDEX["up"])
            soft = burst_channel.coherent(burst_channel.disturb(samples, ecn0, random))
            values = np.clip(np.round(soft * (40 / np.abs(soft).mean())), -127, 127).astype(np.int8)
            n_data = 8 * burst.data_bytes(frame.header)
            n_b = n_data // 16 * 8
            n_a = n_data - n_b
            values = np.concatenate([values[88 : 88 + n_a], values[280 + n_a :]])
            fields.append((index, array.array("b", values.tobytes())))
        lost += decode.payload(frame.header, fields, mac.valid) != frame.payload
    return _row(kind, length, "up", "soft", "Ec/N0", ecn0, frames, lost)


def _times(kind, length, seed, spent):
    """Milliseconds: on the air (UL-B4, all bursts that are heard), to decode it without errors, by Viterbi, and jointly."""
    random = np.random.default_rng([seed, length])
    frame = _Frame(random, kind, length, "up")
    received = [(index, sent[8:]) for index, sent in frame.bursts]
    clean = _least(lambda: frame.quick(received))
    fields = [(index, burst.data(burst.split(sent, "up"), frame.header)) for index, sent in received]
    # Nothing is right, so every way is gone.
    every = _least(lambda: decode.payload(frame.header, fields, lambda payload: False), 1)
    return {
        "kind": kind.name,
        "bytes": length,
        "air_ms": sum(8 * len(sent) for _, sent in frame.bursts) * 1000 / UL_B4_CPS,
        "clean_ms": clean,
        "viterbi_ms": every,
        "joint_ms": sum(spent) / len(spent) if spent else None,
        "worst_ms": max(spent, default=None),
    }


def _least(function, times=3):
    found = []
    for _ in range(times):
        start = time.perf_counter()
        function()
        found.append(1000 * (time.perf_counter() - start))
    return min(found)
