"""What comes back from a file is looked at before it is believed."""


def integer(value):
    """`value` if it is an integer (True and False are none); else ValueError."""
    if not isinstance(value, int) or value is True or value is False:
        raise ValueError
    return value
