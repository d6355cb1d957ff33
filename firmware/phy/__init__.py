"""Physical layer without a radio: what is on the air for a frame, and back. Modules are imported one by one.

modes (one row per radio mode), radio (the contract of a driver), framing (frame to chips), deframer, manchester,
three_of_six, tables (what the last two share), duty_cycle.
"""
