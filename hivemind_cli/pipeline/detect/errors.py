"""Error texts made comparable: what changes from run to run is folded."""

import re

ERROR_CHARS_MAX = 1500
LINES_MAX = 12
LINE_CHARS_MAX = 300
TEXT_CHARS_MAX = 2000
"""Of one text that is folded."""
COLOUR = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
"""What a terminal understands as colour and movement."""
_FOLDS = (
    (re.compile(r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b", re.IGNORECASE), "#"),
    (re.compile(r"\b0x[0-9a-f]+\b", re.IGNORECASE), "#"),
    (re.compile(r"\b(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{7,64}\b", re.IGNORECASE), "#"),
    (re.compile(r"\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?"), "0"),
    (re.compile(r"(?:[A-Za-z]:)?(?:[\w.@~+-]{0,100}[/\\])+(?=[\w.@+-])"), ""),  # folders; the file's own name stays
    (re.compile(r"(\.[A-Za-z]{1,4}|[)\]]):\d+(?::\d+)?"), r"\1"),
    (re.compile(r"(?<![\w])\d+(?:[.,:]\d+)*(?=(?:ms|s|m|h|kb|mb|gb|b|px|%)?(?![\w]))", re.IGNORECASE), "0"),
)
TELLS = re.compile(
    r"error|exception|fail|fatal|cannot|can't|could not|unable|not found|no such|denied|refused|invalid|unknown"
    r"|undefined|unexpected|unrecognized|missing|required|expected|panic|abort|conflict|timed? ?out",
    re.IGNORECASE,
)
"""A line in which something went wrong, perhaps."""
_HARMLESS = re.compile(r"\bwarn(?:ing)?\b|\bdeprecat|\b0 (?:fail|error)|\bpass(?:ed)?\b|✓|✔|\bok\b", re.IGNORECASE)


def normal_error(text: str) -> str:
    """`text` with folders, line numbers, numbers, hexadecimal ids and times folded, blanks joined."""
    text = COLOUR.sub("", text[:TEXT_CHARS_MAX])
    for pattern, by in _FOLDS:
        text = pattern.sub(by, text)
    return " ".join(text.split())


def error_lines(text: str) -> str:
    """The lines of an error that tell what went wrong, normalised, without repeats; its last lines if none tells."""
    lines = [line for line in COLOUR.sub("", text).splitlines() if line.strip()]
    telling = [line for line in lines if TELLS.search(line) and not _HARMLESS.search(line)] or lines[-3:]
    half = LINES_MAX // 2  # compilers name the cause first, interpreters last
    chosen = telling if len(telling) <= LINES_MAX else telling[:half] + telling[-half:]
    found = dict.fromkeys(normal_error(line)[:LINE_CHARS_MAX] for line in chosen)
    return "\n".join(found)[:ERROR_CHARS_MAX]
