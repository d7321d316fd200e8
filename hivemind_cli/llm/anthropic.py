"""Claude through Anthropic's SDK. Imports dear (about a second): only the worker process loads this file."""

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from hivemind_cli.core.errors import ProviderError, ProviderUnavailable
from hivemind_cli.core.headless import number
from hivemind_cli.llm.base import BadAnswer, Busy, Reply, Request, words_of
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
        told = vars(usage)
        fresh, out = (int(number(told, name)) for name in ("input_tokens", "output_tokens"))
        written, read = (int(number(told, f"cache_{name}_input_tokens")) for name in ("creation", "read"))
        return Reply(
            value={},
            model=self._model,
            tokens_in=fresh + written + read,
            tokens_out=out,
            cost_usd=cost_usd(self._model, fresh=fresh, written=written, read=read, out=out),
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
            raise ProviderUnavailable("Anthropic cannot be reached.", why=self._words(exc)) from exc
        except anthropic.APIStatusError as exc:
            if exc.status_code in (408, 409, 429) or exc.status_code >= 500:
                what, why = f"Anthropic is busy ({exc.status_code}).", self._words(exc)
                wait_s = retry_after_s(exc.response.headers)
                if wait_s is not None:
                    raise Busy(what, why=why, retry_after_s=wait_s) from exc
                raise ProviderUnavailable(what, why=why) from exc
            fix = "Check the key, and the model's name in `llm.model`." if exc.status_code in (401, 403, 404) else ""
            raise ProviderError(
                f"Anthropic refused the request ({exc.status_code}).", why=self._words(exc), fix=fix
            ) from exc
        except (anthropic.AnthropicError, ValueError, TypeError) as exc:  # a body that is no JSON escapes the SDK as is
            raise ProviderError("Anthropic's answer could not be read.", why=self._words(exc)) from exc
        if not getattr(message, "usage", None) or not isinstance(getattr(message, "content", None), list):
            raise ProviderError("Anthropic's answer is no message.", fix="Is ANTHROPIC_BASE_URL what it should be?")
        return message

    def _words(self, exc: Exception) -> str:
        """Of the service, which may repeat the key that it was given."""
        return words_of(str(exc).replace(self._key, "[key]"))


def _answer(message: Any, request: Request) -> dict[str, Any]:
    if message.stop_reason == "refusal":
        raise ProviderError("The model declined to answer.")
    if message.stop_reason == "max_tokens":
        raise ProviderError("The model's answer was cut off.", why=f"It passed {request.tokens_max} tokens.")
    texts = (block.text for block in message.content if getattr(block, "type", "") == "text")
    return parse_answer("".join(text for text in texts if isinstance(text, str)), request.schema)


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
