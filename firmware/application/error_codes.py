"""Application error codes (security sheet section 11). Loaded when a meter sends one."""

NAMES = {
    0x00: "unspecified error",
    0x01: "CI field not implemented",
    0x03: "too many records",
    0x08: "busy",
    0x09: "too many readouts",
    0x10: "not yet finished",
    0x11: "no such function",
    0x12: "data unavailable",
    0x15: "parameter missing or wrong",
    0x17: "wrong message structure",
    0x20: "security error",
    0x21: "security mechanism not supported",
    0x22: "security method too weak",
}
