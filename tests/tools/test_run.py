"""tools/run.py: set-up from a fresh clone, and what wears out afterwards: a moved folder, a newer Python."""

import importlib.util
import pathlib
import subprocess
import sys

import pytest

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "tools" / "run.py"


@pytest.fixture
def run(tmp_path):
    """The script as a module that takes tmp_path for the project."""
    spec = importlib.util.spec_from_file_location("omsnode_run", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.ROOT, module.VENV = tmp_path, tmp_path / ".venv"
    (tmp_path / "pyproject.toml").write_text("")
    return module


class Calls:
    """Stands for subprocess.run: notes the commands, and lets those that contain a word of `failing` fail."""

    def __init__(self, *failing):
        self.failing = failing
        self.made = []
        self.venv = None

    def __call__(self, command, **_):
        self.made.append([str(word) for word in command])
        bad = any(word in self.made[-1] for word in self.failing)
        if "venv" in self.made[-1] and not bad:
            self.venv = pathlib.Path(self.made[-1][-1])
            self.venv.mkdir(exist_ok=True)
        if "--version" in self.made[-1]:
            bad = self.venv is None
        return subprocess.CompletedProcess(command, int(bad), "", "")

    def count(self, word):
        return sum(word in command for command in self.made)


def test_set_up_once(run, monkeypatch):
    calls = Calls()
    monkeypatch.setattr(run.subprocess, "run", calls)
    run.set_up("")
    assert (calls.count("venv"), calls.count("install")) == (1, 1)
    run.set_up("")
    assert (calls.count("venv"), calls.count("install")) == (1, 1)


def test_pip_is_asked_through_python_because_scripts_do_not_survive_a_moved_folder(run, monkeypatch):
    calls = Calls()
    monkeypatch.setattr(run.subprocess, "run", calls)
    run.set_up("")
    install = next(command for command in calls.made if "install" in command)
    assert install[:3] == [str(run.VENV / "bin" / "python"), "-m", "pip"]


@pytest.mark.parametrize("change", ["python", "folder"])
def test_another_python_or_folder_is_noticed(run, monkeypatch, change):
    calls = Calls()
    monkeypatch.setattr(run.subprocess, "run", calls)
    run.set_up("")
    if change == "python":
        monkeypatch.setattr(run.sys, "version_info", (3, 99, 0))
    else:
        moved = run.ROOT.with_name("moved")
        run.ROOT.rename(moved)
        run.ROOT, run.VENV = moved, moved / ".venv"
    run.set_up("")
    assert calls.count("install") == 2


def test_a_venv_whose_python_is_gone_is_made_anew(run, monkeypatch):
    (run.VENV / "bin").mkdir(parents=True)
    (run.VENV / "bin" / "pip").write_text("#!/gone/python\n")
    (run.VENV / "bin" / "python").symlink_to("/gone/python")
    real, calls = subprocess.run, Calls()

    def some(command, **more):
        return calls(command, **more) if "install" in command or "venv" in command else real(command, **more)

    monkeypatch.setattr(run.subprocess, "run", some)
    run.set_up("")
    assert (calls.count("venv"), calls.count("install")) == (1, 1)


@pytest.mark.parametrize(
    "failing, advice", [("venv", "sudo apt install python3-venv"), ("install", "network connection")]
)
def test_what_is_missing_is_said(run, monkeypatch, failing, advice):
    monkeypatch.setattr(run.subprocess, "run", Calls(failing))
    with pytest.raises(SystemExit) as caught:
        run.set_up("")
    assert advice in str(caught.value)
    assert not list(run.VENV.glob("*.stamp"))


def test_an_old_python_is_told_so(run, monkeypatch):
    monkeypatch.setattr(run.sys, "version_info", (3, 10, 13))
    with pytest.raises(SystemExit) as caught:
        run.main(["demo"])
    assert "3.10" in str(caught.value) and "3.11" in str(caught.value)


def test_a_sub_command_runs_where_the_user_stands_and_gets_his_signals(run, tmp_path):
    """Relative paths are the user's; and the command takes the place of the script, so that no signal is lost."""
    (run.VENV / "bin").mkdir(parents=True)
    command = run.VENV / "bin" / "omsnode"
    command.write_text('#!/bin/sh\necho "$$ $PWD $*"\nexit 7\n')
    command.chmod(0o755)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    starter = (
        "import importlib.util as u, pathlib, sys; s = u.spec_from_file_location('r', sys.argv[1]);"
        "m = u.module_from_spec(s); s.loader.exec_module(m); m.ROOT = pathlib.Path(sys.argv[2]);"
        "m.VENV = m.ROOT / '.venv'; m.set_up = lambda extras: None; sys.exit(m.main(['decode', 'a b', 'c']))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", starter, str(SCRIPT), str(tmp_path)],
        cwd=elsewhere,
        stdout=subprocess.PIPE,
        text=True,
    )
    out, _ = process.communicate(timeout=240)
    assert out.split() == [str(process.pid), str(elsewhere), "decode", "a", "b", "c"]
    assert process.returncode == 7
