"""What the mp_*.py scripts have in place of pytest. Runs on either interpreter."""


def raises(error, function, *args):
    """The exception that the call raises; it must be this one."""
    try:
        function(*args)
    except error as caught:
        return caught
    raise AssertionError(error)
