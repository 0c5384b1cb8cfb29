"""Topic templates."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.client import topic_matches_sub

from collectors.mqtt.topics import Template, fill

LEVEL = st.text(alphabet="ab$炉 +", min_size=0, max_size=3).filter(lambda level: "+" not in level)


@pytest.mark.parametrize(
    ("template", "topic", "expected"),
    [
        ("plant/{line}/{machine}/energy", "plant/l1/m1/energy", {"line": "l1", "machine": "m1"}),
        ("plant/{line}/{machine}/energy", "plant/l1/m1/water", None),
        ("plant/{line}/{machine}/energy", "plant//m1/energy", None),
        ("/gw/acrelHW/{product}/data/{sn}", "/gw/acrelHW/ADW300/data/12", {"product": "ADW300", "sn": "12"}),
        ("meters/meter-{sn}", "meters/meter-7", {"sn": "7"}),
        ("meters/meter-{sn}", "meters/gauge-7", None),
        ("工厂/{machine}/电", "工厂/磨床 1/电", {"machine": "磨床 1"}),
        ("a/+/{machine}", "a/x/m", {"machine": "m"}),
        ("{machine}/#", "m", {"machine": "m"}),
        ("{machine}/#", "m/a/b", {"machine": "m"}),
        ("{machine}/#", "$SYS/a", None),
        ("#", "$SYS/a", None),
        ("#", "a/b", {}),
        ("a.b/{machine}", "axb/m", None),
        ("$share/group/a/{machine}", "a/m", {"machine": "m"}),
        ("a/{machine}", "a/new\nline", {"machine": "new\nline"}),
    ],
)
def test_match(template: str, topic: str, expected: dict[str, str] | None) -> None:
    """What the placeholders stand for, or that the topic does not fit."""
    assert Template(template).match(topic) == expected


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("plant/{line}/{machine}/energy", "plant/+/+/energy"),
        ("meters/meter-{sn}/#", "meters/+/#"),
        ("$share/g/a/{machine}", "$share/g/a/+"),
    ],
)
def test_filter(template: str, expected: str) -> None:
    """What is subscribed to."""
    assert Template(template).filter == expected


@pytest.mark.parametrize(
    ("template", "complaint"),
    [
        ("a/{", "brace"),
        ("a/{}}", "brace"),
        ("a/{}", "no usable name"),
        ("a/{ma chine}", "no usable name"),
        ("a/{m}/{m}", "twice"),
        ("a/b+", "whole levels"),
        ("a/#/b", "last level"),
        ("a\0", "NUL"),
    ],
)
def test_what_is_no_template(template: str, complaint: str) -> None:
    """A wrong template is refused with words for people."""
    with pytest.raises(ValueError, match=complaint):
        Template(template)


@given(levels=st.lists(st.one_of(LEVEL, st.just("+")), min_size=1, max_size=4), tail=st.booleans(), topic=st.data())
def test_matches_what_a_broker_would_send(levels: list[str], tail: bool, topic: st.DataObject) -> None:
    """Without placeholders a template fits exactly the topics that its filter brings, as paho sees it."""
    template = "/".join([*levels, "#"] if tail else levels)
    drawn = "/".join(
        topic.draw(st.lists(LEVEL, min_size=max(1, len(levels) - 1), max_size=len(levels) + 1), label="topic")
    )
    if not template or not drawn or template.startswith("$share"):
        return
    assert (Template(template).match(drawn) is not None) == topic_matches_sub(template, drawn)


def test_fill() -> None:
    """Placeholders in a machine's name are replaced."""
    assert fill("meter-{sn}", {"sn": "7"}) == "meter-7"
