"""What a role of two directions asks of its node (two_way.py) beside the actions of actions.py."""

from collections import namedtuple

# Stop listening. A frame whose sync word was found is still received.
Rest = namedtuple("Rest", ())
