"""What every list of explained bytes has to be."""


def covers(spans, length):
    """Assert that these explain.Spans tell every byte of so many, in order, once."""
    at = 0
    for span in spans:
        assert span.start == at and span.end > at and span.layer and span.meaning
        assert span.plain is None or len(span.plain) == span.end - span.start
        at = span.end
    assert at == length
