"""Fixtures of the whole suite: where the reference data is, and what happens when an outside judge is missing."""

import os
import pathlib
import signal
import tempfile

import pytest
from hypothesis import HealthCheck, settings
from support_leaks import Session

settings.register_profile(
    "omsnode", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("omsnode")

ROOT = pathlib.Path(__file__).resolve().parent.parent
REQUIRE_ALL = bool(os.environ.get("OMSNODE_REQUIRE_ALL"))


_keys = Session()


def pytest_configure(config):
    """Tests know nothing of the keys of who runs them, and the keys of the tests stay in them. Ctrl-C ends what they start: whoever
    is started in the background of a script inherits that it is ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    state = tempfile.TemporaryDirectory(prefix="omsnode-state-")
    config.add_cleanup(state.cleanup)
    os.environ["XDG_STATE_HOME"] = state.name
    os.environ.pop("CREDENTIALS_DIRECTORY", None)
    _keys.install()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    _keys.judge(report)
    return report


def missing(what):
    """Skip by name on a user's machine; fail where every judge is promised (OMSNODE_REQUIRE_ALL)."""
    if REQUIRE_ALL:
        pytest.fail("OMSNODE_REQUIRE_ALL is set, but " + what)
    pytest.skip(what)


@pytest.fixture
def shared():
    """The reference data beside the repository (test vectors, sheets); the suite passes without it."""
    path = ROOT.parent / "shared"
    if not path.is_dir():
        pytest.skip(
            "no ../shared beside the repository: the published vectors typed into the tests still ran"
        )
    return path


@pytest.fixture(scope="session")
def require():
    """require(condition, message): the test needs an outside judge."""

    def check(condition, message):
        if not condition:
            missing(message)

    return check


def pytest_terminal_summary(terminalreporter):
    """Figures that tests print: everything a test hands to `record_property` appears below the test results."""
    figures = [
        figure
        for outcome in ("passed", "failed")
        for report in terminalreporter.stats.get(outcome, [])
        for figure in report.user_properties
    ]
    if figures:
        terminalreporter.section("figures")
        for name, value in figures:
            terminalreporter.write_line("{}: {}".format(name, value))
