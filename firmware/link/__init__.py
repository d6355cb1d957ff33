"""Data link layer and extended link layer. Modules are imported one by one: a device needs only some of them.

crc, frame_a and frame_b (frame <-> telegram), address (address_text: as people write it; device_types: their names),
control (C-field), extended (ELL), telegram (`parse`).
"""
