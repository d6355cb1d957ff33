"""Image transfer in the gateway: brings an image into a meter, in whatever state the meter is (OMS Vol.2 Annex M UC-05; sheet
oms-requirements 14.12). One table, driven by what the meter says of its own state.

After an interruption or a power cut the gateway asks for the meter's state and goes on from there. How often it tries is ours.
"""

from ..errors import ApplicationError, MisuseError, StoreError
from . import error_codes, image

ANSWER_US = 255 * 1000000  # command time-out (OMS)
POLL_US = 30 * 1000000
SLOW_POLL_US = 3600 * 1000000  # while the meter waits for the time of activation
TRIES = 3
SETBACKS = 100  # refusals, new beginnings and steps back before it gives up

NEVER = 0  # timer of the table

# Those in which a command is under way.
_BUSY = (
    "preparing",
    "transferring",
    "completing",
    "validating",
    "activating",
    "terminating",
    "asking",
)

# Rows: states, event, next state ("": the same), action, timer in microseconds. Events are what the meter's state means to
# us (_MEANS), what happened to a command, and orders. Actions send the command of their name, or deliver a word to the user.
ROWS = (
    (("idle", "failed", "terminated"), "start", "preparing", "prepare", ANSWER_US),
    (_BUSY, "open", "transferring", "transfer", ANSWER_US),
    (_BUSY, "cleared", "transferring", "transfer", ANSWER_US),
    (_BUSY, "gaps", "transferring", "transfer", ANSWER_US),
    (_BUSY, "sent", "completing", "completion", ANSWER_US),
    (_BUSY, "complete", "validating", "validate", ANSWER_US),
    (_BUSY, "checking", "waiting", None, POLL_US),
    (_BUSY, "valid", "ready", "validated", NEVER),
    (_BUSY, "ordered", "activating", "activate", ANSWER_US),
    (("ready",), "ordered", "activating", "activate", ANSWER_US),
    (_BUSY, "installing", "waiting", None, POLL_US),
    (_BUSY, "scheduled", "waiting", None, SLOW_POLL_US),
    (_BUSY, "installed", "done", "activated", NEVER),
    (_BUSY, "lapsed", "preparing", "prepare", ANSWER_US),
    (_BUSY, "invalid", "failed", "validation failed", NEVER),
    (_BUSY, "not installed", "failed", "activation failed", NEVER),
    (_BUSY, "failed", "failed", "refused", NEVER),
    (_BUSY, "terminated", "terminated", "terminated", NEVER),
    (_BUSY, "refused", "asking", "state", ANSWER_US),
    (_BUSY, "busy", "waiting", None, POLL_US),
    (_BUSY, "silence", "", "again", ANSWER_US),
    (_BUSY, "lost", "suspended", "suspended", NEVER),
    (_BUSY + ("waiting",), "interrupt", "suspended", "suspended", NEVER),
    (("waiting",), "silence", "asking", "state", ANSWER_US),
    (_BUSY + ("waiting", "ready", "suspended"), "cancel", "terminating", "terminate", ANSWER_US),
    (("suspended", "ready"), "resume", "asking", "state", ANSWER_US),
)
TABLE = {(state, row[1]): row[2:] for row in ROWS for state in row[0]}

_STATES = _BUSY + ("idle", "waiting", "ready", "suspended", "done", "failed", "terminated")

_MEANS = {
    image.INITIATED: "open",
    image.TRANSFER_ACTIVE: "open",
    image.TRANSFER_TERMINATED: "cleared",
    image.TRANSFER_SUCCESSFUL: "complete",
    image.TRANSFER_FAILED: "gaps",
    image.VALIDATION_INITIATED: "checking",
    image.VALIDATION_ACTIVE: "checking",
    image.VALIDATION_SUCCESSFUL: "valid",
    image.VALIDATION_FAILED: "invalid",
    image.ACTIVATION_INITIATED: "installing",
    image.ACTIVATED: "installed",
    image.ACTIVATION_FAILED: "not installed",
    image.TERMINATED: "terminated",
    image.IDLE: "lapsed",
}
_COMMANDS = {
    "prepare": image.PREPARE,
    "transfer": image.TRANSFER,
    "completion": image.COMPLETION,
    "state": image.STATE,
    "validate": image.VALIDATE,
    "activate": image.ACTIVATE,
    "terminate": image.TERMINATE,
}
# Errors that asking for the state may help against; with any other the meter does not want this image.
_PASSING = (error_codes.NOT_FINISHED, error_codes.PARAMETER, error_codes.UNSPECIFIED)


class Gateway:
    """The gateway's side of an image transfer to one meter (gateway.py is another matter: what a gateway makes of values).

    source: function (offset, length) that returns bytes of the image. size: of the image in bytes. image_id: image.ID_BYTES
    bytes. mac: image.MAC_BYTES bytes over the image. block_size: bytes of a block.

    The doors are start, answer, acknowledged, error, busy, tick, activate, terminate, interrupt and resume. Each returns a list
    of actions: ("send", body, secured): a command body for CI C0, or into a secured container; ("persist",): store
    `export()`; ("deliver", word): "validated" (now `activate` may be called), "activated", "terminated", "suspended" (the meter
    does not answer; `resume` when it may), "validation failed", "activation failed", "refused". `state` is a word of the
    table and tells the same after a power cut; `due_us` is when `tick` wants to be called, or None.
    """

    def __init__(self, source, size, image_id, mac, block_size=image.BLOCK_BYTES):
        if not 0 < size < 1 << 32 or not 0 < block_size < 1 << 16 or image.blocks(size, block_size) > 1 << 16:
            raise MisuseError("no such size of image or block")
        self.source = source
        self.size = size
        self.image_id = bytes(image_id)
        self.mac = bytes(mac)
        self.block_size = block_size
        self.count = image.blocks(size, block_size)
        self.state = "idle"
        self.due_us = None
        self.time = None  # when to activate, once that was ordered
        self._cancelled = False
        self._installing = False  # the meter has accepted the activation
        self._next = 0  # first block that was never sent
        self._missing = []  # blocks to be sent again
        self._gaps = 1 << 16  # how many the meter missed when it was asked last
        self._setbacks = 0
        self._tries = 0
        self._command = None

    # --- orders ---

    def start(self, now_us):
        """Begin, or begin again after a failure. MisuseError if it is under way."""
        self._begin()
        self._setbacks = 0
        return self._step("start", now_us)

    def activate(self, now_us, time=image.AT_ONCE):
        """Install the validated image at once or at a time (type I, six bytes). MisuseError if it is not validated."""
        if len(time) != 6 or self.state != "ready":
            raise MisuseError("only a validated image is activated, at a time of type I")
        self.time = bytes(time)
        return self._step("ordered", now_us)

    def terminate(self, now_us):
        """Give the whole process up. MisuseError if none is under way."""
        actions = self._step("cancel", now_us)
        self._cancelled = True
        return actions

    def interrupt(self, now_us):
        """Stop for now; `resume` goes on. MisuseError if nothing is under way."""
        return self._step("interrupt", now_us)

    def resume(self, now_us):
        """Go on after an interruption or a power cut: asks the meter how far it is. MisuseError if not interrupted."""
        return self._step("resume", now_us)

    # --- what comes from the meter ---

    def answer(self, body, now_us):
        """A response (body of CI C1 or C2); one that does not belong to the last command is ignored."""
        try:
            message = image.parse(body)
        except ApplicationError:
            return []
        if self._command is None or message.function != self._command | image.RESPONSE:
            return []
        values = message.values
        if "state" not in values:
            return []
        if values["image_id"] != self.image_id:
            # Only what is asked in any state is answered about another image: ours is gone.
            if message.function & 0x7F != image.STATE:
                return []
            self._installing = False
            return self._said("lapsed", now_us)
        if message.function & 0x7F == image.TRANSFER:
            if values["block"] != self._block():
                return []
            self._took()
        fewer = False
        if message.function & 0x7F == image.COMPLETION and values["state"] == image.TRANSFER_FAILED:
            self._missing = [block for block in values["blocks"] if block < self.count][: image.LISTED]
            fewer = values["missing"] < self._gaps
            self._gaps = values["missing"]
        return self._said(_MEANS.get(values["state"], "refused"), now_us, fewer)

    def acknowledged(self, block, now_us):
        """The link acknowledged a block, status without error."""
        if self._command != image.TRANSFER or self.state != "transferring" or block != self._block():
            return []
        self._took()
        return self._said("open", now_us)

    def error(self, code, now_us):
        """An application error instead of a response."""
        if self._command is None:
            return []
        if code == error_codes.BUSY:
            return self.busy(now_us)
        return self._said("refused" if code in _PASSING else "failed", now_us)

    def busy(self, now_us):
        """The meter is busy: asked again later."""
        return [] if self._command is None else self._step("busy", now_us)

    def tick(self, now_us):
        """Time has passed: list of actions."""
        if self.due_us is None or now_us < self.due_us:
            return []
        self._tries += 1
        return self._step("lost" if self._tries >= TRIES and self.state != "waiting" else "silence", now_us)

    @property
    def block(self):
        """Number of the block that was sent last, for `acknowledged`."""
        return self._block()

    # --- power cuts ---

    def export(self):
        """The state as plain data. The image itself, its identifier and MAC are handed over anew."""
        return {
            "state": self.state,
            "image_id": self.image_id.hex(),
            "time": self.time.hex() if self.time else "",
            "cancelled": int(self._cancelled),
            "installing": int(self._installing),
            "next": self._next,
            "missing": list(self._missing),
            "setbacks": self._setbacks,
        }

    def restart(self, exported):
        """Take over what `export` gave before a power cut; `resume` then goes on where there is something to go on with.

        Raises StoreError if it is damaged or of another image; the object is then of no use.
        """
        try:
            state = exported["state"]
            good = exported["image_id"] == self.image_id.hex() and state in _STATES
            self.time = bytes.fromhex(exported["time"]) or None
            self._cancelled = exported["cancelled"] == 1
            self._installing = exported["installing"] == 1
            self._next = min(exported["next"], self.count)
            self._missing = [block for block in exported["missing"] if 0 <= block < self.count][
                : image.LISTED
            ]
            self._setbacks = exported["setbacks"]
            numbers = [self._next, self._setbacks] + self._missing
            good = good and all([isinstance(number, int) and number >= 0 for number in numbers])
            good = good and (self.time is None or len(self.time) == len(image.AT_ONCE))
        except (KeyError, TypeError, ValueError):
            good = False
        if not good:
            raise StoreError("the stored state of the image transfer is damaged or of another image")
        self.state = "suspended" if state in _BUSY or state == "waiting" else state
        self.due_us = None
        self._command = None

    # --- within ---

    def _begin(self):
        self._next = 0
        self._missing = []
        self._gaps = 1 << 16
        self._installing = False
        self._cancelled = False
        self.time = None

    def _block(self):
        """The block to be sent: those for the first time first, then missing ones; behind all, the last once more."""
        if self._next < self.count:
            return self._next
        return self._missing[0] if self._missing else self.count - 1

    def _took(self):
        if self._next < self.count:
            self._next += 1
        elif self._missing:
            self._missing.pop(0)

    def _said(self, word, now_us, forward=False):
        """The event of what the meter said, as what was ordered and sent makes it. forward: it is more than it had before."""
        if word == "gaps" and self._command == image.TRANSFER:
            word = "open"  # which they are, it says behind the last block
        if self._cancelled and word not in ("terminated", "lapsed", "failed"):
            word = "cancel"
        elif word == "lapsed":
            # OMS: a successful activation may end in idle too.
            word = "terminated" if self._cancelled else "installed" if self._installing else word
        elif word == "open" and self._next == self.count and not self._missing:
            word = "sent"
        elif word == "valid" and self.time is not None:
            word = "ordered"
        if word in ("lapsed", "cleared"):
            self._next = 0
            self._missing = []
            self._gaps = 1 << 16
        elif word == "installing":
            self._installing = True
            if self.time not in (None, image.AT_ONCE):
                word = "scheduled"
        if word in ("lapsed", "refused", "cancel", "cleared") or not forward and self._back(word):
            self._setbacks += 1
            if self._setbacks > SETBACKS:
                word = "failed"
        if (self.state, word) not in TABLE:
            return []
        return self._step(word, now_us)

    def _back(self, word):
        """Whether the command that follows is not behind the last one, in the order in which an image is brought."""
        row = TABLE.get((self.state, word))
        command = _COMMANDS.get(row[1]) if row else None
        if command is None or self._command is None or image.STATE in (command, self._command):
            return False
        return command <= self._command and not command == self._command == image.TRANSFER

    def _step(self, event, now_us):
        if (self.state, event) not in TABLE:
            raise MisuseError("%s does not fit state %s" % (event, self.state))
        state, action, timer_us = TABLE[(self.state, event)]
        self.state = state or self.state
        self.due_us = None if timer_us == NEVER else now_us + timer_us
        if action == "again":
            return [("send", self._body(self._command), self._command in image.SECURED)]
        self._tries = 0
        self._command = _COMMANDS.get(action)
        actions = [("persist",)]
        if self._command is not None:
            actions.append(("send", self._body(self._command), self._command in image.SECURED))
        elif action is not None:
            actions.append(("deliver", action))
        return actions

    def _body(self, function):
        if function == image.PREPARE:
            return image.build(
                function,
                image_id=self.image_id,
                size=self.size,
                block_size=self.block_size,
                mac_algorithm=image.MAC_ALGORITHM,
                key_id=image.MAC_KEY_ID,
                mac=self.mac,
            )
        if function == image.TRANSFER:
            block = self._block()
            offset = block * self.block_size
            data = self.source(offset, min(self.block_size, self.size - offset))
            return image.build(function, image_id=self.image_id, block=block, data=data)
        if function == image.ACTIVATE:
            return image.build(function, image_id=self.image_id, time=self.time)
        if function == image.TERMINATE:
            return image.build(function, image_id=self.image_id, scope=image.WHOLE)
        return image.build(function, image_id=self.image_id)
