"""What is wrong with a text of a model's draft, as far as rules tell: it speaks to a model, adds or turns something.

A model may say it in other words; it may not say another thing, name what nobody named, or want the opposite.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence

from hivemind_cli.core.acts import Act
from hivemind_cli.core.match import content
from hivemind_cli.core.records import Correction, CorrectionKind
from hivemind_cli.core.shell import simple_commands
from hivemind_cli.core.terms import weight
from hivemind_cli.pipeline.spoken import addressed, own_words
from hivemind_cli.pipeline.wording import Polarity, denies, topic

SHARED_MIN = 0.4
"""Share of a text's topic terms, by weight, that must come from what happened: in other words, not another thing."""
MOMENT_SHARED_MIN = 0.25
"""... of what only tells a moment: it is seldom told in the words of the rule."""
NAME_SHARED_MIN = 1 / 3
"""... of a name, by number: it is English whatever language the person speaks."""
_SAME_START = 4
"""Letters from which one term that begins another counts as the same: "build", "building"."""
_ENDING_MAX = 3
"""Letters of an ending, which a shorter term may have: "fix", "fixing"."""
_SAME_SHARE = 2 / 3
"""Share of two terms' letters, from the start, from which they count as forms of one word: "closed", "closes"."""
_CODE = re.compile(r"`+([^`]+)`+")
_EXACT = re.compile(r"\S*[/_\\=@$|]\S*|\S*\w\.\w\S*|(?<!\S)-{1,2}\w\S*")
"""Words that look like a command, option, path or address: they must be the person's, not the model's."""
_ABBREVIATED = re.compile(r"\b(?:[^\W\d_]\.\s?){2,}")
"""`e.g.`, `z. B.`"""
_LINK = re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s`'\"<>)\]]+|\bwww\.[^\s`'\"<>)\]]+", re.IGNORECASE)
_LETTERS = re.compile(r"[^\W\d_]+")
_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
_COMMAND_WORD = re.compile(r"-{0,2}[A-Za-z][A-Za-z0-9_-]{0,23}")
_COMMAND_WORDS_MAX = 3
"""Words of the agent's command besides options that a text may repeat: program and subcommands, none of its texts."""
_OPENING = re.compile(r"^use (?=when)|^(?:when|before|after|quand|lorsque|cuando|quando|wanneer)\b", re.IGNORECASE)
"""What a moment begins with; it says nothing of it."""
_PART = re.compile(r"[.:;!?…](?:\s|$)|[。！？：；]|\s[–—-]\s")
"""Between the statements of one text."""
_PART_TERMS_MIN = 2
"""Topic terms from which a statement says something of its own."""
_NUMBER_WORDS = (
    ("zero null zéro cero ноль", "0"),
    ("one", "1"),
    ("two twice both zwei zweimal deux dos duas due twee два две dwa två", "2"),
    ("three drei trois tres três tre drie три trzy", "3"),
    ("four vier quatre cuatro quatro quattro четыре cztery fyra", "4"),
    ("five fünf cinq cinco cinque vijf пять pięć fem", "5"),
    ("six sechs seis sei zes шесть sześć sex", "6"),
    ("seven sieben sept siete sete sette zeven семь siedem sju", "7"),
    ("eight acht huit ocho oito otto восемь osiem åtta", "8"),
    ("nine neun neuf nueve nove negen девять dziewięć nio", "9"),
    ("ten zehn dix diez dez dieci tien десять dziesięć tio", "10"),
    ("twelve zwölf douze doce doze dodici twaalf двенадцать dwanaście tolv", "12"),
)
_DIGITS = {word: digits for words, digits in _NUMBER_WORDS for word in words.split()}


def fault(text: str, section: str, carrying: Sequence[Correction]) -> str:
    """What is wrong with a text that claims to rest on `carrying`, in words; "" if nothing."""
    why = strange(text, section, carrying)
    if why:
        return why
    if not _about(text, section, carrying):
        return "it shares too few words with what happened"
    return "it says the opposite of what the person said" if _turned(text, section, carrying) else ""


def strange(text: str, section: str, carrying: Sequence[Correction]) -> str:
    """What in a text could do harm, and no person said: as `harmful`, or a command, an option, a number; or ""."""
    why = harmful(text, carrying)
    if why:
        return why
    known = _known(section, carrying)
    if not all(_said(one, known) or (section != "do" and _quoted(one, carrying)) for one in _exact(text)):
        return "it names a command, path or option that nobody said"
    spoken = _spoken(carrying)
    done = "" if section == "do" else "\n".join(map(_done, carrying))
    if not set(_NUMBER.findall(text)) <= _numbers(f"{spoken}\n{done}"):
        return "it holds a number that nobody said"
    return ""


def harmful(text: str, carrying: Sequence[Correction]) -> str:
    """How a text speaks to a model, leads elsewhere or passes for another, in words; "" if it does none of it."""
    why = addressed(text)
    if why:
        return why
    if unsaid_link(text, carrying):
        return "it holds a link that the person did not say"
    if any(_mixed(word) and word not in _spoken(carrying) for word in _LETTERS.findall(text)):
        return "it holds a word of two scripts, which reads as another"
    return ""


def unsaid_link(text: str, carrying: Sequence[Correction]) -> bool:
    """Does it hold an address that the person did not say?"""
    links = _LINK.findall(text)
    return bool(links) and any(link.rstrip(".,;…") not in _spoken(carrying) for link in links)


def named_by(name: str, texts: Sequence[str]) -> bool:
    """Are enough words of a skill's `name` words of these texts?"""
    own = topic(name.replace("-", " "))
    return bool(own) and len(shared(own, content("\n".join(texts)))) >= NAME_SHARED_MIN * len(own)


def meant(text: str, section: str) -> Polarity:
    """What a line wants and does not want: what stands under `do_not` is not wanted, whether or not it says so itself;
    a `do` line wants all that it does not call unwanted.
    """
    if section == "do_not":
        said = Polarity.of(text if denies(text) else f"never {text}")
        if said.wanted or said.unwanted:
            return said
        return Polarity(frozenset(), content(" ".join(_CODE.findall(text))) or content(text))
    said = Polarity.of(text)
    if section == "do":
        return Polarity(content(text) - said.unwanted, said.unwanted)
    return said if section in ("title", "note") else Polarity(frozenset(), frozenset())


def shared(own: frozenset[str], known: frozenset[str]) -> set[str]:
    """Terms of `own` that are among `known`, or are another form of one of them; accents do not count."""
    plain = {_unaccented(term) for term in known}
    return {term for term in own if (bare := _unaccented(term)) in plain or any(_forms(bare, one) for one in plain)}


def _about(text: str, section: str, carrying: Sequence[Correction]) -> bool:
    """Is it about what happened, by its words? The whole by most of them, each of its statements by some."""
    known = _known(section, carrying)
    parts = [topic(part) for part in _PART.split(_ABBREVIATED.sub(" ", text))]
    if any(len(part) >= _PART_TERMS_MIN and not shared(part, known) for part in parts):
        return False
    code = content(" ".join(_CODE.findall(text)))
    named = code | content("\n".join(head for one in carrying if one.act for head in Act.of(one.act).heads))
    told = topic(text) | code
    if section not in ("when", "description"):
        return _share(told or content(text), known, named) >= SHARED_MIN
    plain = _OPENING.sub("", text)
    # A moment is told by its verb, too: what is about to be written, added, run.
    return max(_share(told - content("use"), known, named), _share(content(plain), known, named)) >= MOMENT_SHARED_MIN


def _share(own: frozenset[str], known: frozenset[str], named: frozenset[str]) -> float:
    """0..1, by weight: short words say little in every language, commands say much."""
    common = shared(own, known)
    weights = {term: 1.0 if term in named else weight(term) for term in own if len(term) > 1 or term in common}
    whole = sum(weights.values())
    return sum(weights[term] for term in common) / whole if whole else 0.0


def _turned(text: str, section: str, carrying: Sequence[Correction]) -> bool:
    """Does it want what the person does not want, or the other way round, more than it says what the person said?"""
    line, about = meant(text, section), topic(text)
    agree = disagree = 0
    for one in carrying:
        quote = own_words(one.quote)
        person = Polarity.of(quote)
        against = (line.wanted & person.unwanted) | (line.unwanted & person.wanted)
        disagree += len(against)
        same = (line.wanted & person.wanted) | (line.unwanted & person.unwanted) | (about & topic(quote))
        agree += len(same - against) + sum(any(map(str.isdigit, term)) for term in same - against)  # a port says much
    return disagree > agree


def _exact(text: str) -> list[str]:
    """Code, and words outside of it that look like a command, option, path or address."""
    return [*_CODE.findall(text), *_EXACT.findall(_ABBREVIATED.sub(" ", _CODE.sub(" ", text)))]


def _said(code: str, known: frozenset[str]) -> bool:
    return {_unaccented(term) for term in content(code)} <= {_unaccented(term) for term in known}


def _quoted(code: str, carrying: Sequence[Correction]) -> bool:
    """Does it repeat the beginning of the agent's command, word for word, with or without its options?"""
    words = code.split()
    plain = [word for word in words if word[:1] != "-"]
    if not words or len(plain) > _COMMAND_WORDS_MAX or not all(map(_COMMAND_WORD.fullmatch, words)):
        return False
    return any(_begins(command, words) for one in carrying for command in _commands(one))


def _begins(command: Sequence[str], words: Sequence[str]) -> bool:
    """Are the plain ones among `words` the first plain ones of `command`, and its options options of it?"""
    plain = [word for word in words if word[:1] != "-"]
    options = {word for word in words if word[:1] == "-"}
    return [word for word in command if word[:1] != "-"][: len(plain)] == plain and options <= set(command)


def _commands(correction: Correction) -> Iterator[list[str]]:
    if correction.act:
        yield from simple_commands(Act.of(correction.act).command)


def _numbers(text: str) -> set[str]:
    """The numbers in a text, in digits, however they are written."""
    words = (_DIGITS.get(word) for word in _LETTERS.findall(text.casefold()))
    return {*_NUMBER.findall(text), *(digits for digits in words if digits)}


def _spoken(carrying: Sequence[Correction]) -> str:
    return "\n".join(f"{own_words(one.quote)}\n{one.after}\n{own_words(one.task)}" for one in carrying)


def _known(section: str, carrying: Sequence[Correction]) -> frozenset[str]:
    """The terms that a text of this section may take its commands and names from."""
    return content("\n".join([_spoken(carrying), *(() if section == "do" else map(_done, carrying))]))


def _done(correction: Correction) -> str:
    """What may be told of the agent's act: heads and options of its commands, the kind of file; none of its texts."""
    act = Act.of(correction.act) if correction.act else None
    if act is None:
        return ""
    options = (word.partition("=")[0] for words in simple_commands(act.command) for word in words if word[:1] == "-")
    by_hand = correction.before if correction.kind is CorrectionKind.HAND_EDIT else ""
    return "\n".join((*act.heads, *options, act.path, act.path_class, act.tool, by_hand))


def _forms(one: str, two: str) -> bool:
    """Are they forms of one word, by their beginnings?"""
    short, long = sorted((one, two), key=len)
    alike = next((n for n in range(len(short)) if one[n] != two[n]), len(short))
    if alike == len(short) >= _SAME_START - 1:
        return len(short) >= _SAME_START or len(long) - len(short) <= _ENDING_MAX
    return alike >= max(_SAME_START, _SAME_SHARE * len(long))


def _unaccented(term: str) -> str:
    return "".join(char for char in unicodedata.normalize("NFD", term) if not unicodedata.combining(char))


def _mixed(word: str) -> bool:
    """Latin letters among Cyrillic or Greek ones."""
    scripts = {unicodedata.name(char, "").partition(" ")[0] for char in word}
    return "LATIN" in scripts and bool(scripts & {"CYRILLIC", "GREEK"})
