"""What models cost: for receipts, for estimates before a call, and for the day's cap."""

MODEL = "claude-haiku-4-5"
"""What is asked unless a person names another."""
Price = tuple[float, float]
"""US dollars for a million tokens: in, out."""
# As published on 2026-11-20.
PRICES: dict[str, Price] = {
    "claude-haiku-4": (1.0, 5.0),
    "claude-sonnet-4": (3.0, 15.0),
    "claude-opus-4": (5.0, 25.0),
    "claude-opus-5": (5.0, 25.0),
    "claude-fable-5": (10.0, 50.0),
}
"""Name's beginning -> its price; platform.claude.com/docs/en/about-claude/pricing."""
_ALIASES = {"haiku": "claude-haiku-4", "sonnet": "claude-sonnet-4", "opus": "claude-opus-5"}
"""Claude Code's own short names, for the newest of each."""
DEAREST: Price = max(PRICES.values())
"""What an unknown model is reckoned at, so that the day's cap errs to the safe side."""
FREE: Price = (0.0, 0.0)
"""Of programs on a person's subscription that tell no price."""
CACHE_WRITE, CACHE_READ = 1.25, 0.1
"""Times the price of a token in."""
CHARS_A_TOKEN = 4
"""About so many characters of English or code make a token."""


def price_of(model: str) -> Price:
    """The price of `model`, by its full name or Claude Code's alias; DEAREST for one that is not known."""
    name = _ALIASES.get(model, model)
    return next((price for known, price in PRICES.items() if name.startswith(known)), DEAREST)


def cost_usd(model: str, *, fresh: int, written: int, read: int, out: int) -> float:
    """The price of a call by its tokens: fresh, written to the cache, read from it, and given out."""
    price_in, price_out = price_of(model)
    return (price_in * (fresh + CACHE_WRITE * written + CACHE_READ * read) + price_out * out) / 1_000_000


def priced(price: Price, tokens_in: int, tokens_out: int) -> float:
    """US dollars of so many tokens, none of them cached."""
    return (price[0] * tokens_in + price[1] * tokens_out) / 1_000_000


def tokens_of(*texts: str) -> int:
    """About how many tokens the texts are, rounded up."""
    return -(-sum(map(len, texts)) // CHARS_A_TOKEN)
