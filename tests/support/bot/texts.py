"""The catalogues, so that a test names the key of a sentence instead of repeating it."""

from bot.languages import Language, Texts, load_texts

EN = load_texts()[Language.ENGLISH]
PT = load_texts()[Language.PORTUGUESE]


def problem_words(fault: str, texts: Texts = EN, stopped: bool = True, **facts: str) -> tuple[str, str]:
    """The title of the notice of ``fault``, and its meaning; ``stopped`` if nothing reaches Teams any more."""
    meaning = texts("notice.problem.wrong" if stopped else "notice.problem.unwell")
    return texts(f"fault.{fault}", **facts).rstrip("."), meaning


def problem_summary(fault: str, texts: Texts = EN, stopped: bool = True, **facts: str) -> str:
    """The notification of the notice of ``fault``, as ``problem_words``."""
    return ". ".join(problem_words(fault, texts, stopped, **facts))
