"""The catalogues, so that a test names the key of a sentence instead of repeating it."""

from bot.languages import Language, load_texts

EN = load_texts()[Language.ENGLISH]
PT = load_texts()[Language.PORTUGUESE]
