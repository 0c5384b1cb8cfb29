"""What keeps a file from being YAML at all, in words for the person who typed it."""

from __future__ import annotations

import yaml

from agent.onboarding.problems import ConfigErrors, Place, Problem


def decode(content: bytes, file: str) -> str:
    """The text of a UTF-8 file; raises ConfigErrors with the place of the first other byte and a guess."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        column = error.start - content.rfind(b"\n", 0, error.start)
    guess = "GBK" if _is(content, "gb18030") else "UTF-16" if _is(content, "utf-16") else "another encoding"
    raise ConfigErrors(
        [
            Problem(
                Place(file, line, column),
                f"the file is not UTF-8 text (it looks like {guess})",
                "save it as UTF-8: in Notepad 'Save as', Encoding 'UTF-8'; in VS Code 'Save with Encoding'",
            )
        ]
    )


def _is(content: bytes, encoding: str) -> bool:
    try:
        return "\0" not in content.decode(encoding)
    except UnicodeDecodeError:
        return False


_TAB = "a tab character is used for indentation", "YAML allows only spaces: replace the tab by spaces"
_SYNTAX = {  # libyaml's words -> ours
    "found a tab character that violates indentation": _TAB,
    "mapping values are not allowed in this context": (
        "a second ': ' in one line, or a line that is indented differently from the one above",
        "align it with its neighbours; put a text that contains ': ' into quotes",
    ),
    "did not find expected '-' indicator": (
        "this line does not fit into the list above it",
        "indent it like the other entries, or begin it with '- '",
    ),
    "did not find expected key": (
        "this line does not fit into the block above it",
        "indent it like the lines above, and close every quote and bracket before it",
    ),
    "could not find expected ':'": ("a key without ': ' after it", "write 'key: value', with a space after the colon"),
    "found unexpected end of stream": ("a quote that is opened here is never closed", "close the quote"),
    "found duplicate anchor": ("this anchor name is taken", "choose another name"),
    "found undefined alias": ("this alias (*name) has no anchor (&name) before it", "define the anchor first"),
    "but found another document": ("a second document begins here ('---')", "keep one document in the file"),
    "exceeded maximum nesting depth": ("far too many levels of nesting", "a configuration needs about six"),
    "found unknown escape character": (
        "an unknown escape (a backslash) in double quotes",
        "use single quotes, which leave backslashes alone",
    ),
    "did not find expected node content": (
        "a bracket that is opened here is never closed, or a value is missing",
        "close it, or write the value",
    ),
    "did not find expected ',' or ']'": ("a ',' or the closing ']' is missing", "separate with ',' and close the list"),
    "did not find expected ',' or '}'": ("a ',' or the closing '}' is missing", "separate with ',' and close it"),
}


def syntax_problem(error: yaml.YAMLError, text: str, file: str) -> Problem:
    """What the parser refused in `text`, with its place."""
    mark = getattr(error, "problem_mark", None)
    said = str(getattr(error, "problem", "") or error).splitlines()[0]
    if mark is None:
        return Problem(
            Place(file, 1, 1), f"the file is not YAML ({said})", "open it in a text editor and save it again"
        )
    context = getattr(error, "context_mark", None)
    if said == "found unexpected end of stream" and context is not None:
        mark = context
    line, column = mark.line, mark.column
    lines = text.splitlines()
    rest = lines[line][column:] if line < len(lines) else ""
    if said == "found character that cannot start any token":
        what, todo = _bad_start(rest)
    else:
        what, todo = _SYNTAX.get(said, (f"this is not YAML ({said})", "look at this line and the one above"))
    return Problem(Place(file, line + 1, column + 1), what, todo)


def _bad_start(rest: str) -> tuple[str, str]:
    if rest.startswith("\t"):
        return _TAB
    return f"a value may not begin with '{rest[:1]}'", "put the value into quotes"
