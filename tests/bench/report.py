# SPDX-License-Identifier: GPL-3.0-or-later
"""The table: printed line by line as it grows, and written to docs/performance.md."""

SCALES = {"ms": 1e3, "µs": 1e6, "s": 1, "MiB": 1 / 2**20, "B": 1, "/s": 1, "": 1}
BEGIN, END = "<!-- table: written by `make bench-record` -->", "<!-- end of table -->"


class Table:
    """Rows of one figure for each server, with the goal for ours."""

    def __init__(self, kinds):
        self.names = [kind.name for kind in kinds]
        self.rows = []

    def add(self, what, unit, values, goal):
        """Adds a row and prints it."""
        cells = [show(values.get(name), unit) for name in self.names]
        peer, ours = values.get("kamailio"), values.get("sipwitch")
        # Of two figures near nothing, or of a count of failures, a ratio says nothing.
        ratio = f"{ours / peer:.2f}" if unit and peer and ours and peer > 0 and ours > 0 else "–"
        aim, met = "–", ""
        if goal is not None:
            aim = ("≤ " if goal else "") + show(goal, unit)
            met = "" if ours is None else "yes" if ours <= goal else "no"
        row = [what, *cells, ratio, aim, met]
        self.rows.append(row)
        print("  " + "  ".join(
            [f"{what:<46}"] + [f"{name} {cell:>10}" for name, cell in zip(self.names, cells)]
            + [f"ratio {ratio:>5}  goal {aim:>9} {met}"]), flush=True)

    def markdown(self):
        """The table as Markdown."""
        head = ["what", *self.names, "ratio", "goal", "met"]
        lines = [head, ["---"] + ["--:"] * (len(head) - 2) + ["---"], *self.rows]
        return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def show(value, unit):
    """A value with its unit, to three figures."""
    if value is None:
        return "–"
    number = value * SCALES[unit]
    if unit in ("", "B"):
        text = f"{number:,.0f}"
    else:
        text = f"{number:.0f}" if abs(number) >= 100 else f"{number:.1f}" if abs(number) >= 10 \
            else f"{number:.2f}"
    return f"{text} {unit}".strip()


def record(path, table, when):
    """Puts the table between the marks of the document."""
    with open(path) as file:
        text = file.read()
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    if not after:
        raise SystemExit(f"{path} lacks the line {END}")
    with open(path, "w") as file:
        file.write(f"{before}{BEGIN}\n{when}\n\n{table.markdown()}\n{END}{after}")
