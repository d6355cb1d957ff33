"""Security information transfer (CI C3, C6 command; C4, C5 response): the blocks of a message, read and nothing else.

EN 13757-7:2018 Annex A as restated in the sheets en13757-7-security 10.3 and oms-requirements 14. Blocks are built, and acted
upon, in sitp_blocks.py; here no MAC is checked and nothing is unwrapped: what is in a block is what its sender says. A block
is length (of what follows, 2 bytes), block number, function (BCF), recipient, structure of the content (DSI), its two header
bytes (in OMS key id and key version), content. Numbers are least significant byte first.
"""

RESPONSE = 0x80  # bit of the function

_FUNCTIONS = {
    0x00: "transfer security information",
    0x01: "activate",
    0x02: "deactivate",
    0x03: "destroy",
    0x04: "combined activation and deactivation",
    0x05: "generate",
    0x06: "get",
    0x07: "list all keys",
    0x08: "list active keys",
    0x09: "list keys and counters",
    0x20: "transfer secured application data",
}
_PROTOCOLS = {1: "M-Bus", 4: "clock synchronisation", 6: "image transfer"}
_CI = {4: 0x6C, 6: 0xC0}
_MACS = {0x32: 8, 0x33: 16}  # DSI of authenticated application data: bytes of the CMAC
_STATUS = {
    0x00: "done",
    0x09: "another block failed",
    0x11: "unknown function",
    0x19: "key id or key version not usable",
    0x23: "target time not possible",
    0x80: "certificate not usable",
    0x81: "key and certificate differ",
}
_TIMES = {b"\x00\x00\x00\x00\x30": "at once", b"\x00\x00\x00\x80\x30": "not yet"}
_STATUS_ANSWER = 0x22
_LISTS = {0x21: 2, 0x23: 6}  # DSI: bytes of an entry
_WRAPPED = (0x01, 0x02, 0x03, 0x20, 0x30)
_HEADER = 8


def fields(body, ci=None):
    """The fields of a body, as protocols.read gives them; those of a second block end in _2 and so on. What is cut off is
    left to it."""
    out = []
    at = 0
    number = 1
    while at + 2 <= len(body):
        end = at + 2 + (body[at] | body[at + 1] << 8)
        if end == at + 2:  # length 0 ends the message
            out.append((at, 2, "end", 0, None))
            break
        if end > len(body) or end < at + _HEADER:
            break
        suffix = "_%d" % number if number > 1 else ""
        for offset, length, name, value, unit in _block(bytes(body[at:end])):
            out.append((at + offset, length, name + suffix, value, unit))
        at = end
        number += 1
    return out


def status_name(code):
    """What the status of an answer (structure 22) means; application error codes stand beside those of its own."""
    from . import error_codes

    return _STATUS.get(code) or error_codes.name(code)


def _block(block):
    function = block[3]
    name = _FUNCTIONS.get(function & ~RESPONSE, "reserved")
    out = [
        (0, 2, "block_length", len(block) - 2, "bytes"),
        (2, 1, "block", block[2], None),
        (3, 1, "function", function, None),
        (4, 0, "function_name", name + (", response" if function & RESPONSE else ""), None),
        (4, 1, "recipient", block[4], None),
        (5, 1, "structure", block[5], None),
        (6, 1, "key_id", block[6], None),
        (7, 1, "key_version", block[7], None),
    ]
    content = block[_HEADER:]
    mac = _MACS.get(block[5], 0)
    if block[5] == _STATUS_ANSWER and len(content) == 1:
        out.append((8, 1, "status", content[0], None))
        out.append((9, 0, "status_name", _STATUS.get(content[0], "not known"), None))
    elif mac and len(content) >= 10 + mac:
        _secured(block, mac, function & RESPONSE, out)
    elif block[5] in _LISTS and len(content) % _LISTS[block[5]] == 0:
        _listed(content, _LISTS[block[5]], out)
    elif content:
        name = "content" if block[5] not in _WRAPPED else "wrapped_content"
        out.append((8, len(content), name, content.hex().upper(), None))
    return out


def _listed(content, size, out):
    """Active keys, and how far their counters are."""
    for at in range(0, len(content), size):
        key = "%02X version %02X" % (content[at], content[at + 1])
        if size > 2:
            key += " counter %d" % int.from_bytes(content[at + 2 : at + 6], "little")
        out.append((8 + at, size, "active_key", key, None))


def _secured(block, mac, response, out):
    """Authenticated application data: key counter, target time, protocol, APDU, MAC."""
    time = block[12:17]
    protocol = block[17]
    end = len(block) - mac
    out.append((8, 4, "key_counter", int.from_bytes(block[8:12], "little"), None))
    out.append((12, 5, "target_time", _TIMES.get(time, time.hex().upper()), None))
    out.append((17, 1, "protocol", protocol, None))
    out.append((18, 0, "protocol_name", _PROTOCOLS.get(protocol, "reserved"), None))
    if end > 18:
        apdu = block[18:end]
        out.append((18, len(apdu), "apdu", apdu.hex().upper(), None))
        meaning = _meaning(protocol, apdu, response)
        if meaning:
            out.append((end, 0, "apdu_meaning", meaning, None))
    out.append((end, mac, "mac", block[end:].hex().upper(), None))


def _meaning(protocol, apdu, response):
    from . import protocols

    if protocol == 1:
        from . import record

        return "; ".join(
            [protocols.record_field(one, 0, "")[3] for one in record.decode(apdu, not response)[0]]
        )
    if protocol in _CI:
        found = protocols.read(_CI[protocol], apdu).fields
        return ", ".join(["%s %s" % (field[2], field[3]) for field in found])
    return ""
