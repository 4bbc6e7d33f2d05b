"""The words the bot speaks: one gettext catalogue per language, and the object that reads from it."""

from bot.languages.texts import Language, Texts, language_of, load_texts

__all__ = ["Language", "Texts", "language_of", "load_texts"]
