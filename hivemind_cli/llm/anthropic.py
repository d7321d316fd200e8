"""Claude through Anthropic's SDK. Imports dear (about a second): only the worker process loads this file."""

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from hivemind_cli.core.errors import ProviderError, ProviderUnavailable
from hivemind_cli.llm.base import BadAnswer, Busy, Reply, Request
from hivemind_cli.llm.prices import MODEL, cost_usd
from hivemind_cli.llm.schema import parse_answer, without_bounds


class Anthropic:
    """One model of Anthropic's. The key lives in this object only; it is in no repr, log or error."""

    name = "anthropic"

    def __init__(self, *, key: str, model: str = "", base_url: str = "", timeout_s: float = 90.0) -> None:
        self._key = key
        self._model = model or MODEL
        self._base_url = base_url
        self._timeout_s = timeout_s

    def __repr__(self) -> str:
        return f"Anthropic(model={self._model!r})"

    def available(self) -> str:
        """ "" with a key and the SDK; else what is missing."""
        from importlib.util import find_spec

        if find_spec("anthropic") is None:
            return "the anthropic package is not installed: pip install 'hivemind-loop[anthropic]'"
        return "" if self._key else "there is no API key"

    def complete(self, request: Request) -> Reply:
        """Ask once; the vendor's own retries are off, since retrying has one place (llm/meter.py)."""
        missing = self.available()
        if missing:
            raise ProviderError("Anthropic cannot be asked.", why=f"{missing[0].upper()}{missing[1:]}.")
        started = time.monotonic()
        message = self._ask(request)
        spent = self._spent(message.usage, (time.monotonic() - started) * 1000)
        try:
            return replace(spent, value=_answer(message, request))
        except ProviderError as exc:
            raise BadAnswer(exc.what, why=exc.why, spent=spent) from exc

    def _spent(self, usage: Any, latency_ms: float) -> Reply:
        written = usage.cache_creation_input_tokens or 0
        read = usage.cache_read_input_tokens or 0
        cost = cost_usd(self._model, fresh=usage.input_tokens, written=written, read=read, out=usage.output_tokens)
        return Reply(
            value={},
            model=self._model,
            tokens_in=usage.input_tokens + written + read,
            tokens_out=usage.output_tokens,
            cost_usd=cost,
            latency_ms=latency_ms,
        )

    def _ask(self, request: Request) -> Any:
        import anthropic

        try:
            with anthropic.Anthropic(
                api_key=self._key, base_url=self._base_url or None, timeout=self._timeout_s, max_retries=0
            ) as client:
                message = client.messages.create(
                    model=self._model,
                    max_tokens=request.tokens_max,
                    system=[{"type": "text", "text": request.system, "cache_control": {"type": "ephemeral"}}],
                    messages=[{"role": "user", "content": request.prompt}],
                    output_config={"format": {"type": "json_schema", "schema": without_bounds(request.schema)}},
                )
        except anthropic.APIConnectionError as exc:  # timeouts are one of these
            raise ProviderUnavailable("Anthropic cannot be reached.", why=_words(exc)) from exc
        except anthropic.APIStatusError as exc:
            if exc.status_code in (408, 409, 429) or exc.status_code >= 500:
                what, why = f"Anthropic is busy ({exc.status_code}).", _words(exc)
                wait_s = retry_after_s(exc.response.headers)
                if wait_s is not None:
                    raise Busy(what, why=why, retry_after_s=wait_s) from exc
                raise ProviderUnavailable(what, why=why) from exc
            fix = "Check the key, and the model's name in `llm.model`." if exc.status_code in (401, 403, 404) else ""
            raise ProviderError(
                f"Anthropic refused the request ({exc.status_code}).", why=_words(exc), fix=fix
            ) from exc
        except (anthropic.AnthropicError, ValueError, TypeError) as exc:  # a body that is no JSON escapes the SDK as is
            raise ProviderError("Anthropic's answer could not be read.", why=_words(exc)) from exc
        if not getattr(message, "usage", None) or not isinstance(getattr(message, "content", None), list):
            raise ProviderError("Anthropic's answer is no message.", fix="Is ANTHROPIC_BASE_URL what it should be?")
        return message


def _answer(message: Any, request: Request) -> dict[str, Any]:
    if message.stop_reason == "refusal":
        raise ProviderError("The model declined to answer.")
    if message.stop_reason == "max_tokens":
        raise ProviderError("The model's answer was cut off.", why=f"It passed {request.tokens_max} tokens.")
    return parse_answer("".join(block.text for block in message.content if block.type == "text"), request.schema)


def _words(exc: Exception) -> str:
    return " ".join(str(exc).split())[:300]


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """The seconds that Retry-After asks for, as a number or a date; None if it does not say."""
    said = headers.get("retry-after", "")
    with suppress(ValueError):
        seconds = float(said)
        return seconds if 0 <= seconds < float("inf") else None
    with suppress(ValueError, TypeError):
        when = parsedate_to_datetime(said)
        return max((when - datetime.now(UTC)).total_seconds(), 0.0)
    return None
