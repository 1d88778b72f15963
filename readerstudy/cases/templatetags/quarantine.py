"""``{% quarantined as n %}``: how many cases wait in quarantine, for the tabs of every page of cases."""

from __future__ import annotations

from django import template

from readerstudy.cases import queries

register = template.Library()


@register.simple_tag
def quarantined() -> int:
    return queries.quarantined().count()
