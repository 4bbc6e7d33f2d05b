"""Values from outside in log lines."""

from bot.hosting.refusals import cleaned


def test_control_characters_and_length_are_taken_off() -> None:
    assert cleaned("a\nb\x1b[31m\u202e" + "x" * 500) == "a?b?[31m?" + "x" * 91
