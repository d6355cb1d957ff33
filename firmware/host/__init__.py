"""What only a Linux host needs, on CPython.

In: lines (telegrams as text), key_store (whose key is which) with key_import and key_check, config with source (the file,
checked) and profile (the device that a meter is). Out: json_lines, table, explain (every byte). Between: store (state on
disk), masking (no key in any text).
"""
