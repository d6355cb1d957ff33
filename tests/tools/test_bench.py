"""The benchmark runs and its figures belong together; how fast it is, is not tested."""

import json

from omsnode.firmware.application.telegram import decode
from omsnode.firmware.security import aes
from omsnode.tools.bench import crypto
from omsnode.tools.bench import decode as bench
from omsnode.tools.cli import main

SEALED = {"plain": "plain", "mode 5": "decrypted", "mode 7": "authenticated"}


def test_samples_decode_without_remainder():
    names = []
    for name, telegrams, key in bench.samples():
        names.append(name)
        for data in telegrams:
            telegram = decode(data, lambda *which, key=key: key)
            assert telegram.error is None and telegram.undecoded is None
            *_, security, count = name.split(", ")
            assert len(telegram.records) == int(count.split()[0])
            assert telegram.verdict == SEALED[security]
            assert all(record.flag is None for record in telegram.records)
    assert [name for name in names if "14 records" in name] == [
        "plain, 14 records",
        "mode 5, 14 records",
        "mode 7, 14 records",
    ]


def test_bench_prints_every_figure(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(
        bench,
        "seconds_each",
        lambda functions, least_s=0: [function() and 1e-5 or 1e-5 for function in functions],
    )
    corpus = tmp_path / "corpus.json"
    corpus.write_text(
        json.dumps(
            {"telegrams": [{"telegram": bench.SAMPLES[0][1], "key": None}, {"telegram": "00", "key": None}]}
        )
    )
    assert main(["bench", "--json", "--corpus", str(corpus)]) == 0
    found = json.loads(capsys.readouterr().out)
    names = [row["what"] for row in found["rows"]]
    assert "mode 5, 14 records" in names and names[-1] == "corpus, 1 telegrams"
    assert all(0 <= row["plain_us"] <= 10 and row["gain"] == 1 for row in found["rows"])
    for one in found["shares"]:
        assert {"read the line", "link", "transport header", "records", "names", "JSON"} <= set(one["stages"])
    assert len(found["deframer"]) == 2
    assert main(["bench", "--corpus", str(corpus)]) == 0
    assert "What bounds it" in capsys.readouterr().out


def test_bench_crypto(capsys, monkeypatch):
    monkeypatch.setattr(
        crypto, "seconds_each", lambda functions: [function() and 1e-5 or 1e-5 for function in functions]
    )
    before = aes._ecb
    assert main(["bench", "crypto", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [row["what"] for row in found["rows"]] == list(crypto.NAMES)
    names = list(found["rows"][0]["us"])
    assert [name for name in names if name.endswith("*")] == ["ours, {}*".format(aes.back_end.name)]
    assert {"pycryptodome alone", "table"} <= set(names)
    assert found["rows"][0]["us"]["table"] is None  # it does not decrypt
    assert all(
        us == 10 for row in found["rows"] for name, us in row["us"].items() if us and name != "MicroPython"
    )
    assert aes._ecb == before
    assert main(["bench", "crypto"]) == 0
    out = capsys.readouterr().out
    assert "telegram of profile D" in out
    assert "cryptography alone" in names or "not installed: cryptography alone" in out


def test_bench_crypto_without_micropython(monkeypatch):
    monkeypatch.setattr(crypto.shutil, "which", lambda *which, **more: None)
    monkeypatch.setattr(crypto, "seconds_each", lambda functions: [1e-5] * len(functions))
    assert crypto.measure()["missing"][-1] == "MicroPython"


def test_table_is_aes():
    """FIPS-197 C.1."""
    block = bytes.fromhex("00112233445566778899aabbccddeeff")
    assert crypto._table_cipher(bytes(range(16)))(block).hex() == "69c4e0d86a7b0430d8cdb78070b4c55a"
