"""Prints what is over the house's budgets: files of 300 lines, functions of 60. These are aims, so it never fails."""

from __future__ import annotations

import ast
from pathlib import Path
from statistics import median, quantiles

FILE_LINES = 300
FUNCTION_LINES = 60


def main() -> None:
    """Read the two packages below the current folder and print the table."""
    files, functions = [], []
    for path in sorted([*Path("agent").rglob("*.py"), *Path("collectors").rglob("*.py")]):
        text = path.read_text(encoding="utf-8")
        files.append((text.count("\n"), str(path)))
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                functions.append((length, f"{path}:{node.lineno} {node.name}"))
    tests = sum(path.read_text(encoding="utf-8").count("\n") for path in Path("tests").rglob("*.py"))
    product = sum(lines for lines, _ in files)
    lengths = [length for length, _ in functions]
    print(
        f"{len(files)} files, median {median(lines for lines, _ in files):.0f} lines; "
        f"{len(functions)} functions, median {median(lengths):.0f}, p90 {quantiles(lengths, n=10)[-1]:.0f}; "
        f"test code {tests / product:.1f} x product code"
    )
    over = [each for each in files if each[0] > FILE_LINES] + [each for each in functions if each[0] > FUNCTION_LINES]
    for lines, name in over:
        print(f"{lines:5} lines  {name}")


if __name__ == "__main__":
    main()
