"""The Provider port: structured output in, a checked value and a receipt out."""

from dataclasses import dataclass
from typing import Any, Protocol

from hivemind_cli.core.errors import ProviderError, ProviderUnavailable
from hivemind_cli.core.records import JSON

WORDS_MAX = 300
"""Characters of what a provider said that an error passes on."""
_SAID_CHARS_MAX = 20_000
"""... and that are looked through for secrets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One question to a model."""

    purpose: str
    """codify, check, judge, replay, evaluate: for receipts."""
    subject: str = ""
    """skill_id it is about, for receipts; "" for none."""
    system: str
    prompt: str
    schema: JSON
    """JSON Schema of the answer (an object)."""
    tokens_max: int = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A checked answer, and what it cost."""

    value: dict[str, Any]
    """Fits the request's schema."""
    model: str
    tokens_in: int = 0
    tokens_out: int = 0
    cost_usd: float = 0.0
    latency_ms: float = 0.0


class Busy(ProviderUnavailable):
    """The service said when to come back (a 429 with Retry-After)."""

    def __init__(self, what: str, *, why: str = "", fix: str = "", retry_after_s: float) -> None:
        super().__init__(what, why=why, fix=fix)
        self.retry_after_s = retry_after_s
        """Seconds, as the service asked."""


class BadAnswer(ProviderError):
    """The model answered, and had to be paid, but what it said is of no use."""

    def __init__(self, what: str, *, why: str = "", fix: str = "", spent: Reply) -> None:
        super().__init__(what, why=why, fix=fix)
        self.spent = spent
        """What the answer cost; its `value` is empty."""


class Interrupted(ProviderUnavailable):
    """The service failed in the middle of what has to be paid: it may succeed later."""

    def __init__(self, what: str, *, why: str = "", fix: str = "", spent: Reply) -> None:
        super().__init__(what, why=why, fix=fix)
        self.spent = spent
        """What it cost; its `value` is empty."""


def words_of(said: str, *, end: bool = False) -> str:
    """What a program or a service said, for an error: its beginning or end, on one line, without secrets."""
    from hivemind_cli.core import redact  # dear (it compiles its patterns), and errors are rare

    near = said[-_SAID_CHARS_MAX:] if end else said[:_SAID_CHARS_MAX]
    line = "".join(one for one in " ".join(redact.text(near).split()) if one.isprintable())
    return line[-WORDS_MAX:] if end else line[:WORDS_MAX]


class Provider(Protocol):
    """An LLM that can be asked. Anything but a fitting answer is a ProviderError, never a guess."""

    @property
    def name(self) -> str:
        """anthropic, claude, ...: for receipts and `status`."""

    def available(self) -> str:
        """ "" if it can be asked now; else what is missing, in words for the person."""

    def complete(self, request: Request) -> Reply:
        """Ask once. ProviderUnavailable: may succeed later. ProviderError: will not."""
