"""The plans: what is done to a Raspberry Pi, in which order. Slow steps that may fail come while the old version still runs.

/opt/omsnode/<id>          a venv per version; `current` is a link to the one in use
/etc/omsnode               configuration, readable; keys/, root only, handed to the service as credentials
/var/lib/omsnode           state of the service, kept by upgrades and by --remove
config.txt                 a block of ours between two comments
"""

import shlex

from . import unit
from .steps import ASIDE, REPORT, step, write

_OPT = "/opt/omsnode"
_CURRENT = _OPT + "/current"
_RULES = "/etc/udev/rules.d/60-omsnode.rules"
_REBOOT = "/run/omsnode-reboot"  # gone after a restart of the machine, as it should be

_UDEV = """\
# Written by `omsnode flash`: the service is in these groups. Raspberry Pi OS has the same rules of its own.
SUBSYSTEM=="spidev", GROUP="spi", MODE="0660"
SUBSYSTEM=="gpio", KERNEL=="gpiochip*", GROUP="gpio", MODE="0660"
"""

_CONFIG_TXT = "f=/boot/firmware/config.txt; [ -f $f ] || f=/boot/config.txt\n"
# What else may sit on these pins (boards sheet 1: SPI1 and the PCM clock of I2S).
_SPI1_PINS = {16, 17, 18, 19, 20, 21}
_LINES = ("dio1", "busy", "reset", "txen", "rxen", "cs", "gdo0", "gdo2")


def install(role, rows, package, files, credentials, keep=False, hat=None):
    """The steps that install or upgrade a role.

    role: of unit.ROLES. rows: of board/hats.py, one per radio. package: a Package. files: {path below /etc/omsnode: (text, is a key)}.
    credentials: names of the files in keys/ that the service gets. keep: if there is a configuration already it stays, and
    its keys. hat: name for the command line, None: the configuration names it."""
    name = unit.name(role)
    release = _OPT + "/" + package.id
    return [
        step(
            "systemd is there",
            "[ -d /run/systemd/system ]",
            hint="this machine does not run systemd: start `omsnode` there by hand",
        ),
        step(
            "Python is new enough",
            "python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))'",
            hint="Python 3.11 is needed: Raspberry Pi OS from 2023 on (Debian 12, Bookworm) has it",
        ),
        step(
            "packages of the system: python3-venv python3-dev gcc",
            "apt-get update -qq\nDEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv python3-dev gcc",
            unless="command -v gcc && python3 -c 'import venv, ensurepip, os, sysconfig, sys; "
            'sys.exit(not os.path.exists(sysconfig.get_path("include") + "/Python.h"))\'',
            hint="is this machine in the network? Then: sudo apt install python3-venv python3-dev gcc",
        ),
        *package.steps(release),
        *(_group(one) for one in ("spi", "gpio")),
        write("rules for the devices", _RULES, _UDEV),
        step(
            "devices follow the rules",
            "udevadm control --reload\nudevadm trigger --subsystem-match=spidev --subsystem-match=gpio",
            kind=ASIDE,
        ),
        *_boot(role, rows),
        step("folder for keys", "mkdir -p {0}; chmod 700 {0}".format(unit.KEYS)),
        *_configuration(role, files, credentials, keep),
        write("unit " + name, unit.path(role), unit.text(role, hat)),
        *(_stop(role) for role in unit.ROLES),
        step(
            "this version is the current one",
            "ln -sfn {0} {1}.new; mv -Tf {1}.new {1}".format(package.id, _CURRENT),
            unless='[ "$(readlink {})" = {} ]'.format(_CURRENT, package.id),
        ),
        step("systemd reads the unit", "systemctl daemon-reload\nsystemctl enable -q " + name),
        *(_self_test(row) for row in rows),
        step(
            "start " + name,
            "if [ -e {} ]; then echo 'note: reboot the machine now (sudo reboot): the boot settings for SPI are new. "
            "{} then starts by itself; run this again to have the radio tested.'\n"
            "else systemctl restart {}; fi".format(_REBOOT, name, name),
            hint="why: sudo journalctl -u {0} -n 20; it goes on trying (systemctl status {0})".format(name),
            kind=REPORT,
        ),
        *(_start_other(one) for one in unit.ROLES if one != role),
        step(
            "older versions go",
            "for d in {0}/*/; do [ $d = {1}/ ] || [ $d = {2}/ ] || rm -rf $d; done".format(
                _OPT, _CURRENT, release
            ),
            kind=ASIDE,
        ),
    ]


def remove(purge=False):
    """The steps that remove everything; configuration, keys and state only with purge."""
    steps = []
    for role in unit.ROLES:
        name = unit.name(role)
        steps += [
            step(
                "stop and remove " + name,
                "systemctl disable -q --now {0}\nrm -rf {1} {1}.d".format(name, unit.path(role)),
                unless="[ ! -e {} ]".format(unit.path(role)),
            ),
            _block(role, None),
        ]
    steps.append(step("systemd forgets them", "systemctl daemon-reload"))
    steps.append(step("the program goes", "rm -rf {} {}".format(_OPT, _RULES)))
    kept = "{} /var/lib/{} /var/lib/private/{}".format(unit.CONFIGURATION, unit.STATE, unit.STATE)
    if purge:
        steps.append(step("configuration, keys and state go", "rm -rf " + kept))
    else:
        note = "configuration, keys and counters stay in {} and /var/lib/{}; --purge removes them too".format(
            unit.CONFIGURATION, unit.STATE
        )
        steps.append(
            step("configuration, keys and state stay", "echo {}".format(shlex.quote("note: " + note)))
        )
    return steps


class Package:
    """What pip installs. id: of a version, the name of its folder. spec: for pip, or data: a wheel named name."""

    def __init__(self, id, spec="", name="", data=b""):
        self.id = id
        self.spec = spec
        self.name = name
        self.data = data

    def steps(self, release):
        done = "[ -e {0}/.complete ] && {0}/bin/omsnode --help >/dev/null 2>&1".format(release)
        spec, steps = self.spec, []
        if self.data:
            spec = "{}/wheels/{}".format(_OPT, self.name)
            what = "the program, {} KB".format(len(self.data) // 1024)
            steps.append(write(what, spec, self.data, keep=done))
            spec += "[pi]"
        script = (
            "rm -rf {0}\npython3 -m venv {0}\n"
            "{0}/bin/python -m pip install --quiet --disable-pip-version-check {1}\n"
            "{0}/bin/omsnode --help >/dev/null\ntouch {0}/.complete"
        ).format(release, shlex.quote(spec))
        hint = "is this machine in the network (pip fetches libraries), and is there room on its disk? What ran before goes on"
        steps.append(step("a Python environment for it (some minutes)", script, unless=done, hint=hint))
        return steps


def overlays(rows):
    """The lines of config.txt for chip selects that are not the usual GPIOs (boards sheet 4): one per controller."""
    lines = []
    for bus in sorted({row.spi_bus for row in rows}):
        pins = {row.spi_dev: row.cs for row in rows if row.spi_bus == bus}
        moved = ["cs{}_pin={}".format(device, pin) for device, pin in sorted(pins.items()) if pin is not None]
        if moved or bus:
            lines.append(",".join(["dtoverlay=spi{}-{}cs".format(bus, max(pins) + 1), *moved]))
    return lines


def _boot(role, rows):
    lines = overlays(rows)
    steps = [_block(role, ["[all]", "dtparam=spi=on", *lines])]
    used = {getattr(row, line) for row in rows if row.spi_bus == 0 for line in _LINES}
    if used & _SPI1_PINS:
        steps.append(
            step(
                "nothing else uses its pins",
                _CONFIG_TXT + "if grep -qsE '^(dtoverlay=spi1|dtparam=i2s=on)' $f; then echo "
                '"note: $f switches on SPI1 or I2S, whose pins this HAT uses: take that line out"; fi',
                kind=ASIDE,
            )
        )
    if not lines:
        devices = ["[ -e /dev/spidev{}.{} ]".format(row.spi_bus, row.spi_dev) for row in rows]
        steps.append(
            step(
                "SPI at once",
                "dtparam spi=on || true\nfor i in 1 2 3 4 5; do {0} || sleep 0.2; done\n"
                "if {0}; then rm -f {1}; fi".format(" && ".join(devices), _REBOOT),
                unless="[ ! -e {} ]".format(_REBOOT),
                kind=ASIDE,
            )
        )
    return steps


def _block(role, lines):
    """Our block at the end of config.txt; lines: None to take it out."""
    marks = ["# omsnode {}: {}".format(role, word) for word in ("begin", "end")]
    text = "" if lines is None else "\n".join([marks[0], *lines, marks[1], ""])
    script = (
        _CONFIG_TXT
        + "if [ ! -f $f ]; then cat >/dev/null; {0}; exit 0; fi\n"
        + "{{ sed -e '/^{1}$/,/^{2}$/d' -e '$a\\' $f; cat; }} > $f.new\n"
        + "if cmp -s $f $f.new; then rm $f.new; else sync $f.new; mv -f $f.new $f; {3}; fi"
    ).format(
        ":"
        if lines is None
        else "echo 'note: there is no config.txt: switch on SPI as it is done on this machine'",
        *marks,
        ":" if lines is None else "touch " + _REBOOT,
    )
    what = "boot settings for SPI" if lines else "boot settings of the {} go".format(role)
    return step(what, script, text.encode(), hint="is the boot partition mounted, and can it be written?")


def _group(name):
    return step("group " + name, "groupadd --system " + name, unless="getent group " + name)


def _configuration(role, files, credentials, keep):
    """The configuration is last: if it is there, all of it is."""
    there = "[ -e {}/{}.toml ]".format(unit.CONFIGURATION, role) if keep else ""
    steps = []
    for path, (text, is_key) in sorted(files.items(), key=lambda item: (not item[1][1], item[0])):
        whole = "{}/{}".format(unit.CONFIGURATION, path)
        if is_key:
            own = "{} || [ -e {} ]".format(there, whole) if keep else ""  # its half-finished predecessor
            steps.append(write("key " + path, whole, text, mode="600", keep=own, secret=True))
        else:
            drop_in = unit.path(role) + ".d/keys.conf"
            steps.append(write("keys for the service", drop_in, unit.credentials(credentials), keep=there))
            steps.append(write("configuration " + path, whole, text, keep=there))
    return steps


def _stop(role):
    name = unit.name(role)
    there = "[ ! -e {} ]".format(unit.path(role))
    return step("stop " + name, "systemctl stop " + name, unless=there, undo="systemctl start " + name)


def _start_other(role):
    """It was stopped because it runs the same program."""
    name = unit.name(role)
    script = "[ -e {} ] || systemctl start {}".format(_REBOOT, name)
    return step("start " + name, script, unless="! systemctl is-enabled -q " + name, kind=ASIDE)


def _self_test(hat):
    script = (
        "if [ -e {0} ]; then echo 'not before the machine was rebooted'; exit 0; fi\n"
        "if {1} selftest --help >/dev/null 2>&1; then {1} selftest --hat {2}\n"
        "else echo 'this version has no self-test'; fi"
    ).format(_REBOOT, unit.PROGRAM, shlex.quote(hat.name))
    return step("self-test of " + hat.name, script, hint="see above what is wrong", kind=REPORT)
