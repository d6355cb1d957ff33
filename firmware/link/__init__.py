"""Data link layer and extended link layer. Modules are imported one by one: a device needs only some of them.

crc, frame_a and frame_b (frame <-> telegram), address (address_text: as people write it; device_types: their names),
control (C-field), extended (ELL), telegram (`parse`), timing and access (windows), prediction and slot_line (synchronous telegrams).
`interval_us` stands here because sender and predictor share it, and for the sender a module of its own is heap.
"""


def interval_us(nominal_us, access_number):
    """t_ACC: from the start of the frame with this access number to the start of the next one.

    t_NOM * (1 + (|n - 128| - 64) / 2048), rounded down to whole microseconds (EN 13757-4 12.6.2; link sheet 8.5).
    """
    return nominal_us + nominal_us * (abs(access_number - 128) - 64) // 2048
