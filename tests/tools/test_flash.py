"""`omsnode flash` on a Pi in a folder: what is there afterwards, twice, upgraded, removed, and broken off anywhere."""

import pathlib
import re
import shutil
import subprocess
import sys
import zipfile

import pytest
from omsnode.board import hats
from omsnode.firmware.host import config
from omsnode.tools.flash import plan, unit, wheel
from support_pi import Pi

KEY = "0102030405060708090A0B0C0D0E0F11"
MARK = "# omsnode collector: begin"


@pytest.fixture(scope="session")
def packages(tmp_path_factory):
    """Two wheels of different contents."""
    folder = tmp_path_factory.mktemp("wheels")
    paths = []
    for version in ("1", "2"):
        path = folder / version / "omsnode-0.1.0-py3-none-any.whl"
        path.parent.mkdir()
        with zipfile.ZipFile(path, "w") as out:
            out.writestr("omsnode/version.txt", version)
        paths.append(path)
    return paths


@pytest.fixture
def machine(request, tmp_path, packages):
    """(Pi, function that runs `omsnode flash` on it)."""
    pi = Pi(tmp_path)
    where = [getattr(request, "param", "--local")]

    def flash(*arguments, package=packages[0]):
        given = [] if "--remove" in arguments else ["--package", str(package)]
        command = [sys.executable, "-m", "omsnode.tools.cli", "flash", *where, *given, *arguments]
        done = subprocess.run(
            command, env=pi.environment, cwd=tmp_path, capture_output=True, text=True, timeout=120
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done

    return pi, flash


BOTH_WAYS = pytest.mark.parametrize("machine", ["--local", "pi@there"], ids=["local", "ssh"], indirect=True)
COLLECTOR = ("--hat", "cc1101-spi0", "--role", "collector")


@BOTH_WAYS
def test_a_collector_from_nothing(machine):
    pi, flash = machine
    pi.set("spi-works")
    done = flash(*COLLECTOR)
    assert done.returncode == 0, done.stdout + done.stderr
    files = pi.files()
    release = files["/opt/omsnode/current"][1]
    assert pi.running("collector") == release
    assert files["/etc/systemd/system/omsnode-collector.service"] == (
        "644",
        unit.text("collector", "cc1101-spi0").encode(),
    )
    boot = files["/boot/firmware/config.txt"][1].decode()
    assert boot == (
        "# For more options see\ndtparam=audio=on\n\n[pi4]\narm_boost=1\n"
        "# omsnode collector: begin\n[all]\ndtparam=spi=on\n# omsnode collector: end\n"
    )
    assert "/run/omsnode-reboot" not in files  # dtparam switched SPI on at once
    assert 'GROUP="spi"' in files["/etc/udev/rules.d/60-omsnode.rules"][1].decode()
    log = pi.log()
    assert "groupadd --system spi" in log and "groupadd --system gpio" in log
    assert log.index("omsnode selftest --hat cc1101-spi0") < log.index(
        "systemctl restart omsnode-collector.service"
    )
    assert "systemctl enable -q omsnode-collector.service" in log
    assert "all right" in done.stdout
    assert not [name for name in files if name.endswith(".new")]
    config.load(pi.root / "etc/omsnode/collector.toml", "collector")


@BOTH_WAYS
def test_again_changes_nothing(machine):
    pi, flash = machine
    pi.set("spi-works")
    flash(*COLLECTOR)
    before = pi.files()
    pi.log()
    done = flash(*COLLECTOR)
    assert done.returncode == 0
    assert pi.files() == before
    assert not [line for line in pi.log() if line.startswith(("pip", "groupadd", "apt-get", "dtparam"))]


@BOTH_WAYS
def test_upgrade_keeps_configuration_and_state(machine, packages):
    pi, flash = machine
    pi.set("spi-works")
    flash(*COLLECTOR)
    old = pi.running("collector")
    state = pi.root / "var/lib/omsnode/collector-main.json"
    state.parent.mkdir(parents=True)
    state.write_text("{}")
    (pi.root / "etc/omsnode/collector.toml").write_text("# mine\n")
    assert flash(*COLLECTOR, package=packages[1]).returncode == 0
    new = pi.running("collector")
    assert new != old
    files = pi.files()
    assert files["/etc/omsnode/collector.toml"][1] == b"# mine\n"
    assert files["/var/lib/omsnode/collector-main.json"][1] == b"{}"
    assert not [name for name in files if name.startswith("/opt/omsnode/" + old)]


def test_a_hat_on_another_chip_select_wants_a_reboot(machine):
    pi, flash = machine
    pi.config_txt.write_text("dtoverlay=spi1-1cs\n")
    done = flash("--hat", "waveshare-lorawan-hat,tcxo_mv=1800", "--role", "collector")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "dtoverlay=spi0-1cs,cs0_pin=21\n" in pi.config_txt.read_text()
    assert "note: reboot the machine now" in done.stdout
    assert "SPI1 or I2S" in done.stdout
    assert pi.running("collector") is None
    log = pi.log()
    assert "systemctl enable -q omsnode-collector.service" in log
    assert not [line for line in log if "selftest --hat" in line]
    (pi.root / "run/omsnode-reboot").unlink()  # /run is empty then
    done = flash("--hat", "waveshare-lorawan-hat,tcxo_mv=1800", "--role", "collector")
    assert "reboot" not in done.stdout and pi.running("collector")
    assert "omsnode selftest --hat waveshare-lorawan-hat,tcxo_mv=1800" in pi.log()
    assert pi.config_txt.read_text().count(MARK) == 1


def test_old_boot_folder_and_none(machine):
    pi, flash = machine
    old = pi.root / "boot/config.txt"
    pi.config_txt.rename(old)
    flash(*COLLECTOR)
    assert MARK in old.read_text()
    old.unlink()
    done = flash(*COLLECTOR)
    assert done.returncode == 0 and "there is no config.txt" in done.stdout


def configuration(tmp_path):
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys/kitchen").write_text(KEY)
    (tmp_path / "own.toml").write_text(
        '[node]\nstate_dir = "state"  # here\n[radio.main]\nhat = "meshadv-mini"\n[[meter]]\nname = "k"\nid = "12345678"\n'
        'key = "@keys/kitchen"   # its key\n[[meter]]\nid = "87654321"\nkey = "kitchen"\n'
    )
    return "--config", str(tmp_path / "own.toml"), "--role", "collector"


@BOTH_WAYS
def test_the_users_configuration_and_its_keys(machine, tmp_path):
    pi, flash = machine
    done = flash(*configuration(tmp_path))
    assert done.returncode == 0, done.stderr
    files = pi.files()
    assert files["/etc/omsnode/keys/kitchen"] == ("600", KEY.encode() + b"\n")
    assert files["/etc/omsnode/keys/kitchen-2"][0] == "600"
    assert (pi.root / "etc/omsnode/keys").stat().st_mode & 0o777 == 0o700
    drop_in = files["/etc/systemd/system/omsnode-collector.service.d/keys.conf"][1].decode()
    assert "LoadCredential=kitchen:/etc/omsnode/keys/kitchen\n" in drop_in
    text = files["/etc/omsnode/collector.toml"][1].decode()
    assert 'state_dir = "/var/lib/omsnode"  # here' in text
    assert 'key = "@kitchen"   # its key' in text and 'key = "@kitchen-2"' in text
    assert "omsnode collect --config" in files["/etc/systemd/system/omsnode-collector.service"][1].decode()
    assert KEY not in done.stdout + done.stderr and KEY not in "\n".join(pi.log())
    # without --config what is there stays, keys too
    assert flash("--hat", "meshadv-mini", "--role", "collector").returncode == 0
    again = pi.files()
    assert (
        "--hat meshadv-mini --config"
        in again.pop("/etc/systemd/system/omsnode-collector.service")[1].decode()
    )
    files.pop("/etc/systemd/system/omsnode-collector.service")
    assert again == files


def test_the_service_finds_its_keys(machine, tmp_path, monkeypatch):
    pi, flash = machine
    flash(*configuration(tmp_path))
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(pi.root / "etc/omsnode/keys"))
    found = config.load(pi.root / "etc/omsnode/collector.toml", "collector")
    assert [one.key is not None for one in found.meters] == [True, True]
    assert set(found.source.found.values()) == {"credential"}


def test_a_meter_gets_a_key_of_its_own(machine, monkeypatch):
    pi, flash = machine
    pi.set("spi-works")
    done = flash("--hat", "cc1101-spi0", "--role", "meter")
    assert done.returncode == 0, done.stderr
    files = pi.files()
    key = files["/etc/omsnode/keys/test_meter.key"][1].decode().strip()
    assert re.fullmatch(r"[0-9a-f]{32}", key)
    shown = done.stdout + done.stderr + "\n".join(pi.log())
    assert key not in shown
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(pi.root / "etc/omsnode/keys"))
    device = config.load(pi.root / "etc/omsnode/meter.toml", "meter").meters[0]
    assert device.profile.key is not None
    assert flash("--hat", "cc1101-spi0", "--role", "meter").returncode == 0
    assert pi.files() == files


def test_a_repeater_gets_an_address_of_its_own(machine, tmp_path):
    pi, flash = machine
    pi.set("spi-works")
    done = flash("--hat", "cc1101-spi0", "--role", "repeater")
    assert done.returncode == 0, done.stderr
    assert pi.running("repeater") is not None
    found = config.load(pi.root / "etc/omsnode/repeater.toml", "repeater")
    assert found.repeater.device_type == 0x32 and found.radios[0].mode == "T+C"
    assert not list((pi.root / "etc/omsnode/keys").iterdir())
    started = pi.files()["/etc/systemd/system/omsnode-repeater.service"][1].decode()
    assert "omsnode repeat --hat cc1101-spi0 --config /etc/omsnode/repeater.toml\n" in started
    files = pi.files()
    assert flash("--hat", "cc1101-spi0", "--role", "repeater").returncode == 0
    assert pi.files() == files  # the address stays
    own = tmp_path / "own.toml"
    own.write_text(
        '[node]\nrole = "repeater"\nstate_dir = "here"\n[radio.main]\nhat = "meshadv-mini"\nmode = "S1"\n'
        '[repeater]\nid = "12345678.M=OMS.V=01.T=32"\n'
    )
    done = flash("--config", str(own), "--role", "repeater")
    assert done.returncode == 0, done.stderr
    found = config.load(pi.root / "etc/omsnode/repeater.toml", "repeater")
    assert str(found.repeater) == "12345678.M=OMS.V=01.T=32" and str(found.state_dir) == "/var/lib/omsnode"


def test_two_roles_on_one_pi(machine, packages):
    pi, flash = machine
    pi.set("spi-works")
    flash(*COLLECTOR)
    flash("--hat", "cc1101-spi0-second", "--role", "meter", package=packages[1])
    assert pi.running("collector") == pi.running("meter") is not None
    assert pi.config_txt.read_text().count("dtparam=spi=on") == 2


@BOTH_WAYS
def test_remove_keeps_what_only_the_user_has(machine):
    pi, flash = machine
    pi.set("spi-works")
    before = pi.config_txt.read_text()
    flash("--hat", "cc1101-spi0", "--role", "meter")
    (pi.root / "var/lib/omsnode").mkdir(parents=True)
    (pi.root / "var/lib/omsnode/meter.json").write_text("{}")
    done = flash("--remove")
    assert done.returncode == 0, done.stderr
    files = pi.files()
    assert not [name for name in files if name.startswith(("/opt", "/etc/systemd", "/etc/udev"))]
    assert files["/boot/firmware/config.txt"][1].decode() == before + "\n"
    assert {
        "/etc/omsnode/meter.toml",
        "/etc/omsnode/keys/test_meter.key",
        "/var/lib/omsnode/meter.json",
    } <= set(files)
    assert "--purge" in done.stdout
    assert pi.running("meter") is None
    assert flash("--remove").returncode == 0
    assert flash("--remove", "--purge").returncode == 0
    assert not [name for name in pi.files() if "omsnode" in name]


# --- what goes wrong ---


@BOTH_WAYS
def test_pip_fails_and_the_old_version_goes_on(machine, packages):
    pi, flash = machine
    pi.set("spi-works")
    flash(*COLLECTOR)
    old = pi.running("collector")
    pi.set("fail-pip")
    pi.log()
    done = flash(*COLLECTOR, package=packages[1])
    assert done.returncode == 1
    assert "Could not find a version" in done.stderr and "What ran before goes on" in done.stderr
    assert pi.running("collector") == old and not [line for line in pi.log() if "systemctl stop" in line]
    pi.clear("fail-pip")
    assert flash(*COLLECTOR, package=packages[1]).returncode == 0
    assert pi.running("collector") not in (None, old)


def test_apt_fails(machine):
    pi, flash = machine
    pi.set("no-gcc")
    pi.set("fail-apt")
    done = flash(*COLLECTOR)
    assert done.returncode == 1 and "sudo apt install python3-venv python3-dev gcc" in done.stderr
    pi.clear("fail-apt")
    assert flash(*COLLECTOR).returncode == 0


def test_the_self_test_fails_and_the_service_is_started_anyway(machine):
    """It goes on trying, and the journal says why: the radio may be plugged in later."""
    pi, flash = machine
    pi.set("spi-works")
    pi.set("fail-selftest")
    done = flash(*COLLECTOR)
    assert done.returncode == 1
    assert "is it wired to GPIO 20?" in done.stdout
    assert pi.running("collector")


def test_a_version_without_self_test(machine):
    pi, flash = machine
    pi.set("spi-works")
    pi.set("no-selftest")
    done = flash(*COLLECTOR)
    assert done.returncode == 0 and "no self-test" in done.stdout


def test_the_service_does_not_start(machine):
    pi, flash = machine
    pi.set("spi-works")
    pi.set("fail-start")
    done = flash(*COLLECTOR)
    assert done.returncode == 1
    assert "journalctl -u omsnode-collector.service" in done.stdout


def test_no_systemd(machine):
    pi, flash = machine
    shutil.rmtree(pi.root / "run/systemd")
    done = flash(*COLLECTOR)
    assert done.returncode == 1 and "systemd" in done.stderr
    assert list(pi.files()) == ["/boot/firmware/config.txt"]


@pytest.fixture
def over_ssh(tmp_path, packages):
    pi = Pi(tmp_path)
    pi.set("spi-works")

    def flash(*arguments, package=packages[0]):
        command = [sys.executable, "-m", "omsnode.tools.cli", "flash", "pi@there", "--package", str(package)]
        return subprocess.run(
            [*command, *arguments],
            env=pi.environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=240,
        )

    return pi, flash


def test_nobody_answers(over_ssh):
    pi, flash = over_ssh
    pi.set("no-ssh")
    done = flash(*COLLECTOR)
    assert done.returncode == 1
    assert "No route to host" in done.stderr and "ssh pi@there" in done.stderr


def test_sudo_wants_a_password(over_ssh):
    pi, flash = over_ssh
    pi.set("no-sudo")
    done = flash(*COLLECTOR)
    assert done.returncode == 1 and "sudo" in done.stderr and "--local" in done.stderr
    assert list(pi.files()) == ["/boot/firmware/config.txt"]


def test_the_line_breaks_anywhere(over_ssh, packages):
    """An upgrade, broken off behind each number of connections: something always is installed whole, and the same command
    then ends it."""
    pi, flash = over_ssh
    flash(*COLLECTOR)
    old = pi.files()["/opt/omsnode/current"][1]
    pi.log()
    for connections in range(3, 90, 7):
        pi.set("lose", str(connections))
        done = flash(*COLLECTOR, package=packages[1])
        if done.returncode == 0:
            break
        assert "lost the connection" in done.stderr and "goes on where it stopped" in done.stderr
        files = pi.files()
        assert "/opt/omsnode/{}/.complete".format(files["/opt/omsnode/current"][1]) in files
        assert files["/boot/firmware/config.txt"][1].decode().count(MARK) == 1
        assert files["/etc/systemd/system/omsnode-collector.service"][1]
    assert 10 < connections < 87
    pi.clear("lose")
    assert flash(*COLLECTOR, package=packages[1]).returncode == 0
    assert pi.running("collector") not in (None, old)


# --- before anything is done ---


def omsnode(*arguments, **more):
    command = [sys.executable, "-m", "omsnode.tools.cli", "flash", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=240, **more)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "--local"),
        (("pi", "--local", *COLLECTOR), "which machine"),
        (("pi", "--hat", "cc1101-spi0"), "--role"),
        (("pi", "--role", "collector"), "cc1101-spi0"),
        (("pi", "--role", "collector", "--hat", "pico-lora-sx1262"), "not for a Raspberry Pi"),
        (("pi", "--role", "collector", "--hat", "waveshare-lora-hat"), "UART"),
        (("pi", "--role", "collector", "--hat", "no"), "no HAT"),
        (("pi", "--role", "collector", "--hat", "virtual"), "not for a Raspberry Pi"),
        (("a b", *COLLECTOR, "--package", "omsnode==9"), "no machine"),
        (("pi", *COLLECTOR, "--package", "/nowhere/x.whl"), "No such file"),
        (("pi", *COLLECTOR, "--keys", "x"), "--config"),
        (("pi", *COLLECTOR, "--config", "/nowhere.toml"), "No such file"),
        (("pi", "--purge"), "--remove"),
    ],
)
def test_misuse(arguments, says):
    done = omsnode(*arguments)
    assert done.returncode == 2 and says in done.stderr, done.stderr
    assert "Traceback" not in done.stderr


def test_dry_run_needs_no_machine_and_shows_no_key(tmp_path, packages):
    done = omsnode(*configuration(tmp_path), "--dry-run", "--package", str(packages[0]))
    assert done.returncode == 0, done.stderr
    assert "ExecStart=/opt/omsnode/current/bin/omsnode collect" in done.stdout
    assert "systemctl restart omsnode-collector.service" in done.stdout
    assert KEY not in done.stdout
    done = omsnode("--remove", "--dry-run")
    assert done.returncode == 0 and "rm -rf /opt/omsnode" in done.stdout


@pytest.mark.parametrize(
    ("names", "lines"),
    [
        (["cc1101-spi0"], []),
        (["cc1101-spi0", "cc1101-spi0-second"], []),
        (["meshadv-pi"], ["dtoverlay=spi0-1cs,cs0_pin=21"]),
        (["meshadv-pi", "cc1101-spi0-second"], ["dtoverlay=spi0-2cs,cs0_pin=21"]),
        (["meshadv-pi", "meshadv-mini,spi_dev=1,cs=6"], ["dtoverlay=spi0-2cs,cs0_pin=21,cs1_pin=6"]),
        (["cc1101-spi0", "cc1101-spi0,spi_bus=1"], ["dtoverlay=spi1-1cs"]),
    ],
)
def test_overlays(names, lines):
    """Boards sheet 3 and 4: spi0-1cs with cs0_pin, spi0-2cs, the other controller."""
    assert plan.overlays([hats.find(name) for name in names]) == lines


def test_two_radios_of_one_configuration(tmp_path, packages):
    (tmp_path / "two.toml").write_text(
        '[radio.one]\nhat = "meshadv-pi"\n[radio.two]\nhat = "cc1101-spi0-second"\nmode = "S1"\n'
    )
    done = omsnode(
        "--dry-run", "--config", str(tmp_path / "two.toml"), "--role", "collector", "--package", packages[0]
    )
    assert done.returncode == 0, done.stderr
    assert (
        "ExecStart=/opt/omsnode/current/bin/omsnode collect --config /etc/omsnode/collector.toml"
        in done.stdout
    )
    assert "dtoverlay=spi0-2cs,cs0_pin=21" in done.stdout
    assert done.stdout.count("selftest --hat") == 2


def test_a_wheel_is_known_by_what_is_in_it(packages, tmp_path):
    ids = {wheel.fingerprint(path) for path in packages}
    assert len(ids) == 2
    again = tmp_path / "x.whl"
    with zipfile.ZipFile(again, "w") as out:
        out.writestr(zipfile.ZipInfo("omsnode/version.txt", (2020, 1, 1, 0, 0, 0)), "1")
    assert wheel.fingerprint(again) in ids


# --- outside judges ---


@pytest.mark.parametrize("role", unit.ROLES)
def test_systemd_finds_nothing_wrong_with_the_unit(role, tmp_path, require):
    """`systemd-analyze verify`, and `security`: 0 is best, 10 worst, below 2 the program calls a service safe."""
    analyze = shutil.which("systemd-analyze")
    require(analyze, "no systemd-analyze: apt install systemd")
    system = next(
        (p for p in map(pathlib.Path, ("/usr/lib/systemd/system", "/lib/systemd/system")) if p.is_dir()), None
    )
    require(system, "no units of systemd")
    root = tmp_path / "root"
    shutil.copytree(system, root / "usr/lib/systemd/system", symlinks=True)
    program = root / unit.PROGRAM[1:]
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    own = root / unit.path(role)[1:]
    (own.parent / (own.name + ".d")).mkdir(parents=True)
    own.write_text(unit.text(role, "meshadv-pi,tcxo_mv=0"))
    (own.parent / (own.name + ".d") / "keys.conf").write_text(unit.credentials({"kitchen", "key_store"}))
    done = subprocess.run(
        [analyze, "verify", "--man=no", "--root=" + str(root), own.name], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    done = subprocess.run(
        [analyze, "security", "--offline=yes", "--no-pager", "--root=" + str(root), own.name],
        capture_output=True,
        text=True,
    )
    level = re.search(r"Overall exposure level for .*: ([\d.]+)", done.stdout)
    assert level and float(level[1]) < 2, done.stdout + done.stderr


def test_a_real_environment_from_a_real_wheel(tmp_path):
    """pip and venv are the real ones; libraries are left out, they need a network."""
    pi = Pi(tmp_path, real_python=True)
    pi.set("spi-works")
    environment = dict(pi.environment, PIP_NO_DEPS="1", PIP_NO_INDEX="1")
    built = subprocess.run(
        [
            sys.executable,
            "-c",
            "from omsnode.tools.flash import wheel; n, d = wheel.build(); open(n, 'wb').write(d); print(n)",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert built.returncode == 0, built.stderr
    done = omsnode("--local", *COLLECTOR, "--package", built.stdout.strip(), env=environment, cwd=tmp_path)
    assert done.returncode in (0, 1), done.stderr
    program = pi.root / "opt/omsnode/current/bin/omsnode"
    shown = subprocess.run([program, "--help"], capture_output=True, text=True, cwd=tmp_path)
    assert shown.returncode == 0 and "flash" in shown.stdout
    assert pi.running("collector") == (pi.root / "opt/omsnode/current").readlink().name
