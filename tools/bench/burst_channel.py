"""The burst mode's air in baseband: modulator, noise, carrier offset and drift, and two receivers (numpy).

    discriminator   what the chips do: channel filter, frequency, a sum over each chip, sliced to hard chips
    coherent        what the annex assumes of a gateway (Q.2.4.5.1): phase known, soft bits; uplink only

Chips are arrays of 0 and 1, samples complex with amplitude 1 and SAMPLES per chip. Frequencies are in chip rates (0.01 of
125 kcps is 1250 Hz), drifts in chip rates per chip. Chip timing is ideal in both receivers.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

SAMPLES = 8
BT = 0.5
_SPAN = 3  # chips over which a Gaussian pulse is more than nothing
# Modulation index, and channel filter over chip rate: SX1262 on UL-B4 (234.3 kHz for 125 kcps) and on DL-B4 (58.6 kHz for
# 24 kcps), LPWAN sheet 22.
INDEX = {"up": 0.5, "down": 1.0}
FILTER = {"up": 1.87, "down": 2.44}
_TAPS = 6 * SAMPLES + 1


def modulate(chips, index):
    """GFSK with BT 0.5: a 1 turns the phase by +180 degrees * index within a chip."""
    t = (np.arange(_SPAN * SAMPLES) + 0.5) / SAMPLES - _SPAN / 2
    sigma = np.sqrt(np.log(2)) / (2 * np.pi * BT)
    gauss = np.exp(-((t / sigma) ** 2) / 2)
    levels = np.repeat(2.0 * np.asarray(chips) - 1, SAMPLES)
    frequency = np.convolve(
        np.pad(levels, (len(gauss) // 2, len(gauss) // 2 - 1), "edge"), gauss / gauss.sum(), "valid"
    )
    return np.exp(1j * np.pi * index * np.cumsum(frequency) / SAMPLES)


def disturb(samples, ecn0_db, random, offset=0.0, drift=0.0):
    """Noise of this Ec/N0 (energy of a chip over noise density; None: none), and a carrier that is off and moves."""
    chips = np.arange(1, len(samples) + 1) / SAMPLES
    out = samples * np.exp(2j * np.pi * (offset * chips + drift * chips**2 / 2))
    if ecn0_db is None:
        return out
    deviation = np.sqrt(SAMPLES / 10 ** (ecn0_db / 10) / 2)
    noise = random.standard_normal((2, len(samples)))
    return out + deviation * (noise[0] + 1j * noise[1])


def discriminator(samples, known, width):
    """Hard chips. known: chips at the beginning (preamble and sync) from which the carrier's offset is taken. width of the
    channel filter, both sides, in chip rates."""
    t = np.arange(_TAPS) - _TAPS // 2
    taps = np.sinc(t * width / SAMPLES) * np.hamming(_TAPS)
    filtered = _filter(samples, taps / taps.sum())
    turns = np.angle(filtered * np.conj(np.concatenate([filtered[:1], filtered[:-1]]))) / (2 * np.pi)
    frequency = turns.reshape(-1, SAMPLES).sum(axis=1)
    # Preamble and sync have as many ones as zeros but for two: their mean is the offset.
    head = frequency[: len(known)]
    signs = 2.0 * np.asarray(known) - 1
    level = (head * signs).sum() - head.mean() * signs.sum()
    level /= len(known) - signs.sum() ** 2 / len(known)
    return (frequency > head.mean() - level * signs.mean()).astype(np.uint8)


def coherent(samples):
    """Soft bits of a precoded burst (positive: 1), from a GMSK signal whose phase is 0 before the first chip: matched to MSK,
    at the end of each chip -Re(r j^(n+1))."""
    pulse = np.cos(np.pi * (np.arange(2 * SAMPLES) + 0.5 - SAMPLES) / (2 * SAMPLES))
    padded = np.concatenate([np.full(SAMPLES, samples[0]), samples, np.full(SAMPLES, samples[-1])])
    ends = sliding_window_view(padded, 2 * SAMPLES)[SAMPLES::SAMPLES] @ pulse
    n = np.arange(len(ends))
    return -np.real(ends * 1j ** ((n + 1) % 4))


def _filter(samples, taps):
    size = len(samples) + len(taps) - 1
    spectrum = np.fft.fft(samples, size) * np.fft.fft(taps, size)
    return np.fft.ifft(spectrum)[len(taps) // 2 :][: len(samples)]
