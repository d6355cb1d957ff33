"""The benchmark runs and its figures belong together; how fast it is, is not tested."""

import json

from omsnode.firmware.application.telegram import decode
from omsnode.tools.bench import decode as bench
from omsnode.tools.cli import main


def test_samples_decode_without_remainder():
    counts = []
    for _, data, key in bench.samples():
        telegram = decode(data, lambda address, *which, key=key: key)
        assert telegram.error is None and telegram.undecoded is None
        counts.append(len(telegram.records))
    assert counts == [1, 3, 14]


def test_bench_prints_every_figure(capsys, monkeypatch):
    monkeypatch.setattr(bench, "seconds_per_call", lambda function, least_s=0: (function(), 1e-5)[1])
    assert main(["bench", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    names = [row["what"] for row in found["rows"]]
    assert all(row["per_second"] == 100000 and row["ratio"] == 1 for row in found["rows"])
    for part in ("hex line to JSON", "core decode", "deframe T chips"):
        assert [name for name in names if name.startswith(part)]
    for one in found["shares"]:
        assert {"read the line", "link", "transport header", "records", "JSON"} <= set(one["share"])
        assert abs(sum(one["share"].values()) - 1) < 0.01
    assert main(["bench"]) == 0
    assert "CPU share of each stage" in capsys.readouterr().out
