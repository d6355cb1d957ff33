"""The change of a key, step by step: what is sent, what the answers mean, where it leads (OMS Vol.2 Annex M UC-08, M.A; sheets
en13757-7-security 10.3 and oms-requirements 14.11). orders/keys.py walks it, and a session of
the gateway carries the messages.

For the master key (KeyID 0) the old and the new key are both held until an authentic message of the meter came under the new
one: then its message counters begin anew. Silence says nothing: the meter may have changed its key and lost its voice. So the
new key is tried, then the old one again, in turns; an application error is in clear and counts as silence. Every other key
goes the same way under the master key.
"""

from collections import namedtuple

from ..application import sitp_blocks as sitp
from ..errors import OmsError

MASTER = 0x00
TRANSFER, ACTIVATE, FETCH, PROBE, DESTROY = "transfer", "activate", "fetch", "probe", "destroy"
CHANGED, KEPT = "changed", "kept"

# For who keeps the keys: this one was verified and holds from now on; that the old one is destroyed is not waited for. It is told
# again behind a restart in between: nobody knows whether it was heard.
KeyChange = namedtuple("KeyChange", ("address", "key_id", "key_version", "key"))

# (state, event): (next state, what to do). Events: "ok" and "refused" are authentic; "changed" is authentic and under the
# new key; "acknowledged", "error" (an application error) and "silence" are not. What is missing is ignored.
TABLE = {
    (TRANSFER, "ok"): (ACTIVATE, "send"),
    (TRANSFER, "refused"): (KEPT, "end"),
    (TRANSFER, "error"): (TRANSFER, "again"),
    (TRANSFER, "silence"): (TRANSFER, "again"),
    (TRANSFER, "changed"): (DESTROY, "adopt"),
    (ACTIVATE, "acknowledged"): (FETCH, "send"),
    (ACTIVATE, "error"): (PROBE, "send"),
    (ACTIVATE, "silence"): (PROBE, "send"),
    (ACTIVATE, "changed"): (DESTROY, "adopt"),
    (FETCH, "ok"): (PROBE, "send"),
    (FETCH, "refused"): (KEPT, "end"),
    (FETCH, "error"): (PROBE, "send"),
    (FETCH, "silence"): (PROBE, "send"),
    (FETCH, "changed"): (DESTROY, "adopt"),
    (PROBE, "error"): (ACTIVATE, "again"),
    (PROBE, "silence"): (ACTIVATE, "again"),
    (PROBE, "changed"): (DESTROY, "adopt"),
    (DESTROY, "ok"): (CHANGED, "end"),
    (DESTROY, "refused"): (CHANGED, "end"),  # it is not there any more
    (DESTROY, "error"): (DESTROY, "again"),
    (DESTROY, "silence"): (DESTROY, "again"),
}

# What is sent in a state: BCF (None: a request), whether the key version is named.
SENDS = {
    TRANSFER: (sitp.TRANSFER, False),
    ACTIVATE: (sitp.COMBINED, True),
    FETCH: (None, False),
    PROBE: (sitp.ACTIVE_KEYS, True),
    DESTROY: (sitp.DESTROY, False),
}


def block(function, wrapper, wrapped, key_id, new_version, old_version):
    """The command Block of a BCF in SENDS. wrapper: (KeyID, version, Key). wrapped: the new key as sitp_blocks.wrap_key has it.
    old_version: None if there is none."""
    wrapper_id, wrapper_version, key = wrapper
    old = (key_id, sitp.UNUSED if old_version is None else old_version)
    if function == sitp.ACTIVE_KEYS:
        return sitp.block(function, sitp.EMPTY, sitp.UNUSED, sitp.UNUSED)
    if function == sitp.TRANSFER:
        structure, content = sitp.WRAPPED_KEY, wrapped
    elif function == sitp.COMBINED:
        structure, content = sitp.WRAPPED_CHANGE, sitp.wrap_change(key, (key_id, new_version), old)
    else:
        structure, content = sitp.WRAPPED_NAME, sitp.wrap_name(key, *old)
    return sitp.block(function, structure, wrapper_id, wrapper_version, content)


def meaning(state, body, key_id, new_version):
    """The event that an authentic SITP answer is, in this state. body: its application bytes. For the master key it came under
    the old one, so it is not the sign of the change."""
    try:
        answer = sitp.read(body)[0]
        function = sitp.COMBINED if state == FETCH else SENDS[state][0]
        if answer.function != function | sitp.RESPONSE:
            return "error"
        if state == PROBE:
            found = answer.structure == sitp.NAMES and sitp.read_names(answer.content)
            return "changed" if found and (key_id, new_version) in found else "error"
    except OmsError:
        return "error"
    told = "ok" if answer.structure == sitp.STATUS and answer.content == b"\x00" else "refused"
    if told == "ok" and state == FETCH and key_id != MASTER:
        told = "changed"
    return told
