"""The same values written as people write JSONC and JSON5: comments anywhere, stray commas, names without quotes."""

import json
import math
from random import Random
from typing import Any

from hivemind_cli.hosts.jsontext import Dialect

SPACES = ("", "", " ", "\n", "\t", "\r\n  ")
COMMENTS = ("// a, b: [c}\n", "// 'it\r\n", "/* x, } */", "/**/", "/* \n two */", "/* // ** */")


def written(value: Any, dialect: Dialect, random: Random) -> str:
    """`value` in that dialect; which of its freedoms are taken is the dice's."""

    def gap() -> str:
        parts = [random.choice(SPACES)]
        while dialect is not Dialect.JSON and random.random() < 0.25:
            parts += [random.choice(COMMENTS), random.choice(SPACES)]
        return "".join(parts)

    def container(opening: str, closing: str, children: list[str]) -> str:
        said = opening + gap() + ",".join(child + gap() for child in (f"{gap()}{child}" for child in children))
        if children and dialect is not Dialect.JSON and random.random() < 0.4:
            said += "," + gap()
        return said + closing

    def name(key: str) -> str:
        bare = dialect is Dialect.JSON5 and key.isidentifier() and key.isascii()
        return key if bare and random.random() < 0.5 else string(key)

    def string(said: str) -> str:
        if dialect is not Dialect.JSON5 or random.random() < 0.5:
            return json.dumps(said, ensure_ascii=random.random() < 0.5)
        quoted = json.dumps(said)[1:-1].replace("'", "\\'").replace('\\"', random.choice(('"', '\\"')))
        return f"'{random.choice(('', chr(92) + chr(10), chr(92) + chr(13) + chr(10)))}{quoted}'"

    def number(value: float) -> str:
        if math.isinf(value):
            return random.choice(("", "+")) + "Infinity" if value > 0 else "-Infinity"
        plain = json.dumps(value)
        if dialect is not Dialect.JSON5 or random.random() < 0.5:
            return plain
        if isinstance(value, int):
            return hex(value) if random.random() < 0.5 else plain + random.choice((".", ".e0"))
        return plain if plain.startswith("-") else "+" + plain.removeprefix("0")

    def one(value: Any) -> str:
        if isinstance(value, dict):
            return container("{", "}", [f"{name(key)}{gap()}:{gap()}{one(item)}" for key, item in value.items()])
        if isinstance(value, list):
            return container("[", "]", [one(item) for item in value])
        if isinstance(value, str):
            return string(value)
        return number(value) if isinstance(value, int | float) and not isinstance(value, bool) else json.dumps(value)

    return gap() + one(value) + gap()
