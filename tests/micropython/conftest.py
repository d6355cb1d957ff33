"""Figures that tests print: everything a test hands to `record_property` appears below the test results."""


def pytest_terminal_summary(terminalreporter):
    lines = [
        "{}: {}".format(name, value)
        for report in terminalreporter.stats.get("passed", []) + terminalreporter.stats.get("failed", [])
        for name, value in report.user_properties
    ]
    if lines:
        terminalreporter.section("figures")
        for line in lines:
            terminalreporter.write_line(line)
