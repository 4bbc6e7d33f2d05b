"""The catalogues, so that a test names the key of a sentence instead of repeating it."""

from bot.languages import Language, Texts, load_texts

EN = load_texts()[Language.ENGLISH]
PT = load_texts()[Language.PORTUGUESE]


def problem_title(fault: str, texts: Texts = EN, stopped: bool = True, **facts: str) -> str:
    """The title of the notice of ``fault``; ``stopped`` if nothing reaches Teams any more."""
    key = "notice.problem.wrong" if stopped else "notice.problem.unwell"
    return texts(key, what=texts(f"fault.{fault}", **facts).rstrip("."))
