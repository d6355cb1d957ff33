"""Publicly known default keys, tried only where the user asks for it: a telegram that one of them opens has no protection
(security sheet section 5). Each row names where its key is published.
"""

from .keys import Key

# (manufacturers, None for all; key)
_TABLE = (
    # Diehl Metering and the names it sells under: wmbusmeters/wmbusmeters, src/manufacturer_specificities.cc
    # (addDefaultManufacturerKeyIfAny); with EFE in qvest-digital/jmbus, wireless tests.
    (("DME", "EWT", "HYD", "SAP", "SPL"), "51728910E66D83F851728910E66D83F8"),
    # Devices delivered without a key of their own: wmbusmeters/wmbusmeters, simulations/serial_aes.msg (Apator) and
    # drivers/src/unismart.xmq (AMX).
    (None, "00000000000000000000000000000000"),
)


def of(address):
    """The Keys (tuple) to try for a meter: those of its manufacturer first. address: its Address."""
    code = address.manufacturer_code
    return tuple([Key.from_hex(key) for makers, key in _TABLE if makers is None or code in makers])


def is_public(key):
    """Whether this Key is one of them."""
    return any([Key.from_hex(text) == key for _, text in _TABLE])
