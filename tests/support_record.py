"""Writes what crosses the board contract, in the format of micropython/transcript.py."""

LINES = ("gdo0", "gdo2")


def _value(number):
    return (0 if number is None else number + 1).to_bytes(6, "big")


class Recorder:
    def __init__(self, board, out):
        self.board = board
        self.out = out
        self.spi = self
        self.pins = {name: _RecordedPin(self, index) for index, name in enumerate(LINES)}

    def now_us(self):
        now_us = self.board.now_us()
        self.out.write(b"N" + _value(now_us))
        return now_us

    def transfer(self, tx, rx):
        self.board.spi.transfer(tx, rx)
        self.out.write(b"X" + bytes([len(tx)]) + bytes(tx) + bytes(rx))

    def wait(self, until_us):
        edges, lost = self.board.wait(until_us)
        self.out.write(b"W" + _value(until_us) + bytes([len(edges), lost]))
        for line, level, at_us in edges:
            self.out.write(bytes([LINES.index(line), level]) + _value(at_us))
        return edges, lost


class _RecordedPin:
    def __init__(self, recorder, index):
        self.recorder = recorder
        self.index = index

    def read(self):
        level = self.recorder.board.pins[LINES[self.index]].read()
        self.recorder.out.write(b"P" + bytes([self.index, level]))
        return level
