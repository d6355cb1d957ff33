"""From received data fields to the PHY payload (LPWAN sheet 5, 10): the cheap way first, then the Viterbi decoder.

Only the MAC CRC tells whether a payload is right; the caller hands in its check.
"""

from array import array

from ...errors import LengthError, MisuseError
from . import fec
from .interleaver import deinterleave, positions


def payload(header, bursts, check):
    """The PHY payload (bytes) of a frame, or None if no way leads to one that check(bytes) accepts.

    header: header.Header. bursts: list of (index, data): index 1..3 of the burst in its frame, or None if that is not
    known or there is only one; data: its data field, not precoded any more, as bytes, or as 8 L_D soft values (positive
    for 1, 0 for not received, at most viterbi.STRONGEST). Those of one frame in the order in which they came, any of them
    missing. LengthError if a data field is not as long as the header says, MisuseError if there are no such indices.

    What is tried: the payload as it was sent where that burst was received, then the Viterbi decoder over all bursts,
    then over fewer of them, as one may be full of errors: 1, 3 or 7 sets of them, or 3, 7, 7 if no index is known.
    """
    rows = fec.layouts(header.multi, header.type)
    n_bytes = fec.coded_bytes(rows[0], header.length)
    for _, data in bursts:
        if len(data) != (n_bytes if _is_packed(data) else 8 * n_bytes):
            raise LengthError("{} instead of {} bytes of data".format(len(data), n_bytes))
    numberings = _numberings([index for index, _ in bursts], 1, len(rows))
    if not bursts or not numberings:
        raise MisuseError("bursts {} of {}".format([index for index, _ in bursts], len(rows)))
    for index, data in bursts:
        if index in (None, 1) and _is_packed(data):
            found = deinterleave(data, header.length)
            if check(found):
                return found
    from . import viterbi  # its tables are not made for who never needs them

    n_zeros = fec.padding(rows[0], header.length)
    n_bits = 8 * header.length + n_zeros
    for chosen in _choices(bursts, numberings):
        streams = _streams([(rows[index - 1], data) for index, data in chosen], n_bits, n_zeros)
        found = viterbi.decode(streams, n_bits)[: header.length]
        if check(found):
            return found
    return None


def _is_packed(data):
    return isinstance(data, (bytes, bytearray))


def _choices(bursts, numberings):
    """The sets of (index, data) to try, larger ones first."""
    sets = []
    for indices in numberings:
        for mask in range(1, 1 << len(bursts)):
            chosen = [(indices[i], i) for i in range(len(bursts)) if mask >> i & 1]
            if chosen not in sets:
                sets.append(chosen)
    for size in range(len(bursts), 0, -1):
        for chosen in sets:
            if len(chosen) == size:
                yield [(index, bursts[i][1]) for index, i in chosen]


def _numberings(indices, lowest, n_rows):
    """All that the bursts can be, one after the other, where an index is None."""
    if not indices:
        return [[]]
    found = []
    for index in range(lowest, n_rows + 1):
        if indices[0] in (None, index):
            found += [[index] + rest for rest in _numberings(indices[1:], index + 1, n_rows)]
    return found


def _streams(received, n_bits, n_zeros):
    """The four streams of values for the Viterbi decoder: received = [(layout, data)]."""
    n = n_bits + fec.TAIL
    streams = [None, None, None, None]
    for layout, data in received:
        packed = _is_packed(data)
        place = positions(8 * len(data) if packed else len(data))
        for field in layout:
            kind = field[0]
            if kind == "z":
                next(place), next(place)
                continue
            output = 3 if kind == "p" else int(field[1])
            if streams[output] is None:
                streams[output] = array("b", bytes(n))
            stream = streams[output]
            if kind == "c":
                which = range(n_bits)
            elif kind == "t":
                which = range(n_bits, n)
            else:
                which = range(int(field[1]), n_bits, 7)
            for k in which:
                at = next(place)
                stream[k] = data[at] if not packed else 1 if data[at >> 3] & (0x80 >> (at & 7)) else -1
    for k in range(n_bits - n_zeros, n_bits):
        if streams[0] is None:
            streams[0] = array("b", bytes(n))
        streams[0][k] = -127
    return streams
