"""The systemd unit of a role: started when the radio answers, restarted when it does not, and allowed next to nothing."""

PROGRAM = "/opt/omsnode/current/bin/omsnode"
CONFIGURATION = "/etc/omsnode"
KEYS = CONFIGURATION + "/keys"
STATE = "omsnode"  # below /var/lib

# Not here: MemoryDenyWriteExecute, because ctypes (under pycryptodome) may need such memory; PrivateDevices, because
# the radio is a device; ProcSubset, because rpi-lgpio looks for the model of the Pi in /proc.
_UNIT = """\
# Written by `omsnode flash`, which will write it again: put changes into a drop-in (systemctl edit {name}).
[Unit]
Description=omsnode {role}: radio node for the Open Metering System
After=time-sync.target
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=main
ExecStart={command}
Restart=always
RestartSec=10
TimeoutStartSec=60
# fed only while the radio is alive
WatchdogSec=60

# A FIFO of the radio is full after 5 ms: nothing else may go first
CPUSchedulingPolicy=fifo
CPUSchedulingPriority=50

DynamicUser=yes
User=omsnode
SupplementaryGroups=spi gpio
StateDirectory={state}
StateDirectoryMode=0700
Environment=XDG_STATE_HOME=/var/lib
UMask=0077

DevicePolicy=closed
DeviceAllow=char-spi rw
DeviceAllow=char-gpiochip rw
NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
ProtectSystem=strict
ProtectHome=yes
ProtectProc=invisible
ProtectClock=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectControlGroups=yes
PrivateTmp=yes
PrivateNetwork=yes
RestrictAddressFamilies=AF_UNIX
IPAddressDeny=any
RestrictNamespaces=yes
RestrictSUIDSGID=yes
RestrictRealtime=yes
LockPersonality=yes
RemoveIPC=yes
KeyringMode=private
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged
SystemCallErrorNumber=EPERM

[Install]
WantedBy=multi-user.target
"""

ROLES = {
    "collector": PROGRAM + " collect{hat} --config " + CONFIGURATION + "/collector.toml",
    "meter": PROGRAM + " meter{hat} " + CONFIGURATION + "/meter.toml",
    "repeater": PROGRAM + " repeat{hat} --config " + CONFIGURATION + "/repeater.toml",
}


def name(role):
    return "omsnode-{}.service".format(role)


def path(role):
    return "/etc/systemd/system/" + name(role)


def text(role, hat=None):
    """The unit file. role: of ROLES. hat: name of a row of board/hats.py, None: the configuration names it."""
    hat = " --hat " + hat if hat else ""
    return _UNIT.format(name=name(role), role=role, state=STATE, command=ROLES[role].format(hat=hat))


def credentials(names):
    """The drop-in that hands keys to the service. names: of files in keys/."""
    lines = ["LoadCredential={0}:{1}/{0}".format(name, KEYS) for name in sorted(names)]
    return "\n".join(["# Written by `omsnode flash`.", "[Service]", *lines, ""])
