"""The ladders of a gateway with one meter, as a table (OMS Vol.2 5.2.4, 7.2.3, M.1.5, M.1.7, Annex L;
oms-requirements sheet 14.3 to 14.8). roles/session.py walks it.

    SND-UD until ACK or NACK, then REQ-UD2 for what it came to; SND-UD2 and REQ-UD until RSP-UD; then SND-NKE.
"""

REST = "rest"
START = "start"  # an order has come, its next exchange is to be made
COMMAND, COMMAND2 = "command", "command2"  # SND-UD, SND-UD2
ASK, ALARM = "ask", "alarm"  # REQ-UD2 and REQ-UD1, where they are the exchange
FETCH, POLL = "fetch", "poll"  # REQ-UD2 for what became of a command; while the meter is busy with it
MAC = "mac"  # MCMD of a burst meter
CLOSE, CLOSED = "close", "closed"  # SND-NKE is to be sent; was sent

# What a datagram of this state is; of every other one REQ-UD2.
KINDS = {COMMAND: "SND-UD", COMMAND2: "SND-UD2", ALARM: "REQ-UD1", CLOSE: "SND-NKE"}

# (state, event): (next state, what to do). Events: kinds of exchanges; "done" (ACK, nothing else wanted),
# "wanted", "busy", "error" (ACK by its status), "nack", "piece" (ACK of a fragment), "answer", "not yet"
# (RSP-UD, the meter is busy), "part" (RSP-UD, a fragment), "stale" (the meter may have forgotten the access
# number), "lapsed" (it has no response any more), "silence" (all tries are over), "sent", "over" (its cycle
# has ended).
TABLE = {
    (START, "SND-UD"): (COMMAND, "make"),
    (START, "SND-UD2"): (COMMAND2, "make"),
    (START, "REQ-UD1"): (ALARM, "make"),
    (START, "REQ-UD2"): (ASK, "make"),
    (COMMAND, "done"): (START, "hear"),
    (COMMAND, "wanted"): (FETCH, "make"),
    (COMMAND, "busy"): (POLL, "make"),
    (COMMAND, "error"): (FETCH, "make"),
    (COMMAND, "nack"): (START, "hear"),
    (COMMAND, "piece"): (COMMAND, "next piece"),
    (COMMAND, "stale"): (COMMAND, "doubt"),
    (COMMAND, "silence"): (START, "give up"),
    (COMMAND2, "answer"): (START, "hear"),
    (COMMAND2, "not yet"): (POLL, "wait"),
    (COMMAND2, "part"): (FETCH, "next part"),
    (COMMAND2, "done"): (COMMAND, "plain"),
    (COMMAND2, "wanted"): (COMMAND, "plain"),
    (COMMAND2, "busy"): (COMMAND, "plain"),
    (COMMAND2, "error"): (COMMAND, "plain"),
    (COMMAND2, "nack"): (START, "hear"),
    (COMMAND2, "stale"): (COMMAND2, "doubt"),
    (COMMAND2, "silence"): (START, "give up"),
    (ASK, "answer"): (START, "hear"),
    (ASK, "not yet"): (POLL, "wait"),
    (ASK, "part"): (ASK, "next part"),
    (ASK, "nack"): (START, "hear"),
    (ASK, "stale"): (ASK, "make"),
    (ASK, "silence"): (START, "give up"),
    (ALARM, "done"): (START, "hear"),
    (ALARM, "wanted"): (START, "hear"),
    (ALARM, "busy"): (START, "hear"),
    (ALARM, "error"): (START, "hear"),
    (ALARM, "answer"): (START, "hear"),
    (ALARM, "not yet"): (START, "hear"),
    (ALARM, "part"): (ASK, "next part"),
    (ALARM, "nack"): (START, "hear"),
    (ALARM, "stale"): (ALARM, "make"),
    (ALARM, "silence"): (START, "give up"),
    (FETCH, "answer"): (START, "hear"),
    (FETCH, "not yet"): (POLL, "wait"),
    (FETCH, "part"): (FETCH, "next part"),
    (FETCH, "nack"): (START, "hear"),
    (FETCH, "stale"): (FETCH, "make"),
    (FETCH, "lapsed"): (START, "give up"),
    (FETCH, "silence"): (START, "give up"),
    (POLL, "answer"): (START, "hear"),
    (POLL, "not yet"): (POLL, "wait"),
    (POLL, "part"): (POLL, "next part"),
    (POLL, "nack"): (START, "hear"),
    (POLL, "stale"): (POLL, "make"),
    (POLL, "lapsed"): (START, "give up"),
    (POLL, "silence"): (START, "give up"),
    (START, "MCMD"): (MAC, "make"),
    (MAC, "stale"): (MAC, "doubt"),
    (MAC, "silence"): (START, "give up"),
    (CLOSE, "sent"): (CLOSED, "rest"),
    (CLOSE, "over"): (REST, "rest"),
    (CLOSED, "sent"): (CLOSED, "rest"),
    (CLOSED, "over"): (REST, "rest"),
}
