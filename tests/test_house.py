"""The house stays in order: package list, doors between the rooms, lint, types, one name for one thing."""

import pathlib
import shutil
import subprocess
import sys
import tomllib
import zipfile

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def run(*command):
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout


def test_package_list_is_the_tree():
    tree = {"omsnode"}
    for room in ("firmware", "drivers", "board", "tools"):
        for init in (ROOT / room).rglob("__init__.py"):
            tree.add(".".join(("omsnode",) + init.parent.relative_to(ROOT).parts))
    assert sorted(PYPROJECT["tool"]["setuptools"]["packages"]) == sorted(tree)


def test_doors_open_one_way():
    done = subprocess.run(
        [str(pathlib.Path(sys.executable).parent / "lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_wrong_arrow_is_found(tmp_path):
    """The checker itself must be able to fail."""
    broken = tmp_path / "lint.toml"
    text = (ROOT / "pyproject.toml").read_text()
    broken.write_text(
        text[text.index("[tool.importlinter]") :].replace(
            '    "omsnode.firmware.phy",\n    "omsnode.firmware.errors",',
            '    "omsnode.firmware.errors",\n    "omsnode.firmware.phy",',
        )
    )
    done = subprocess.run(
        [str(pathlib.Path(sys.executable).parent / "lint-imports"), "--no-cache", "--config", str(broken)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0 and "BROKEN" in done.stdout


@pytest.mark.parametrize("command", [("ruff", "check", "."), ("ruff", "format", "--check", "."), ("mypy",)])
def test_checkers_are_content(command):
    run(*command)


def test_wheel_holds_only_omsnode(tmp_path):
    """Nothing of ours collides with the `board`, `tools` or `tests` of others on a user's machine."""
    leftovers = shutil.ignore_patterns(".*", "build", "*.egg-info", "__pycache__")
    shutil.copytree(ROOT, tmp_path / "tree", ignore=leftovers)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "-q",
            "--no-deps",
            "-w",
            str(tmp_path),
            str(tmp_path / "tree"),
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr

    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names} == {"omsnode", "omsnode-0.1.0.dist-info"}
    assert not [name for name in names if "/tests/" in name]
    scenarios = {path.name for path in (ROOT / "tools" / "scenarios").glob("*.toml")}
    assert scenarios
    assert scenarios == {name.rpartition("/")[2] for name in names if "/tools/scenarios/" in name}
