"""Rows of `omsnode analyze`: offset, byte on the air, decrypted byte, layer, meaning."""

import textwrap

_BYTES = 8  # per row
_TEXT = 76  # columns of explanation per row


def print_spans(spans, data):
    """A title and a row for each explain.Span, several where one is not enough. data: the bytes in which they count."""
    decrypted = any(span.plain is not None for span in spans)
    width = 3 * _BYTES - 1
    title = "{:>6}  {:<{}}  ".format("offset", "on the air", width)
    print(title + ("{:<{}}  ".format("decrypted", width) if decrypted else "") + "layer     meaning")
    for span in spans:
        meaning = textwrap.wrap(("" if span.known else "?? ") + span.meaning, _TEXT) or [""]
        rows = max(len(meaning), -(-(span.end - span.start) // _BYTES))
        for row in range(rows):
            start = span.start + row * _BYTES
            raw = data[start : min(start + _BYTES, span.end)].hex(" ").upper()
            plain = (span.plain or b"")[row * _BYTES : row * _BYTES + _BYTES].hex(" ").upper()
            text = "{:>6}  {:<{}}  ".format(start if raw else "", raw, width)
            text += "{:<{}}  ".format(plain, width) if decrypted else ""
            text += "{:<8}  {}".format(
                span.layer if not row else "", meaning[row] if row < len(meaning) else ""
            )
            print(text.rstrip())


def footer(spans, data):
    """How much of it could be explained, in one line."""
    damaged = sum(span.end - span.start for span in spans if not span.known)
    return "{} bytes, {}".format(len(data), "{} damaged".format(damaged) if damaged else "all explained")
