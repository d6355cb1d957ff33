"""Security modes of the configuration field: EN 13757-7 as restated in the security sheet section 4."""

# mode: (OMS security profile, what it is)
MODES = {
    0: (None, "no encryption"),
    1: (None, "manufacturer specific"),
    2: (None, "DES-CBC, zero IV"),
    3: (None, "DES-CBC, IV from identification and date"),
    4: (None, "reserved"),
    5: ("A", "AES-128-CBC"),
    7: ("B", "AES-128-CBC with a key of its own per message, CMAC in the AFL"),
    8: (None, "AES-128-CTR with CMAC"),
    9: (None, "AES-128-GCM"),
    10: ("D", "AES-128-CCM"),
    13: ("C", "TLS"),
}


def profile(mode):
    """The OMS security profile of a mode, "A" to "D", or None."""
    return MODES.get(mode, (None, ""))[0]


def describe(mode):
    """A line for a person: "security mode 7, profile B: AES-128-CBC ..."."""
    letter, text = MODES.get(mode, (None, "reserved"))
    return "security mode {}{}: {}".format(mode, ", profile " + letter if letter else "", text)
