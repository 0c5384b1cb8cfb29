"""Topic templates, pure: `plant/{line}/{machine}/energy` against what a broker sends."""

from __future__ import annotations

import re

_PLACEHOLDER = re.compile(r"{([^{}/]*)}")


class Template:
    """A topic with placeholders and MQTT wildcards.

    A placeholder stands for one level, or for a part of one (`meter-{sn}`). `+` stands for one level, `#` at the end
    for all that follow. As in MQTT, wildcards at the start do not match topics that begin with `$`.
    Raises ValueError, for people, where the template is not one.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        levels = text.split("/")
        if levels[0] == "$share" and len(levels) > 2:
            self._shared, levels = levels[:2], levels[2:]
        else:
            self._shared = []
        self.names = tuple(_PLACEHOLDER.findall(text))
        for level in levels:
            _check(level, text, is_last=level is levels[-1])
        if len(set(self.names)) != len(self.names):
            raise ValueError(f"a placeholder is there twice in {text!r}; use two names")
        self.filter = "/".join([*self._shared, *("+" if "{" in level else level for level in levels)])
        self._pattern = re.compile(_regex(levels), re.DOTALL)

    def match(self, topic: str) -> dict[str, str] | None:
        """What the placeholders stand for in this topic; None where it does not fit."""
        found = self._pattern.fullmatch(topic)
        return None if found is None else dict(zip(self.names, found.groups(), strict=True))

    def __repr__(self) -> str:
        return f"Template({self.text!r})"


def fill(text: str, values: dict[str, str]) -> str:
    """`text` with its placeholders replaced."""
    return _PLACEHOLDER.sub(lambda found: values[found[1]], text)


def _check(level: str, text: str, *, is_last: bool) -> None:
    rest = _PLACEHOLDER.sub("", level)
    if "{" in rest or "}" in rest:
        raise ValueError(f"a brace is open or stray in {text!r}; placeholders look like {{machine}}")
    if any(not name.isidentifier() for name in _PLACEHOLDER.findall(level)):
        raise ValueError(f"a placeholder in {text!r} has no usable name; use letters, digits and _")
    if ("+" in level and level != "+") or ("#" in level and level != "#"):
        raise ValueError(f"+ and # stand for whole levels only, see {text!r}")
    if level == "#" and not is_last:
        raise ValueError(f"# can only be the last level, see {text!r}")
    if "\0" in level:
        raise ValueError(f"a topic cannot hold a NUL character, see {text!r}")


def _regex(levels: list[str]) -> str:
    parts = []
    for number, level in enumerate(levels):
        slash = "/" if number else ""
        if level == "#":
            parts.append("(?:/.*)?" if number else r"(?!\$).*")
        elif level == "+":
            parts.append(slash + ("" if number else r"(?!\$)") + "[^/]*")
        else:
            pieces = _PLACEHOLDER.split(level)  # text, name, text, name, text
            body = "".join(re.escape(piece) if i % 2 == 0 else "([^/]+)" for i, piece in enumerate(pieces))
            parts.append(slash + ("" if number or pieces[0] != "" else r"(?!\$)") + body)
    return "".join(parts)
