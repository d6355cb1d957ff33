"""What a meter that starts again goes on from, or why it must not."""

from ..errors import StoreError


def load(store, profile):
    """The stored state, None at the very first start. store: JsonStore; its `problem` is to be told. profile:
    roles.meter.Profile.

    StoreError if state was lost and the profile has a message counter: with one key each value may be used once, and in
    profile D whoever hears a value twice reads both messages.
    """
    state = store.load()
    if store.lost and profile.security_mode > 5:
        raise StoreError(
            "{}; the message counter of this meter is lost, and it must not begin again".format(
                store.problem
            ),
            hint='put a backup back as {}, or write {{"message_counter": N}} into it, N above all that were ever sent; '
            "or give the meter a new key and delete {}".format(store.path, store.path.with_suffix(".*")),
        )
    return state
