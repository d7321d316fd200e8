"""What the hook says without the daemon: each host's own answers, with a hole for the text.

They are made by the hosts' `encode_answer`, so the hook needs to know no host's words.
"""

import json
from collections.abc import Iterable, Iterator

from hivemind_cli.core.hook_settings import TEXT, Saying
from hivemind_cli.core.records import Moment
from hivemind_cli.hosts.base import Answer, Host

_HOLE = "hivemind-text"
_WIDE = "\u3042"
"""Three bytes in UTF-8."""


def sayings(hosts: Iterable[Host]) -> tuple[Saying, ...]:
    """One for each event at which one of these hosts takes text; the snapshot has none for a start."""
    return tuple(saying for host in hosts if host.HOOK_NAME == host.NAME for saying in _of_host(host))


def _of_host(host: Host) -> Iterator[Saying]:
    for event, moment in host.EVENTS.items():
        if moment is None or moment is Moment.SESSION_START:
            continue
        line = host.encode_answer(event, Answer(moment, _HOLE)).decode("utf-8").removesuffix("\n")
        hole = json.dumps(_HOLE)
        if line.count(hole) == 1 and "\n" not in line:
            chars_max, wide_max = _most(host, event, moment, "a"), _most(host, event, moment, _WIDE)
            yield Saying(host.NAME, event, line.replace(hole, TEXT), chars_max, wide_max * len(_WIDE.encode()))


def _most(host: Host, event: str, moment: Moment, letter: str) -> int:
    """So many of this letter are said, and not one more."""
    said, too_many = 1, host.TEXT_CHARS_MAX + 1
    while said + 1 < too_many:
        half = (said + too_many) // 2
        if host.encode_answer(event, Answer(moment, letter * half)):
            said = half
        else:
            too_many = half
    return said
