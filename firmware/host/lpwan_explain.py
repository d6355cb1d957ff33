"""What every byte of an OMS LPWAN MAC frame means, under the names of the annex, and every field of the bursts that carried it.

As explain.py, told from the objects that the layers returned: nothing is parsed again.
"""

from ..application.telegram import NO_KEY, PLAIN
from ..errors import BodyError
from ..link.lpwan import blocks, elements, mac
from ..link.lpwan import llc as logical
from ..phy import modes
from ..phy.burst import submodes, timing
from . import bursts, explain, lpwan_words
from .explain import Span

_MFT = {
    mac.MSNR: "unsolicited from the meter",
    mac.MRSP: "response to a MCMD",
    mac.MERR: "a MCMD that was not accepted",
    mac.MACC: "an extra access slot",
    mac.MACK: "a downlink came early",
    mac.MCNR: "command without response",
    mac.MCMD: "command, a MRSP is expected",
}
_FOLLOWS = ((0x80, "MHCTL[1] follows"), (0x40, "MElements follow"), (0x20, "a MAC body follows"))


def frame_spans(found):
    """List of explain.Span that covers every byte of the MAC frame of an lpwan_frame.Opened, in order."""
    frame, telegram = found.frame, found.telegram
    end = max(len(frame) - 4, 0)
    spans = explain.Spans(telegram)
    if found.mac is not None:
        _mac(spans, found)
        if found.llc is not None:
            _llc(spans, found)
            if telegram.link is not None:
                if telegram.link.ell_fields is not None:
                    explain.ell_fields(spans, telegram.link.ell_fields)
                if spans.at < end:
                    explain.upper(spans, telegram, end)
    elif len(frame) >= mac.SHORTEST:
        spans.add(1, "MAC", _control(frame[0]))
    error = telegram.error or found.error
    spans.skip_to(end, "?", error.message if error else "not explained")
    if len(frame) < mac.SHORTEST:
        return [Span(0, len(frame), "?", error.message, None, False)] if frame else []
    right = mac.crc(frame[:end])
    text = "CRC, right" if found.right else "CRC wrong: over these bytes it is {}".format(right.hex().upper())
    return [*spans.list, Span(end, end + 4, "MAC", text, None, found.right)]


def _control(byte):
    follows = [text for bit, text in _FOLLOWS if byte & bit]
    if byte & 0x10:
        follows.append("version 1, reserved")
    name = mac.name(byte & 15)
    what = "MFT {:X} reserved".format(byte & 15) if name is None else "{}: {}".format(name, _MFT[byte & 15])
    return "MHCTL[0]: {}{}".format(what, "".join("; " + text for text in follows))


def _mac(spans, found):
    frame, raw = found.mac, found.telegram.raw
    spans.add(1, "MAC", _control(raw[0]))
    if raw[0] & 0x80:
        spans.add(1, "MAC", "MHCTL[1]: MAC security profile MSP{}".format(frame.profile + 1))
    if frame.elements is not None:
        for text in (_up if mac.is_up(frame.type) else _down)(frame.elements, found.submode):
            spans.add(1, "MAC", "MElement_" + text)
    if frame.body is not None:
        _body(spans, found)
    elif frame.error is not None:
        spans.skip_to(frame.offset, "MAC", "MAC body: " + frame.error.message)


def _up(up, submode):
    """Texts of the MElements of an uplink, one for each byte."""
    option = elements.option(up)
    text = "UA: LMS {}; ".format(up.lms)
    if option is None:
        text += ("no access", "temporarily no access")[up.access]
        text += "; UL-SC {}: {}".format(up.session, "uplink session" if up.session else "no uplink session")
    else:
        text += "DL-AC {}, access option #{}, downlink sub-mode {}".format(up.access, option, up.downlink)
        if up.downlink in submodes.DOWNLINKS:  # the options of splitting are others
            what = timing.access(submode or "UL-B4", option)
            text += ": {} access, {} additional window, downlink {} burst".format(
                "limited" if what.limited else "unlimited",
                "with" if what.additional else "no",
                "multi" if what.multi else "single",
            )
    out = [text]
    for name, way, numbers in (("UB", "uplink", up.uplink_n), ("UC", "downlink", up.downlink_n)):
        if numbers is not None:
            out.append(
                "{}: SCI {}: sub-carriers of the {} n0 = {}, n1 = {}, n2 = {}".format(
                    name, elements.carriers(numbers), way, *numbers
                )
            )
    if up.timing is not None:
        out.append(_last(up))
    return out


def _last(up):
    """Text of UD or UE."""
    if up.rxm is None:
        return "UE: DL-RT {}".format(up.timing - 1)
    t_ro, t_rm = [lpwan_words.SPEEDS[speed] for speed in timing.speeds(up.timing)]
    longest = "{} ms".format(timing.RXM_MS[up.rxm]) if up.rxm else "unlimited"
    text = "UD: response timing option #{}: t_RO {}, t_RM at least {}; DL-RXM {}: {}"
    return text.format(up.timing, t_ro, t_rm, up.rxm, longest)


def _down(down, submode):
    asked = lpwan_words.requested(down.rtrm)
    text = "DA: RTRM {}: {}; ACP {}: {} the assigned partner; SC {}: {} of the session"
    return [
        text.format(
            down.rtrm,
            "no t_RM requested" if asked is None else "t_RM " + asked,
            down.acp,
            "not" if down.acp else "from",
            down.sc,
            "last downlink" if down.sc else "not the last downlink",
        )
    ]


def _body(spans, found):
    body, opened = found.mac.body, found.body
    head = body.associated
    secured = "secured" if body.counter is not None else "not secured"
    n_control = 2 if head[0] & 0x80 else 1
    n_length = len(head) - n_control + (6 if body.counter is not None else 0) + len(body.data)
    spans.add(1, "MAC", "MBCTL[0]: {}, MBodyLength {}".format(secured, n_length))
    if n_control == 2:
        spans.add(1, "MAC", "MBCTL[1]: bit 5 of MBodyLength")
    if body.der_counter is not None:
        spans.add(1, "MAC", "MDerCounter {}: which derived key".format(body.der_counter))
    if body.counter is not None:
        spans.add(2, "MAC", "MMsgCounter {}".format(body.counter))
        checked = "right" if opened.verdict == "authenticated" else "not right or not checked"
        if opened.verdict == "authenticated" and body.der_counter is None:
            checked += ", with MDerCounter {}".format(opened.der_counter)
        spans.add(4, "MAC", "MMAC: " + checked)
    end = spans.at + len(body.data)
    if opened.blocks is None:
        known = opened.verdict == NO_KEY or opened.error.code == "unsupported"
        message = opened.error.message
        spans.skip_to(end, "MAC", "MBlocks{}: {}".format(", encrypted" if known else "", message), known)
        return
    base = spans.at
    for block in opened.blocks:
        _block(spans, found.mac.type, block)
    if opened.verdict != PLAIN:
        for number, span in enumerate(spans.list):
            if span.start >= base:
                spans.list[number] = span._replace(plain=opened.data[span.start - base : span.end - base])


def _block(spans, frame_type, block):
    what = "MBlockID {:02X} {}, {}".format(
        block.id, lpwan_words.block_name(block.id), lpwan_words.service(frame_type, block)
    )
    spans.add(1, "MAC", "MBH[0]: {}, {} bytes".format(what, len(block.value)))
    if block.id > 15 or len(block.value) > 3:
        spans.add(1, "MAC", "MBH[1]: MID1 {}, MBL1 {}".format(block.id >> 4, len(block.value) >> 2))
    try:
        told, known = lpwan_words.meaning(block), True
        text = "only the manufacturer knows" if told is None else lpwan_words.as_text(told)
        if blocks.row(block.id) is None:
            text = "reserved"
    except BodyError as error:
        text, known = "no value of this MBlock: " + error.message, False
    spans.add(len(block.value), "MAC", text, known)


def _llc(spans, found):
    one, raw, up = found.llc, found.telegram.raw, found.direction == modes.UP
    control = raw[spans.at]
    names = (
        (0x80, "LC[1] follows"),
        (0x40, "S, synchronous" if up else "RRX, the next uplink names its receiver"),
        (0x10, "ULP"),
        (0x08, "ANP"),
        (0x04, "RAP"),
        (0x02, "TAP"),
        (0x01, "CFP"),
    )
    spans.add(1, "LLC", "LC[0]: " + (", ".join(text for bit, text in names if control & bit) or "nothing"))
    if control & 0x80:
        text = "LC[1]: hop count {}; {}; {}"
        rtd = ("no RTD", "RTD in 1/256 s", "RTD in 2 s")[one.rtd[0] if one.rtd else 0]
        spans.add(1, "LLC", text.format(one.hops, rtd, "no RAS" if one.ras is None else "RASP"))
    if one.c_field is not None:
        explain.c_field_of(spans, one.c_field, "LLC")
    if one.address is not None:
        explain.device(spans, one.address, "LLC", "the sender (M, A)")
    if one.receiver is not None:
        explain.device(spans, one.receiver, "LLC", "the receiver (M2, A2)")
    if one.access_number is not None:
        spans.add(1, "LLC", "ACC: access number {}".format(one.access_number))
    if one.rtd is not None:
        spans.add(2, "LLC", "RTD: {} us".format(logical.rtd_us(one.rtd)))
    if one.ras is not None:
        spans.add(1, "LLC", "RAS: status of the radio adapter {:02X}h".format(one.ras))


# --- bursts ---


def burst_spans(one):
    """List of Span over all chips of a bursts.Burst, packed in bytes."""
    out = []
    for field in one.fields():
        texts = [field.name]
        if field.name in _FIELDS:
            texts.append(_FIELDS[field.name](one, field))
        known = field.wrong == 0
        if field.name in ("behind the burst", "not read"):
            known = False
            texts = [field.name if one.error is None else "not read: " + one.error.message]
        elif field.wrong is None:
            known = one.error is None
        elif field.wrong:
            texts.append("{} chips wrong".format(field.wrong))
        out.append(
            Span(field.start, field.end, "PHY", ": ".join(text for text in texts if text), None, known)
        )
    return out


def _coded_length(one, field):
    if field.end - field.start < 3:
        return "cut"
    l_da, wrong = bursts.coded_length_of(one.chips[field.start : field.end])
    return "L_DA {} bytes of Data A{}".format(l_da, ", {} chips away".format(wrong) if wrong else "")


def _coded_header(one, field):
    head = one.header
    if head is None:
        return None
    text = "PHY payload length {}, TIV {}, {} burst, type {}: {}"
    which = ", UL{}".format(one.index) if head.multi and one.index and one.direction == modes.UP else ""
    return (
        text.format(
            head.length,
            head.tiv,
            "multi" if head.multi else "single",
            head.type,
            lpwan_words.kind(head, one.direction),
        )
        + which
    )


def _size(one, field):
    return "{} bytes".format(field.end - field.start)


_FIELDS = {
    "CL": _coded_length,
    "Coded header": _coded_header,
    "Data A": _size,
    "Data B": _size,
    "Data": _size,
}


def bit_rows(one):
    """[(title, [(first bit, bits, name, meaning)])] of what a burst's header and data field hold."""
    if one.header is None:
        return []
    told = {
        "PHY payload length": "{} bytes".format(one.header.length),
        "timing input value": str(one.header.tiv),
        "burst mode": "multi" if one.header.multi else "single",
        "burst type": lpwan_words.kind(one.header, one.direction),
        "header CRC": "that of the nearest legal header",
    }
    out = [("coded header", _rows(one.header_bits(), told))]
    if one.index is not None:
        out.append(
            ("coded payload, de-interleaved", _rows(one.coded_bits(), {bursts.FIRST: "the MAC frame"}))
        )
    return out


def _rows(bits, told):
    return [(row.start, row.bits, row.name, told.get(row.name, "")) for row in bits]
