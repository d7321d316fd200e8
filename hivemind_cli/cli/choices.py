"""Words a person may choose from: checked at the door, a misspelt one answered with the nearest."""


def hosts_known() -> list[str]:
    """Ids of the agents that are captured or imported."""
    from hivemind_cli.hosts import HOSTS, READERS

    return sorted({*HOSTS, *READERS})


def known(what: str, value: str, allowed: list[str]) -> str:
    """`value`. ConfigError: it is none of `allowed`."""
    from difflib import get_close_matches

    from hivemind_cli.core.errors import ConfigError

    if value in allowed:
        return value
    near = get_close_matches(value, allowed, n=1)
    raise ConfigError(
        f"There is no {what} {value!r}.",
        why=f"Did you mean {near[0]!r}?" if near else "",
        fix=f"Known are {', '.join(allowed)}.",
    )
