"""What MElements, MBlocks and LLC of OMS LPWAN say, as plain values under names (OMS Vol. 2 Annex Q.3.5, Q.3.6, Q.4; LPWAN sheet
sections 14, 15, 20): for JSON, and, as text, for people.
"""

from ..application.telegram import NO_KEY
from ..errors import BodyError
from ..link import address_text, control
from ..link.lpwan import blocks, elements, mac, values
from ..link.lpwan import llc as logical
from ..phy.burst import timing

SPEEDS = ("fast", "medium", "slow")
_FALLBACKS = {values.SOFT: "soft", values.HARD: "hard", values.NONE_LEFT: "none left"}
_MARGINS = ("<= 0 dB", "]0;4] dB", "]4;8] dB", "]8;12] dB", "]12;16] dB", "]16;20] dB", "> 20 dB", None)
_CORRECTED_MORE = 30
_MULTI = "multi burst"
_CODINGS = {name: _MULTI if name == "multi" else name for name in values.CODINGS}


def _link_status(one):
    out = {"uplink_power_reduction_db": 3 * one.reduction}
    if one.margin is not None:
        corrected = "{} %".format(one.corrected) if one.corrected < _CORRECTED_MORE else ">= 30 %"
        out["downlink_margin"] = _MARGINS[one.margin]
        out["corrected_bit_errors"] = corrected if one.corrected < values.UNKNOWN_CORRECTED else None
    return out


def _clock(one):
    if isinstance(one, int):
        return {"adjustment_s": one}
    return {"time": "{:02}:{:02}:{:02}".format(one.hour, one.minute, one.second)}


def _uplink(one):
    return {
        "temporary": bool(one.temporary),
        "power_reduction_db": 3 * one.reduction,
        "sub_mode": one.sub_mode,
        "sub_carriers": None if one.carriers is None else list(one.carriers),
        "coding": _CODINGS.get(one.coding),
    }


def _capability(one):
    out = {"uplinks": list(one.uplinks), "dual_channel": bool(one.dual), "downlinks": list(one.downlinks)}
    if one.codings is not None:
        out["uplink_codings"] = [_CODINGS[name] for name in one.codings]
        out["downlink_multi_burst"] = bool(one.multi)
    return out


_MEANINGS = {
    blocks.LINK_STATUS: _link_status,
    blocks.FALLBACK_STATUS: lambda one: {
        "next_fallback": _FALLBACKS[one.next],
        "counter_at_least": one.counter,
    },
    blocks.FALLBACK_COUNTER: lambda one: {"temporary": bool(one.temporary), "counter": one.value},
    blocks.SESSION_REQUEST: lambda minutes: {"delay_min": minutes},
    blocks.CLOCK: _clock,
    blocks.UPLINK: _uplink,
    blocks.DOWNLINK: lambda one: {
        "temporary": bool(one.temporary),
        "multi_burst": bool(one.multi),
        "sub_mode": one.sub_mode,
    },
    blocks.CMD_COUNTER: lambda number: {"cmd_mmsg_counter": number},
    blocks.SUPPORTED: lambda ids: {"mblocks": ["{:02X}".format(one) for one in ids]},
    blocks.RELEASE: lambda year: {"release_year": year},
    blocks.RESUME_DELAY: lambda seconds: {"delay_s": seconds},
    blocks.CAPABILITY: _capability,
    blocks.INTERVAL: lambda seconds: {"interval_s": seconds},
}


def block_name(block_id):
    """What the annex calls an MBlockID."""
    row = blocks.row(block_id)
    return "reserved" if row is None else row.name


def service(frame_type, block):
    """What an MBlock is in a frame of this type: "get", "set", "response", "failed" or "unsolicited"."""
    if not mac.is_up(frame_type):
        return "set" if block.value else "get"
    if frame_type == mac.MRSP:
        return "response" if block.value else "failed"
    return "unsolicited"


def meaning(block):
    """The value of an MBlock as a dict of plain values, None where it has none or only its manufacturer knows. BodyError if it
    is none that this MBlock may have."""
    if not block.value or block.id not in _MEANINGS:
        return None
    return _MEANINGS[block.id](values.decode(block.id, block.value))


def as_text(told):
    """A dict of plain values for people."""
    return ", ".join("{}: {}".format(name.replace("_", " "), _word(value)) for name, value in told.items())


def _word(value):
    if isinstance(value, list):
        return " ".join(str(one) for one in value) or "none"
    if value is None:
        return "not told"
    return ("no", "yes")[value] if isinstance(value, bool) else str(value)


def elements_of(frame):
    """The MElements of a mac.Mac as plain values, None if there are none."""
    one = frame.elements
    if one is None:
        return None
    if not mac.is_up(frame.type):
        return {"rtrm": one.rtrm, "requested_t_rm": requested(one.rtrm), "acp": one.acp, "sc": one.sc}
    return {
        "lms": one.lms,
        "dl_ac": one.access,
        "access_option": elements.option(one),
        "downlink": one.downlink,
        "ul_sc": one.session,
        "uplink_sub_carriers": one.uplink_n and list(one.uplink_n),
        "downlink_sub_carriers": one.downlink_n and list(one.downlink_n),
        "response_timing": one.timing,
        "dl_rxm_ms": None if one.rxm is None else timing.RXM_MS[one.rxm],
    }


def requested(rtrm):
    """The t_RM that RTRM asks for, None for none."""
    return SPEEDS[rtrm - 1] if 1 <= rtrm <= len(SPEEDS) else None if rtrm == 0 else "reserved"


def _block(frame_type, block):
    try:
        told, wrong = meaning(block), None
    except BodyError as error:
        told, wrong = None, error.message
    return {
        "id": "{:02X}".format(block.id),
        "name": block_name(block.id),
        "service": service(frame_type, block),
        "data": block.value.hex().upper(),
        "meaning": told,
        "error": wrong,
    }


def _body(found):
    one = found.mac.body
    if one is None and found.mac.error is None:
        return None
    opened = found.body
    return {
        "secured": None if one is None else one.counter is not None,
        "der_counter": opened.der_counter if one is None or one.der_counter is None else one.der_counter,
        "counter": one and one.counter,
        "verdict": opened.verdict,
        "blocks": None
        if opened.blocks is None
        else [_block(found.mac.type, block) for block in opened.blocks],
        "error": opened.error and {"code": opened.error.code, "message": opened.error.message},
    }


def mac_of(found):
    """What the MAC of an lpwan_frame.Opened says; None where it cannot be read."""
    frame = found.mac
    if frame is None:
        return None
    return {
        "type": mac.name(frame.type),
        "security_profile": "MSP{}".format(frame.profile + 1),
        "elements": elements_of(frame),
        "body": _body(found),
        "crc": found.frame[-4:].hex().upper(),
    }


def llc_of(found):
    """What its LLC says; None where there is none."""
    one = found.llc
    if one is None:
        return None
    up = mac.is_up(found.mac.type)
    return {
        "c_field": one.c_field
        if one.c_field is None
        else control.name(one.c_field, up) or "{:02X}".format(one.c_field),
        "address": one.address and address_text.show(one.address),
        "receiver": one.receiver and address_text.show(one.receiver),
        "access_number": one.access_number,
        "synchronous": bool(one.flag) if up else None,
        "rrx": None if up else bool(one.flag),
        "hops": one.hops,
        "rtd_us": one.rtd and logical.rtd_us(one.rtd),
        "ras": one.ras,
    }


def burst_of(found):
    """What the radio bursts were; None where a MAC frame was given."""
    if not found.bursts:
        return None
    head = found.bursts[0].header
    return {
        "phy_payload_length": head and head.length,
        "tiv": head and head.tiv,
        "multi": head and bool(head.multi),
        "type": head and kind(head, found.direction),
        "bursts": [
            {
                "index": one.index,
                "chips": 8 * len(one.chips),
                "wrong_chips": sum(field.wrong or 0 for field in one.fields()) if one.payload else None,
            }
            for one in found.bursts
        ],
    }


def kind(head, direction):
    """What a burst type stands for (sheet 7)."""
    if not head.multi:
        return "FEC " + values.CODINGS[head.type]
    return ("short spacing", "medium spacing", "long spacing")[head.type] if direction == "up" else _MULTI


def more(found):
    """Pairs (key, plain value) that stand behind the JSON of the Telegram."""
    return (
        ("mode", found.submode),
        ("mac", mac_of(found)),
        ("llc", llc_of(found)),
        ("burst", burst_of(found)),
    )


def lines_of(found):
    """Text lines for people: what MAC and bursts say."""
    out = []
    told = burst_of(found)
    if told is not None:
        shown = {name: told[name] for name in ("phy_payload_length", "tiv", "type")}
        wrong = [one["wrong_chips"] for one in told["bursts"]]
        out.append("burst: {}, wrong chips: {}".format(as_text(shown), " ".join(map(str, wrong))))
    if found.mac is None:
        return out
    told = elements_of(found.mac)
    if told:
        out.append(
            "MElements: " + as_text({name: value for name, value in told.items() if value is not None})
        )
    for block in found.body.blocks or ():
        one = _block(found.mac.type, block)
        text = "" if one["meaning"] is None else ": " + as_text(one["meaning"])
        if text == "" and one["data"]:
            text = ": {}{}".format(one["data"], ", no value that it may have" if one["error"] else "")
        out.append("MBlock {} {}, {}{}".format(one["id"], one["name"], one["service"], text))
    if found.body.error is not None:
        state = "encrypted" if found.body.verdict == NO_KEY else "not read"
        out.append("MAC body {}: {}".format(state, found.body.error.message))
    return out
