"""An import of exclusions and matches: how to send it, what it would change, what is wrong with it, what it did."""

from microsoft_teams.cards.core import Action, CardElement, RichTextBlock, TextInput, TextRun

from bot.activity import Card
from bot.cards.field_errors import FormError
from bot.cards.parts import button, capped, card, error_note, header, note, row, text
from bot.languages import Texts
from sync.domain.model import IntegrationView
from sync.people.imports.values import Changed, Figures, FileRefused, ImportLine, ImportView, Matched

MAX_PASTED = 4_000
NAMED = 5
SYMBOL = "📥"


def form(texts: Texts, view: IntegrationView, pasted: str = "", refused: FileRefused | None = None) -> Card:
    """How to send a file, a place to paste lines, and what was wrong with the last ones."""
    title = texts("import.title")
    body: list[CardElement] = [header(SYMBOL, title, capped(view.name, 40))]
    if refused:
        key = f"import.file.{refused.fault}"
        sentence = texts(key, detail=refused.detail)
        body.append(error_note(FormError(sentence, texts(f"{key}.remedy", detail=refused.detail))))
    first, columns = texts("import.columns").split("\n\n")
    body += [text(texts("import.how")), text(first), text(columns, spacing="Small")]
    body += [text(texts("import.columns.missing")), *_example(texts), _lines(texts, pasted)]
    data = {"integration": view.id}
    actions: list[Action] = [
        button(texts("button.preview"), "import_people.paste", data, style="positive", inputs=True),
        button(texts("button.export"), "export_people.link", data),
        button(texts("button.cancel"), "import_people.cancel"),
    ]
    return card(texts, title, body, actions, wide=True)


def _example(texts: Texts) -> list[CardElement]:
    """An exclusion and a match by hand, as they are typed."""
    lines = texts("import.example").split("\n")
    code = [
        RichTextBlock(inlines=[TextRun(text=line, size="Small", font_type="Monospace")], spacing="None")
        for line in lines
    ]
    return [text(texts("import.example.title"), weight="Bolder"), *code]


def _lines(texts: Texts, pasted: str) -> TextInput:
    return TextInput(
        id="lines",
        label=texts("import.lines"),
        value=pasted[:MAX_PASTED] or None,
        placeholder=texts("import.example").split("\n")[0],
        is_multiline=True,
        is_required=True,
        error_message=texts("check.required", field=texts("import.lines")),
        max_length=MAX_PASTED,
    )


def reading(texts: Texts, view: IntegrationView, file: str) -> Card:
    title = texts("import.title")
    said = note("default", "⏳", texts("import.reading", file=capped(file, 60)), texts("import.reading.how"))
    cancel = button(texts("button.cancel"), "import_people.cancel")
    return card(texts, title, [header(SYMBOL, title, capped(view.name, 40)), said], [cancel])


def preview(texts: Texts, view: ImportView, pasted: str = "") -> Card:
    """What an import would change or did, or what is wrong with its lines: the ``pasted`` ones to correct here."""
    if view.is_done:
        return _done(texts, view)
    faulty = view.figures.faulty
    title = texts("import.faulty") if faulty else texts("import.preview")
    body: list[CardElement] = [header(SYMBOL, title, capped(view.file, 60))]
    if view.changed:
        named = [_changed(texts, one) for one in view.changed[:NAMED]]
        body.append(note("warning", "☝️", texts.plural("import.changed", len(view.changed)), *named))
    if faulty:
        remedy = texts("import.faults.here" if pasted else "import.faults.remedy")
        body.append(note("attention", "❌", texts.plural("import.faults", faulty), remedy))
    elif not view.figures.changes:
        body.append(note("default", "👀", texts("import.nothing"), texts("import.nothing.why")))
    else:
        body.append(note("default", "👀", texts("import.not_yet"), *_figures(texts, view.figures)))
    body += [_fault(texts, line) if line.fault else _change(texts, line) for line in view.lines]
    actions = _actions(texts, view, is_pasted=bool(pasted))
    if faulty and pasted:
        data = {"integration": view.integration_id}
        body.append(_lines(texts, pasted))
        actions = [
            button(texts("button.check_again"), "import_people.paste", data, style="positive", inputs=True),
            *actions,
        ]
    return card(texts, title, body, actions, wide=True)


def _changed(texts: Texts, one: Changed) -> str:
    name, who = capped(one.name, 60), capped(one.by, 40)
    return texts("import.changed.by", name=name, who=who) if who else texts("import.changed.elsewhere", name=name)


def _done(texts: Texts, view: ImportView) -> Card:
    title = texts("import.done")
    body = [header(SYMBOL, title, capped(view.file, 60)), note("good", "✅", title, *_figures(texts, view.figures))]
    mine = {"integration": view.integration_id, "filter": "my_changes"}
    actions: list[Action] = [
        button(texts("button.my_changes"), "people.page", mine, style="positive"),
        button(texts("button.people"), "people.show", {"integration": view.integration_id}),
    ]
    return card(texts, title, body, actions)


def _figures(texts: Texts, figures: Figures) -> list[str]:
    counts = {
        "excluded": figures.excluded,
        "included": figures.included,
        "matched": figures.matched,
        "unmatched": figures.unmatched,
        "unchanged": figures.unchanged,
    }
    return [texts.plural(f"import.{name}", count) for name, count in counts.items() if count]


def _change(texts: Texts, line: ImportLine) -> CardElement:
    said = []
    if line.excluded is not None:
        said.append(texts("import.line.excluded" if line.excluded else "import.line.included"))
    if line.match is Matched.MATCH:
        said.append(texts("import.line.matched", account=capped(line.account, 60)))
    elif line.match is Matched.UNMATCH:
        said.append(texts("import.line.unmatched"))
    symbol = "🔗" if line.match else "🚫" if line.excluded else "✅"
    return row(symbol, texts("import.line", number=line.number, name=capped(line.name, 60)), *said)


def _fault(texts: Texts, line: ImportLine) -> CardElement:
    sentence = texts(f"import.fault.{line.fault}", detail=capped(line.detail, 60))
    named = texts("import.line", number=line.number, name=capped(line.name, 60)) if line.name else ""
    return row("❌", named or texts("import.line.alone", number=line.number), sentence)


def _actions(texts: Texts, view: ImportView, *, is_pasted: bool = False) -> list[Action]:
    """Lines of a file that are wrong can only be sent again; pasted ones are corrected on the card."""
    data, mine = {"integration": view.integration_id}, {"import": view.id}
    can_apply = view.figures.changes and not view.figures.faulty
    actions: list[Action] = []
    if can_apply:
        actions.append(button(texts("button.import"), "import_people.apply", mine, style="positive"))
    if view.has_before and view.lines:
        before = {**mine, "before": str(view.lines[0].number)}
        actions.append(button(texts("button.previous"), "import_people.page", before))
    if view.has_after and view.lines:
        actions.append(
            button(texts("button.more"), "import_people.page", {**mine, "after": str(view.lines[-1].number)})
        )
    is_only = view.figures.faulty and not is_pasted
    other = button(texts("button.import_other"), "import_people.show", data, style="positive" if is_only else None)
    return [*actions, other, button(texts("button.cancel"), "import_people.cancel")]


def gone(texts: Texts) -> Card:
    return _ended(texts, "import.gone")


def cancelled(texts: Texts) -> Card:
    return _ended(texts, "import.cancelled")


def _ended(texts: Texts, key: str) -> Card:
    title = texts(key)
    actions = [button(texts("button.import_other"), "command.import_people")]
    return card(texts, title, [header(SYMBOL, title), text(texts(f"{key}.more"))], actions)
