"""The base class of the product's exceptions, and the whole tree.

An exception that is also of a built-in type names it in brackets. ``tests/repository/test_errors.py`` holds this
drawing to the code.

"""


class CloudLinkPresenceError(Exception):
    """Base class of every exception that the product defines."""
