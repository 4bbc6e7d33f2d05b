"""Rows of ``docs/performance.md``: a table between two marks, and a chart. Rows that were not measured stay."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

BEGIN, END = "<!-- bench -->", "<!-- /bench -->"
HEAD = "| What | Goal | Measured |\n|---|---|---|\n"
WIDTH, BAR, LINE, LEFT = 760, 300, 26, 400


@dataclass(frozen=True, slots=True)
class Row:
    """``value`` reaches ``goal`` if it is at most that, or at least where it should be ``high``."""

    name: str
    value: float
    goal: float
    unit: str = " x"
    high: bool = False
    more: str = ""

    @property
    def part(self) -> float:
        """Of what the goal allows: 1 and less reach it."""
        return self.goal / max(self.value, 1e-9) if self.high else self.value / self.goal

    def __str__(self) -> str:
        sign = ">=" if self.high else "<="
        reached = "" if self.part <= 1 else " (not reached)"
        more = f"; {self.more}" if self.more else ""
        return f"| {self.name} | {sign} {self.goal:g}{self.unit} | {self.value:.3g}{self.unit}{reached}{more} |"


def update(page: Path, chart: Path, rows: Sequence[Row]) -> None:
    text = page.read_text()
    before, _, rest = text.partition(BEGIN)
    old, _, after = rest.partition(END)
    lines = {
        line.split(" | ")[0]: line for line in old.splitlines() if line.startswith("| ") and "| Goal |" not in line
    }
    lines.update({str(row).split(" | ")[0]: str(row) for row in rows})
    page.write_text(f"{before}{BEGIN}\n{HEAD}" + "\n".join(lines.values()) + f"\n{END}{after}")
    chart.write_text(drawn(list(lines.values())))


def drawn(lines: Sequence[str]) -> str:
    """How much of each goal is used, as bars on a line for the goal."""
    height = LINE * len(lines) + 40
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" font-family="sans-serif" '
        'font-size="12">',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
    ]
    for place, line in enumerate(lines):
        name, _, _ = line.strip("| ").partition(" | ")
        part, label = _part_of(line), line.strip("| ").split(" | ")[2].split(";")[0]
        y, width, color = 10 + place * LINE, min(part, 1.2) * BAR / 1.2, "#2e7d32" if part <= 1 else "#c62828"
        parts.append(f'<text x="8" y="{y + 14}">{_escaped(name)}</text>')
        parts.append(f'<rect x="{LEFT}" y="{y + 3}" width="{width:.0f}" height="15" fill="{color}"/>')
        parts.append(f'<text x="{LEFT + width + 6:.0f}" y="{y + 14}">{_escaped(label)}</text>')
    goal = LEFT + BAR / 1.2
    parts.append(f'<line x1="{goal}" y1="6" x2="{goal}" y2="{height - 26}" stroke="#333" stroke-dasharray="4 3"/>')
    parts.append(f'<text x="{goal - 14}" y="{height - 10}">goal</text></svg>\n')
    return "\n".join(parts)


def _part_of(line: str) -> float:
    _, goal, measured = line.strip("| ").split(" | ")
    sign, limit = goal.split()[:2]
    value = float(measured.split()[0].rstrip("%;"))
    row = Row("", value, float(limit), high=sign == ">=")
    return row.part


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace("`", "")
