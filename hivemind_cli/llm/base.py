"""The Provider port: structured output in, a checked value and a receipt out."""

from dataclasses import dataclass
from typing import Any, Protocol

from hivemind_cli.core.errors import ProviderError, ProviderUnavailable
from hivemind_cli.core.records import JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One question to a model."""

    purpose: str
    """codify, check, judge, replay: for receipts."""
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


class Provider(Protocol):
    """An LLM that can be asked. Anything but a fitting answer is a ProviderError, never a guess."""

    @property
    def name(self) -> str:
        """anthropic, claude, ...: for receipts and `status`."""

    def available(self) -> str:
        """ "" if it can be asked now; else what is missing, in words for the person."""

    def complete(self, request: Request) -> Reply:
        """Ask once. ProviderUnavailable: may succeed later. ProviderError: will not."""
