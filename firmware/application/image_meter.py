"""Image transfer in the meter: the states of OMS Vol.2 Annex M Figure M.2 (sheet oms-requirements 14.12) as one table.

Nothing of the image is held here: blocks leave as actions, in any order, and one bit each remembers them. The MAC over the image
is somebody else's: he gets the action "verify" and answers with `event`. Inferred: what happens at a power cut (a validation
and an activation begin anew), the layouts (image.py), and that 24 h without a command end in idle.
"""

from ..errors import ApplicationError, MisuseError, StoreError
from . import error_codes, image

KEEP_US = 24 * 3600 * 1000000
VALIDATION_US = 300 * 1000000
ACTIVATION_US = 600 * 1000000

# Timers of the table: how long from now on, NEVER, or SAME: the one that runs.
NEVER, SAME = 0, -1

_ANY = tuple(range(image.INITIATED, image.IDLE + 1))
_RESTING = (2, 3, 4, 5, 6, 9, 10, 12, 13, 14)  # those that 24 h end

# Rows: states, event, next state (0: the same), action or None, timer in microseconds.
ROWS = (
    (_ANY, "prepare", image.INITIATED, "erase", KEEP_US),
    ((2, 3, 4, 6), "transfer", image.TRANSFER_ACTIVE, "write", KEEP_US),
    ((2, 3), "complete", image.TRANSFER_SUCCESSFUL, None, KEEP_US),
    ((2, 3), "incomplete", image.TRANSFER_FAILED, None, KEEP_US),
    ((2, 3, 5, 6), "terminate transfer", image.TRANSFER_TERMINATED, "erase", KEEP_US),
    (_ANY, "terminate", image.TERMINATED, "clear", KEEP_US),
    (_ANY, "state", 0, None, SAME),
    ((5, 10), "validate", image.VALIDATION_INITIATED, "verify", VALIDATION_US),
    ((7,), "verifying", image.VALIDATION_ACTIVE, None, SAME),
    ((7, 8), "verified", image.VALIDATION_SUCCESSFUL, None, KEEP_US),
    ((7, 8), "not verified", image.VALIDATION_FAILED, None, KEEP_US),
    ((7, 8), "time-out", image.VALIDATION_FAILED, None, KEEP_US),
    ((7, 8), "restart", image.VALIDATION_INITIATED, "verify", VALIDATION_US),
    ((9,), "activate", image.ACTIVATION_INITIATED, "activate", ACTIVATION_US),
    ((9,), "schedule", image.ACTIVATION_INITIATED, "activate", NEVER),
    ((11,), "activating", 0, None, ACTIVATION_US),
    ((11,), "activated", image.ACTIVATED, None, KEEP_US),
    ((11,), "not activated", image.ACTIVATION_FAILED, None, KEEP_US),
    ((11,), "time-out", image.ACTIVATION_FAILED, None, KEEP_US),
    ((11,), "restart", 0, "activate", ACTIVATION_US),
    ((2, 4), "restart", 0, "erase", KEEP_US),
    ((3, 5, 6, 9, 10, 12, 13, 14), "restart", 0, None, KEEP_US),
    ((image.IDLE,), "restart", 0, None, NEVER),
    (_RESTING, "time-out", image.IDLE, "clear", NEVER),
)
TABLE = {(state, row[1]): row[2:] for row in ROWS for state in row[0]}

# What the application tells: results of the actions "verify" and "activate".
_TOLD = ("verifying", "verified", "not verified", "activating", "activated", "not activated")


class Meter:
    """The meter's side of an image transfer (no role: roles.meter.Meter sends readings).

    max_bytes: how large an image may be. max_blocks: how many blocks, one bit each. max_block_bytes: how large a block.
    secured: function codes that are executed only from a secured container (CI C3).

    feed, event and tick return a list of actions, to be carried out in this order:
    ("erase", size) make room for an image, from the begin on; ("write", offset, data); ("clear",) the image is given up;
    ("verify", size, mac_algorithm, key_id, mac) compute the MAC over the image and tell the `event`;
    ("activate", time) install it at this time (type I, or image.AT_ONCE) and tell the `event`; after a power cut it is
    asked for again, so it must be able to find out that it is done;
    ("persist",) store `export()` before what follows; ("respond", body) of CI C1 or C2; ("error", application error code).
    `due_us` is when `tick` wants to be called, or None.
    """

    def __init__(self, max_bytes, max_blocks=4096, max_block_bytes=240, secured=image.SECURED):
        self.max_bytes = max_bytes
        self.max_blocks = max_blocks
        self.max_block_bytes = max_block_bytes
        self.secured = secured
        self.state = image.IDLE
        self.due_us = None
        self.image_id = bytes(image.ID_BYTES)
        self._forget()

    def _forget(self):
        self.size = 0
        self.block_size = 0
        self.mac = b""
        self.time = image.AT_ONCE
        self._received = bytearray()

    # --- the three doors ---

    def feed(self, body, now_us, secured=False):
        """A command (body of CI C0 or C7, or out of a secured container): list of actions, answer or error included."""
        try:
            message = image.parse(body)
        except ApplicationError as error:
            code = error_codes.PARAMETER if error.position else error_codes.NO_FUNCTION
            return [("error", code)]
        if message.function & image.RESPONSE or message.function == image.SYNCHRONISE:
            return [("error", error_codes.NO_FUNCTION)]
        if message.function in self.secured and not secured:
            return [("error", error_codes.TOO_WEAK)]
        event = self._event(message)
        if (self.state, event) not in TABLE:
            return [("error", error_codes.NOT_FINISHED)]
        code = self._check(message)
        if code is not None:
            return [("error", code)]
        if message.function == image.PREPARE:
            self._prepare(message.values)
        elif message.function == image.ACTIVATE:
            self.time = message.values["time"]
        actions = self._step(event, now_us, message.values)
        actions.append(("respond", self._response(message)))
        return actions

    def event(self, event, now_us):
        """What became of an action: "verifying" (begun, optional), "verified", "not verified"; "activating" (begun; to be
        told when the time has come), "activated", "not activated". Returns actions; MisuseError if it does not fit the state.
        """
        if event not in _TOLD or (self.state, event) not in TABLE:
            raise MisuseError("%s does not fit state %s" % (event, image.STATE_NAMES[self.state]))
        return self._step(event, now_us, None)

    def tick(self, now_us):
        """Time has passed: list of actions."""
        if self.due_us is None or now_us < self.due_us:
            return []
        return self._step("time-out", now_us, None)

    # --- power cuts ---

    def export(self):
        """The state as plain data (numbers and hex text)."""
        return {
            "state": self.state,
            "image_id": self.image_id.hex(),
            "size": self.size,
            "block_size": self.block_size,
            "mac": self.mac.hex() if self.mac else "",
            "time": self.time.hex(),
            "received": self._received.hex() if self._received else "",
        }

    def restart(self, exported, now_us):
        """Go on where `export` was made, after a power cut: list of actions. Time-outs begin anew.

        Raises StoreError for what cannot have been exported; the object is then of no use.
        """
        try:
            self.state = exported["state"]
            self.image_id = bytes.fromhex(exported["image_id"])
            self.size = exported["size"]
            self.block_size = exported["block_size"]
            self.mac = bytes.fromhex(exported["mac"])
            self.time = bytes.fromhex(exported["time"])
            self._received = bytearray(bytes.fromhex(exported["received"]))
            blocks = image.blocks(self.size, self.block_size) if self.size else 0
            good = (
                isinstance(self.size, int)
                and isinstance(self.block_size, int)
                and self.block_size >= 0
                and len(self.image_id) == image.ID_BYTES
                and len(self.mac) in (0, image.MAC_BYTES)
                and len(self.time) == len(image.AT_ONCE)
                and len(self._received) == (blocks + 7) // 8
                and (self.state, "restart") in TABLE
            )
        except (KeyError, TypeError, ValueError, ZeroDivisionError):
            good = False
        if not good:
            raise StoreError("the stored state of the image transfer is damaged")
        return self._step("restart", now_us, None)

    # --- within ---

    def _event(self, message):
        """The table's event of a command."""
        function = message.function
        if function == image.COMPLETION:
            return "incomplete" if self._missing_count() else "complete"
        if function == image.ACTIVATE and message.values["time"] != image.AT_ONCE:
            return "schedule"
        if function == image.TERMINATE and message.values["scope"] == image.TRANSFER_ONLY:
            return "terminate transfer"
        return message.name

    def _check(self, message):
        """None, or the application error code of a command with wrong values."""
        values = message.values
        if message.function == image.PREPARE:
            return self._check_prepare(values)
        if message.function == image.STATE:
            return None
        if values["image_id"] != self.image_id:
            return error_codes.PARAMETER
        if message.function == image.TERMINATE and values["scope"] > image.WHOLE:
            return error_codes.PARAMETER
        if message.function == image.TRANSFER:
            left = self.size - values["block"] * self.block_size
            if left <= 0:
                return error_codes.PARAMETER
            if len(values["data"]) != min(left, self.block_size):
                return error_codes.SIZE
        return None

    def _check_prepare(self, values):
        if values["mac_algorithm"] != image.MAC_ALGORITHM:
            return error_codes.MECHANISM
        if values["key_id"] != image.MAC_KEY_ID:
            return error_codes.PARAMETER
        size, block_size = values["size"], values["block_size"]
        if not 0 < size <= self.max_bytes or not 0 < block_size <= self.max_block_bytes:
            return error_codes.SIZE
        return error_codes.SIZE if image.blocks(size, block_size) > self.max_blocks else None

    def _prepare(self, values):
        self.image_id = values["image_id"]
        self.size = values["size"]
        self.block_size = values["block_size"]
        self.mac = values["mac"]
        self.time = image.AT_ONCE
        self._received = bytearray((image.blocks(self.size, self.block_size) + 7) // 8)

    def _step(self, event, now_us, values):
        state, action, timer_us = TABLE[(self.state, event)]
        before = self.state
        self.state = state or before
        if timer_us != SAME:
            self.due_us = None if timer_us == NEVER else now_us + timer_us
        actions = []
        if action == "write":  # before "persist": what is stored as received has been written
            block = values["block"]
            bit = 1 << (block & 7)
            if not self._received[block >> 3] & bit:  # a repeated block is not written twice
                self._received[block >> 3] |= bit
                actions.append(("write", block * self.block_size, values["data"]))
            elif before == self.state:
                return actions
        elif action == "clear":
            self._forget()
        elif event == "terminate transfer":
            self._received = bytearray(len(self._received))
        if event != "state":
            actions.append(("persist",))
        # Behind "persist": after a power cut in between it is done again, and what is gone is never taken for an image.
        if action == "erase":
            actions.append(("erase", self.size))
        elif action == "clear":
            actions.append(("clear",))
        elif action == "verify":
            actions.append(("verify", self.size, image.MAC_ALGORITHM, image.MAC_KEY_ID, self.mac))
        elif action == "activate":
            actions.append(("activate", self.time))
        return actions

    def missing(self, most=image.LISTED):
        """Numbers of the blocks that were not received, the first `most` of them."""
        out = []
        for block in range(image.blocks(self.size, self.block_size) if self.size else 0):
            if not self._received[block >> 3] >> (block & 7) & 1:
                out.append(block)
                if len(out) == most:
                    break
        return out

    def _missing_count(self):
        count = 0
        for byte in self._received:
            while byte:
                count += byte & 1
                byte >>= 1
        return (image.blocks(self.size, self.block_size) if self.size else 0) - count

    def _response(self, message):
        function = message.function
        code = function | image.RESPONSE
        if function == image.TRANSFER:
            return image.build(code, image_id=self.image_id, state=self.state, block=message.values["block"])
        if function == image.COMPLETION:
            return image.build(
                code,
                image_id=self.image_id,
                state=self.state,
                missing=self._missing_count(),
                blocks=self.missing(),
            )
        return image.build(code, image_id=self.image_id, state=self.state)
