"""The bot's texts: one gettext catalogue per language, and the class that reads it."""

from bot.languages.texts import Language, Texts, language_of, load_texts

__all__ = ["Language", "Texts", "language_of", "load_texts"]
