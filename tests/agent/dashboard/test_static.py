"""The files of the page: complete, unchanged, and nothing from outside."""

import hashlib
import json
import re
from pathlib import Path

from agent.dashboard.server import STATIC

OWN = [path for path in STATIC.iterdir() if path.suffix in (".js", ".css", ".html", ".svg")]
SCRIPT = "\n".join(path.read_text("utf-8") for path in OWN)


def catalogue(name: str) -> dict[str, str]:
    return dict(json.loads((STATIC / f"{name}.json").read_text("utf-8")))


def test_vendored_files_are_what_they_were() -> None:
    """The list of checksums holds every file of others, with its licence."""
    lines = (STATIC / "vendor" / "SHA256SUMS").read_text("utf-8").splitlines()
    listed = {name: digest for digest, name in (line.split(maxsplit=1) for line in lines)}
    found = {
        path.relative_to(STATIC / "vendor").as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (STATIC / "vendor").rglob("*")
        if path.is_file() and path.name != "SHA256SUMS"
    }

    assert listed == found
    assert "uplot/LICENSE" in found


def test_both_languages_say_the_same_things() -> None:
    """Every word of the page is there in English and in Chinese, with the same blanks to fill."""
    english, chinese = catalogue("en"), catalogue("zh")
    words = {key: text for key, text in chinese.items() if not key.startswith("signal.")}

    assert {key for key in english if not key.startswith("signal.")} == set(words)
    assert {key: set(re.findall(r"\{\w+\}", english[key])) for key in words} == {
        key: set(re.findall(r"\{\w+\}", text)) for key, text in words.items()
    }


def test_every_word_that_is_asked_for_exists() -> None:
    """text('…') and data-text name words of the catalogue."""
    asked = set(re.findall(r"\btext\('([a-z0-9_.]+)'", SCRIPT)) | set(re.findall(r'data-text="([a-z_]+)"', SCRIPT))

    assert asked - set(catalogue("en")) == set()


def test_nothing_comes_from_outside() -> None:
    """No file of the page names another host; the one address allowed is the name space of SVG."""
    addresses = set(re.findall(r"https?://[^\s\"'`)]+", SCRIPT))

    assert addresses == {"http://www.w3.org/2000/svg"}


def test_no_markup_is_made_from_text() -> None:
    """What machines send is shown as text: no innerHTML, no inline script or style."""
    assert re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\son\w+=\"|\sstyle=\"", SCRIPT) == []


def test_the_page_is_light() -> None:
    """All files together stay below 150 kB before compression."""
    assert sum(path.stat().st_size for path in STATIC.rglob("*") if isinstance(path, Path) and path.is_file()) < 150_000
