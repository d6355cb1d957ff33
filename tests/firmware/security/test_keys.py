"""A key shows itself nowhere."""

import copy
import pickle
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st
from omsnode.firmware.errors import MisuseError
from omsnode.firmware.security.keys import Key

TEXT = "0102030405060708090A0B0C0D0E0F11"
KEY = Key.from_hex(TEXT)


@pytest.mark.parametrize(
    "show", [repr, str, "{}".format, "{!r:>60}".format, "{0}".format, lambda key: "%s" % key]
)
def test_text_forms(show):
    text = show(KEY)
    assert "Key(" in text
    assert TEXT[:6].lower() not in text.lower() and "\\x01" not in text


def test_inside_containers_and_tracebacks():
    assert TEXT.lower() not in repr({"key": [KEY]}).lower()
    try:
        raise MisuseError("about {}".format(KEY))
    except MisuseError:
        assert TEXT.lower() not in traceback.format_exc().lower()


def test_fingerprint_tells_keys_apart():
    other = Key.from_hex("0" * 32)
    assert repr(other) != repr(KEY) and len(KEY.fingerprint()) == 6


@pytest.mark.parametrize(
    "function", [pickle.dumps, copy.copy, copy.deepcopy, lambda key: pickle.dumps(key, 0), vars]
)
def test_no_way_out(function):
    with pytest.raises((MisuseError, TypeError)) as caught:
        function(KEY)
    assert TEXT.lower() not in str(caught.value).lower()


def test_equal_by_value():
    assert Key(bytes.fromhex(TEXT)) == KEY and hash(KEY) == hash(Key.from_hex(TEXT.lower()))
    assert Key(bytes(16)) != KEY and bytes.fromhex(TEXT) != KEY


@pytest.mark.parametrize(
    "text, what",
    [
        (TEXT[:-1], "this one has 31"),
        (TEXT + "0", "this one has 33"),
        ("", "this one has 0"),
        ("0x" + TEXT[2:], "character 2 "),
        (TEXT[:5] + "g" + TEXT[6:], "character 6 "),
        (TEXT[:5] + "٣" + TEXT[6:], "character 6 "),
        ('"' + TEXT + '"', "character 1 "),
    ],
)
def test_complaint_says_what_but_does_not_quote(text, what):
    with pytest.raises(MisuseError) as caught:
        Key.from_hex(text)
    assert what in caught.value.message
    assert TEXT[8:16] not in caught.value.message and caught.value.__cause__ is None


@pytest.mark.parametrize("secret", [bytes(15), bytes(17), TEXT, None, 16])
def test_secret_is_sixteen_bytes(secret):
    with pytest.raises(MisuseError):
        Key(secret)


@given(st.text(max_size=40))
def test_any_text_is_a_key_or_a_typed_refusal(text):
    try:
        assert len(Key.from_hex(text)._secret) == 16
    except MisuseError as error:
        assert error.hint
