"""Which part of a person's words is the rule, and what a skill made of it is called.

Grammar only: no topic stands here. A rule is told by its little words (never, only, instead, must), in the languages
most prompts are written in. Where none of them stands, the first sentence counts: nothing is invented, and nothing is
lost but the name.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from hivemind_cli.core.match import content
from hivemind_cli.core.stopwords import STOPWORDS
from hivemind_cli.core.terms import stem, terms
from hivemind_cli.pipeline.codify.draft import shortened
from hivemind_cli.skills.format import fit_line

NAME_WORDS_MAX = 5
_NAME_CHARS_MAX = 48
_NAME_PARTS_MAX = 6
"""snake_case is two."""
_OPENERS_MAX = 4
_BARE_TOPICS = 3
"""With fewer, a sentence needs the one before it to be understood."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


NEGATIONS = _words(
    "never not no don't dont doesn't won't can't cannot shouldn't mustn't without avoid stop nothing none "
    "nie niemals nicht nichts kein keine keinen keinem keiner ohne jamais pas sans aucun aucune "
    "nunca jamás no sin ningún ninguna não nunca sem mai non senza nooit niet geen zonder "
    "никогда не нельзя без ни ніколи не nigdy nie bez aldrig inte utan ikke uden nikdy ne asla değil hiç"
)
_CONTRASTS = _words("not nicht kein keine pas no não non niet не а nie inte ikke ne değil")
"""Of these, such as set a second thing against a first: "use this, not that"."""
_INSTEAD = _words("instead rather statt anstatt lieu vez lugar invece plutôt вместо zamiast istället místo yerine")
_LIMITS = _words(
    "always only just exclusively immer nur ausschließlich stets toujours seulement uniquement siempre solo sólo "
    "solamente sempre só somente soltanto altijd alleen всегда только лишь завжди тільки zawsze tylko alltid bara "
    "endast altid kun vždy jen jenom daima hep sadece every whenever jedes chaque cada ogni elke каждый"
)
_DEMANDS = _words(
    "must should shall need needs ensure instead prefer required use "
    "muss müssen soll sollen sollte statt stattdessen sondern anstatt doit doivent faut devrait plutôt lieu "
    "debe deben debería deve devem precisa invece deve moet moeten liever hoort "
    "надо нужно должен должна должны вместо лучше следует треба потрібно musi trzeba należy zamiast "
    "måste ska bör istället skal bør musí místo gerek gerekiyor yerine zorunda"
)
_NOBODY = _words(
    "i i'm i've i'd we we're we've you you're your me us our my ich wir du ihr mir uns dir dich je j'ai j nous on vous "
    "tu te toi yo nosotros tú usted eu nós você io noi ik wij we je jij u я мы ты вы мне нам тебе вам ja jag vi du "
    "here hier ici aquí aqui qui тут здесь tu här her zde burada a an the der die das den dem des ein eine einen "
    "le la les un une el los las o os as um uma il lo i gli het een please bitte пожалуйста por favor proszę "
    "tack lütfen and und et y e и oder or it this that is are was were be been do does did"
)
"""Words that a name does without, wherever they stand: who speaks, articles, courtesies."""
_NARRATORS = re.compile(
    r"(?:i|i'm|i've|i'd|you|you've|you're|that|that's|this|it|it's|ich|du|das|je|j'ai|tu|c'est|ça|yo|eso|esto|eu|você|io|hai|"
    r"ik|jij|dat|я|ты|вы|это|jag|jeg|det|ty|já|to)\b",
    re.IGNORECASE,
)
_PHRASES = re.compile(
    r"\b(?:make sure|be sure|next time|from now on|in (?:the )?future|going forward|as a (?:general )?rule|any ?more|"
    r"nächstes mal|ab jetzt|in zukunft|in diesem projekt|à l'avenir|dorénavant|la próxima vez|de ahora en adelante|"
    r"da próxima vez|d'ora in poi|voortaan|в следующий раз|впредь|następnym razem|hädanefter|fremover|příště)\b",
    re.IGNORECASE,
)
"""Of more than one word, which make a sentence a rule."""
_SENTENCE = re.compile(r"(?:(?<=[.!?…])|(?<=[.!?…][\"”»)]))\s+|(?<=[。！？])|\n+")
_WRAPPED_CHARS_MIN = 40
"""A line as long as this may go on in the next."""
_CLAUSE = re.compile(r"\s*[,;:)–—]+(?=\s|$)\s*|\s+\(+\s*|\s(?:-|\|+)\s+|[，；：、（）]\s*")
_TOPIC = re.compile(r"((?:[^\W_]+ ){0,2}[^\W_]+) ?: ")
"""What a rule is about, set before it: "log lines: no colours"."""
_AND = re.compile(r"^(?:and|und|et|y|и|och|og|ve|but|aber|mais|pero|но)\s+(?=\w)", re.IGNORECASE)
_DO_NOT = re.compile(r"\bdo not\b", re.IGNORECASE)
_HEDGE = re.compile(
    r"\b(?:i (?:think|guess|believe)|(?:please )?make sure(?: that| to)?|be sure(?: to)?|"
    r"(?:you|we|i) (?:have|need|want) to|i(?:'d like|'d prefer| would like| prefer| want| need)(?: you)?(?: to)?|"
    r"can (?:you|we)|could you|you (?:can|should|must)|"
    r"we (?:should|must|agreed|decided)(?: on| that)?|it should|there should be|next time|"
    r"(?:remember|note) that|in (?:this|our) (?:repo(?:sitory)?|project|code ?base)|"
    r"in (?:diesem|unserem) (?:repo|projekt)|dans (?:ce|notre) (?:dépôt|projet|repo)|"
    r"en (?:este|nuestro) (?:repo|proyecto)|в (?:этом|нашем) (?:репо\w*|проекте)|"
    r"ich (?:will|möchte)|du (?:sollst|musst)|il faut|tu dois|hay que|tienes que|нужно|надо|trzeba)\b",
    re.IGNORECASE,
)
"""How people begin to ask for something: a name does without."""
_AND_NEVER = re.compile(
    r"\s+(?:and|und|et|y|e|и|en|och|og|a|i|ve|but|aber|mais|pero|но)\s+"
    r"(?=(?:never|not|don't|do not|no|nie|nicht|kein\w*|"
    r"jamais|nunca|não|mai|non|nooit|niet|никогда|не|nigdy|aldrig|inte|ikke|nikdy|ne|asla)\b)",
    re.IGNORECASE,
)
_FILLER = re.compile(r"^\W*(?:\w{1,30}[ '’]?){1,2}[,.:;!–—、，。！：]+\s*")
"""A beginning of at most two words set off by a mark: "No, ...", "Nein. ..."; dropped only if both carry no topic."""
_OPENER = re.compile(
    r"^\W*(?:(?:remember|reminder|note|listen|look|careful|wrong|nope|nah|looks good|good|great|nice|perfect|thanks|"
    r"thank you|well done|as a (?:general )?rule|as always|from now on|going forward|for the record|hey \w+|hi \w+|"
    r"merk dir|denk daran|ab jetzt|gut|danke|super|falsch|passt|souviens-toi|désormais|merci|parfait|"
    r"recuerda|a partir de ahora|gracias|perfecto|lembre|obrigad[oa]|ricorda|grazie|onthoud|vanaf nu|bedankt|"
    r"запомни|спасибо|отлично|хорошо|неверно|неправильно|впредь|pamiętaj|dzięki|kom ihåg|tack|husk|tak|unutma)"
    r"\s*[,.:;!–—]+\s*|(?:ok|okay|uh+|um+|hm+|hey|oh|ah+|äh+|euh|ну|эй|so|well|also|but|aber|mais|pero|но)\s+(?=\w)"
    r"|(?:no|nope|nein|nee|non|нет)\s+(?=(?:i|we|you|ich|wir|du|je|on|tu|nous|я|мы|ты)\b))",
    re.IGNORECASE,
)
"""Agreement, attention, and that something is to be kept in mind: said to the listener, no part of the rule."""
_URL = re.compile(r"\b[a-z][a-z0-9+.-]*://\S+|\b\S+@\S+\.\S+", re.IGNORECASE)
_TOKEN = re.compile(r"[\w'’./~\\-]*\w[\w'’/\\-]*")
_ELISION = re.compile(r"^(?:[dlnjmtscu]|qu|dell|all|nell|un)['’](?=\w{2})", re.IGNORECASE)
_PASTED = re.compile(r"^\s*(?:at \S+ ?\(|❯|\$ |>>> |> |➜|\S+\.\w+:\d+|File \"|Traceback |\[?\d{4}-\d\d-\d\d[T ]\d\d:)")
"""Lines a terminal wrote."""


def without_filler(quote: str) -> str:
    """`quote` without leading words that agree, address or call for attention, if a rule is left."""
    rest = quote
    for _ in range(_OPENERS_MAX):
        found = _FILLER.match(rest)
        if found and content(found.group()):  # "Tabs, not spaces": that word is the rule
            found = None
        found = _OPENER.match(rest) or found
        left = rest[found.end() :].strip() if found else ""
        if not content(left):
            return rest
        rest = left
    return rest


def typed(quote: str) -> str:
    """`quote` without lines that a terminal wrote, if anything is left; line breaks kept.

    What stands in code blocks and quotations is gone by then (`pipeline.spoken.own_words`).
    """
    lines = [line for line in quote.splitlines() if line.strip() and not _PASTED.match(line)]
    said = "\n".join(lines).strip()
    return said if len(content(said)) > 1 else quote


def sentences(text: str) -> list[str]:
    """The sentences that say something, in order; all of it where none does."""
    parts = [fit_line(part) for part in _SENTENCE.split(_unwrapped(text.strip()))]
    return [part for part in parts if content(part)] or [fit_line(text)]


def _unwrapped(text: str) -> str:
    """`text` with a long line joined to the next where that goes on in the middle of a sentence."""
    lines: list[str] = []
    for line in text.split("\n"):
        goes_on = bool(lines) and len(lines[-1]) >= _WRAPPED_CHARS_MIN and lines[-1][-1] not in ".!?:;。！？"
        if goes_on and line[:1].islower():
            lines[-1] += f" {line}"
        else:
            lines.append(line)
    return "\n".join(lines)


def leading(text: str) -> str:
    """The first sentence that reads as a rule; else as a proposal; else the first that is no question, or the first."""
    parts = [part for part in sentences(text) if _says(part)] or sentences(text)
    for chosen in (_is_plain_rule, _is_rule, _cues, lambda part: not _asks(part)):
        at = next((n for n, part in enumerate(parts) if chosen(part)), None)
        if at is not None:
            before = parts[at - 1] if at else ""
            # "The docs are built in CI. Never by hand.": what is meant stands before.
            bare = _topics(_tokens(parts[at])) < _BARE_TOPICS and before and not (_tells(before) or _asks(before))
            return before if bare else parts[at]
    return parts[0]


def without_stories(parts: Sequence[str]) -> list[str]:
    """The sentences without questions, quotations, and what somebody did, if one that reads as a rule is left."""
    told = [part for part in parts if _is_rule(part) or not (_tells(part) or _asks(part))]
    return told if any(map(_is_rule, told)) else list(parts)


def title_of(text: str, chars: int) -> str:
    """The rule as one sentence of at most `chars`, cut between clauses where it is longer and that can be."""
    lead = _AND.sub("", leading(text))
    if len(content(lead)) < 2:  # "No frames. Use tables, as on the other pages.": alone it says little
        parts = sentences(text)
        after = parts[parts.index(leading(text)) + 1 :]
        lead = f"{lead} {after[0]}" if after else lead
    if len(lead) <= chars:
        return lead
    starts = [0, *(found.end() for found in _CLAUSE.finditer(lead))]
    clauses = [_CLAUSE.split(lead[start:], maxsplit=1)[0] for start in starts]
    at = _ruling(clauses)
    found = [title for start in dict.fromkeys((0, starts[at])) for title in _titles(lead, start, chars)]
    told = (title for title in found if clauses[at] in title and len(content(title)) > 1)
    return next(told, None) or shortened(lead[starts[at] :], chars)


def _titles(lead: str, start: int, chars: int) -> Iterator[str]:
    """Of `lead` from `start`, the beginnings that end with a clause, longest first."""
    ends = [found.start() for found in _CLAUSE.finditer(lead, start) if start < found.start() <= start + chars]
    ends += [len(lead)] if len(lead) - start <= chars else []
    for end in reversed(ends):
        yield lead[start:end].strip()


def refused(text: str) -> str:
    """The clauses that say what is not to be, on one line; "" where there is none."""
    clauses = (clause for part in sentences(text) if not _asks(part) for clause in _clauses(part))
    return " ".join(clause for clause in clauses if any(_negates(word) or word in _INSTEAD for word in _folded(clause)))


def name_words(rule: str) -> list[str]:
    """Two to five words of the rule, its negation among them; fewer where it has no more."""
    text = _DO_NOT.sub("don't", _URL.sub(" ", rule))
    clauses = list(_clauses(leading(text))) or [""]
    at = _ruling(clauses)
    words = _named(clauses[at])
    about = _TOPIC.match(leading(text))
    if at and about and _topics(_tokens(about[1])):
        words = _topic_words(about[1])[:2] + words
    elif at and words and words[0].casefold() in _CONTRASTS:
        words = _short(clauses[at - 1])[-3:] + words
    for clause in clauses[at + 1 :]:
        more = _short(clause)
        against = bool(more) and more[0].casefold() in _CONTRASTS
        if not (against or _topics(words) < 2) or len(_distinct(words + more)) > NAME_WORDS_MAX:
            break
        words += more
    if at and _topics(words) < 2:
        words = _short(clauses[at - 1])[-2:] + words
    before = _before(leading(text), sentences(text))
    if 0 < _topics(words) < _BARE_TOPICS and before:
        words = _topic_words(before)[-2:] + words
    if _topics(words) < 2 and not any(map(_negates, words)):
        words += [word for part in sentences(text) if part != leading(text) for word in _short(part)]
    return _fitting(_distinct(words))


def _ruling(clauses: Sequence[str]) -> int:
    """Which clause says the rule: the first with a cue that also says about what, else the first with a cue."""
    cued = [n for n, clause in enumerate(clauses) if _cues(clause) and _says(clause)]
    if all(_complains(clauses[n]) for n in cued):  # "sort them first, you never do": the rule needs no such word
        cued = [n for n, clause in enumerate(clauses) if _says(clause) and not _complains(clause)][:1] or cued
    else:
        cued = [n for n in cued if not _complains(clauses[n])]
    telling = (n for n in cued if sum(word.casefold() not in _DEMANDS for word in _topic_words(clauses[n])) > 1)
    return next(telling, cued[0] if cued else 0)


def _before(sentence: str, parts: Sequence[str]) -> str:
    """The sentence before `sentence`; "" if it is the first."""
    at = parts.index(sentence) if sentence in parts else 0
    return parts[at - 1] if at else ""


def _topic_words(clause: str) -> list[str]:
    return [word for word in _tokens(clause) if not _is_function(word)]


def _fitting(words: list[str]) -> list[str]:
    kept = words[:NAME_WORDS_MAX]
    at = next((n for n, word in enumerate(words) if _negates(word)), 0)
    if at > NAME_WORDS_MAX - 2:  # a rule without its "not" says the opposite
        kept = words[: NAME_WORDS_MAX - 2] + words[at : at + 2]
    while len(kept) > 1 and (
        _parts(kept) > _NAME_PARTS_MAX or len(" ".join(kept)) > _NAME_CHARS_MAX or _hangs(kept[-1])
    ):
        del kept[-1]
    return kept


def _parts(words: Sequence[str]) -> int:
    return sum(len(re.findall(r"[^\W_]+", word)) for word in words)


def _hangs(word: str) -> bool:
    """Does a name that ends with it seem cut?"""
    return _is_function(word) and not _limits(word)


def _clauses(sentence: str) -> Iterator[str]:
    for part in _CLAUSE.split(sentence):
        for clause in _AND_NEVER.split(part):
            if clause and clause.strip():
                yield clause


def _named(clause: str) -> list[str]:
    """The clause as it stands, without who speaks and articles, where that is short; else only what tells."""
    whole = [word for word in _tokens(clause) if word.casefold() not in _NOBODY or _negates(word)]
    while whole and _is_function(whole[0]) and not _cue(whole[0]):
        del whole[0]
    while whole and _hangs(whole[-1]):
        del whole[-1]
    return whole if len(_distinct(whole)) <= NAME_WORDS_MAX else _short(clause)


def _short(clause: str) -> list[str]:
    return [word for word in _tokens(clause) if _negates(word) or _limits(word) or not _is_function(word)]


def _tokens(clause: str) -> list[str]:
    found = (_plain(match.group()) for match in _TOKEN.finditer(_HEDGE.sub(" ", clause)))
    return [word for word in found if word and not word.replace("-", "").isdigit()]


def _plain(token: str) -> str:
    """A word as a name can hold it: the last part of a path, no file extension, no elided article."""
    word = token.strip("'’-").rstrip(".")
    if "/" in word or "\\" in word:
        word = PurePosixPath(word.replace("\\", "/")).name
    if "." in word:
        word = word.lstrip(".~") if word.startswith((".", "~")) else word.split(".")[0]
    return _ELISION.sub("", word)


def _distinct(words: Sequence[str]) -> list[str]:
    seen: set[str] = set()
    kept = []
    for word in words:
        stems = set(terms(word)) or {stem(word.casefold())}
        if not stems <= seen:
            kept.append(word)
        seen |= stems
    return kept


def _topics(words: Sequence[str]) -> int:
    return sum(not _is_function(word) for word in words)


def _is_function(word: str) -> bool:
    folded = word.casefold().replace("’", "'")
    return folded in _NOBODY or folded in NEGATIONS or folded in _LIMITS or set(terms(folded)) <= STOPWORDS


def _negates(word: str) -> bool:
    return word.casefold().replace("’", "'") in NEGATIONS


def _limits(word: str) -> bool:
    return word.casefold() in _LIMITS


def _cue(word: str) -> bool:
    return _negates(word) or _limits(word) or word.casefold() in _DEMANDS


def _cues(text: str) -> bool:
    return any(map(_cue, _folded(text))) or bool(_PHRASES.search(text))


def _says(sentence: str) -> bool:
    return _topics(_tokens(_URL.sub(" ", sentence))) > 0


def _tells(sentence: str) -> bool:
    """Is it about what somebody did, or a quotation?"""
    return bool(_NARRATORS.match(sentence)) or (sentence[:1] in '"“«„>' and sentence.rstrip(".")[-1:] in '"”»“')


def _folded(text: str) -> list[str]:
    return re.findall(r"[\w'’]+", text.casefold())


def _is_rule(sentence: str) -> bool:
    return not _asks(sentence) and _cues(sentence)


def _is_plain_rule(sentence: str) -> bool:
    """And not what somebody always does: "you never ask", "that's not how"."""
    return _is_rule(sentence) and not _complains(sentence)


def _complains(text: str) -> bool:
    return _tells(text) and not _demands(text)


def _demands(sentence: str) -> bool:
    return any(word.casefold() in _DEMANDS for word in re.findall(r"\w+", sentence))


def _asks(sentence: str) -> bool:
    return sentence.rstrip("\"'”» ").endswith(("?", "？"))
