"""What a correction is about: its telling terms, which of them are wanted and which are not.

    "no, tabs, not spaces" ─▶ clauses ─▶ terms with weights; wanted {tabs}, unwanted {spaces}

Grammar and feedback words only, in the languages of core/stopwords.py; a topic has no list here.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from hivemind_cli.core.acts import SHELL, Act
from hivemind_cli.core.match import content
from hivemind_cli.core.records import Correction
from hivemind_cli.core.stopwords import FEEDBACK, STOPWORDS
from hivemind_cli.core.terms import stem, terms, weight

QUOTE_CHARS_MAX = 2000
"""Of a quote: what a long one is about stands at its beginning."""
DIFF_CHARS_MAX = 4000
SCOPE_TERMS = 4
"""Telling terms after a negation that it may reach, within its clause."""
BRIEF_TERMS = 2
"""So few words after a complaint say what is wanted."""
WORD_WEIGHT_MIN = 0.6
"""Of a word that is no function word: short ones are names of tools and flags as often as anything."""
LETTER_WEIGHT = 0.25
SAYING_WEIGHT = 0.2
"""Of the words in which any instruction is given."""
DENIED_WITHIN = 4
"""Terms from the start within which a text that denies says so, in any word order."""
ORDER_WORDS_MAX = 6
"""So short, words without a no are an order: what they name, and the call does not hold, is wanted."""
FOLDER_FACTOR = 0.4
TASK_FACTOR = 0.6
"""Words of the task come back in a correction without telling what was wrong."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _stems(words: str) -> frozenset[str]:
    return frozenset(stem(word) for word in words.split())


_SAYING = _words(
    # en
    "use using used uses user run running runs ran put write writes wrote writing keep make makes made "
    "making take took give "
    "need needs want wants wanted tell told telling ask asked asking say said saying please pls again "
    "still stop stopped "
    "wrong right correct already time times way thing things file files code project projects repo repos "
    "repository base "
    "rule rules first then forget forgot forgotten didn did does doing done don dont doesn isn shouldn "
    "change changed changing "
    "add added adding remove removed move moved create created edit edited keep seriously really actually "
    "how often often "
    "see look try know think thank thanks sorry okay ever leave set get got go going goes work works working "
    "call called start started begin proper properly should supposed instead rather without avoid prefer preferred "
    "like example anymore longer sure mean means meant every each everything anything something nothing nobody real "
    "belong belongs live lives touch touched touching back "
    # de
    "benutz benutze benutzen benutzt nutze nutzen verwende verwenden nimm nehmen mach machen schreib "
    "schreiben datei code projekt "
    "wieder falsch richtig schon bitte danke soll sollst sollen muss musst müssen immer habe gesagt "
    "vergessen ohne statt beispiel mehr werden willst wollen hast haben "
    # fr
    "utilise utiliser utilisez utilisons mets mettre écris écrire fais faire fichier encore faux merci "
    "toujours sans lieu plutôt exemple "
    # es, pt, it
    "usa usar usamos uses utiliza pon poner escribe escribir haz hacer archivo proyecto otra vez gracias "
    "siempre sin lugar ejemplo "
    "coloque coloca escreva escrever faça fazer arquivo projeto obrigado sem usare usiamo metti scrivi "
    "file progetto grazie senza "
    "invece "
    # nl, sv, da
    "gebruik gebruiken zet schrijf bestand weer fout zonder bedankt använd använda skriv fil igen utan "
    "tack brug bruge uden "
    # ru, uk, pl, cs
    "используй используйте использовать используем пиши писать делай делать файл файлы опять снова "
    "спасибо пожалуйста например "
    "используем використовуй пиши файл знову będzie użyj używaj używamy pisz plik znowu proszę použij "
    "používej piš soubor "
    # tr
    "kullan kullanın kullanma yaz dosya yine lütfen "
)
"""Whole words: a stem of one may be that of a topic ("change", "changelog")."""
_NEGATORS = _stems(
    "not never no dont don stop avoid without nor neither instead rather "
    "nicht kein keine keinen nie niemals ohne statt anstatt vermeide "
    "pas jamais sans ni lieu évite nunca jamás sin evita vez não nao sem evite non mai senza invece "
    "niet geen nooit zonder plaats не никогда без вместо ні ніколи замість nie nigdy bez zamiast "
    "inte aldrig utan istället ikke aldrig uden stedet nikdy místo hands away"
)
_INSTEAD = _stems(
    "without instead rather ohne statt anstatt sans lieu sin vez sem senza invece zonder plaats без вместо "
    "замість zamiast bez utan istället uden stedet místo"
)
"""What they deny is what stands behind them, not the whole."""
_CONTRASTING = _stems(
    "not no nicht kein keine keinen pas non não nao niet geen не ні nie inte ikke ne instead rather statt "
    "anstatt lieu vez invece "
    "plaats вместо замість zamiast istället stedet místo"
)
"""Between what is wanted and what is not: "tabs, not spaces"."""
_PLEASE = _stems("please pls plz bitte plaît favor favore prego graag пожалуйста ласка proszę prosím lütfen")
_AGAIN = _stems("again wieder encore nuevo novamente ancora weer опять снова знову znowu yine igen znovu")
_REMOVING = _stems(
    "remove delete drop undo revert kill entferne lösche supprime enlève elimina quita remove retire "
    "rimuovi togli verwijder удали "
    "убери видали usuń sil ta fjern odstraň"
)
_OMISSIONS = _stems(
    "forget forgot skip skipped omit omitted miss missed missing missing ignore lack lacks lacking "
    "vergiss vergessen fehlt fehlen oublie oublié manque olvides olvidaste falta esqueça esqueceu manca "
    "dimenticare "
    "vergeet ontbreekt забудь забыл нет brakuje zapomnij unutma eksik glöm saknas glem mangler"
)
_OUTLAWED = _stems(
    "wrong forbidden deprecated banned prohibited disallowed frozen off verboten falsch tabu interdit "
    "prohibido proibido "
    "vietato verboden запрещено запрещён zabronione yasak förbjudet forbudt değil yerine"
)
_WANTING = _stems(
    "we wir nous мы use using prefer always only must should need have want take keep run write put add "
    "nimm benutze benutzen benutz verwende immer nur nutze utilise toujours usa siempre sempre use gebruik altijd "
    "используй всегда użyj zawsze använd alltid brug altid kullan"
)
_TURNS = _stems(
    "but and or sondern aber und mais et pero sino y mas e ma maar en но а и ale lecz i men och og ama ve "
    "because since "
)
_MODALS = _stems(
    "must should may can shall could will would darf dürfen soll sollen doit debe deve puede pode può moet mag mogą "
)
_COPULAS = frozenset({"is", "are", "was", "were", "isn", "aren", "wasn"})
_CLAUSE = re.compile(r"[.!?](?=\s|$)|[,;:\n()\u2013\u2014…。、！？，]| - ")
_WORD = re.compile(r"[^\W_]+")
_NOT = re.compile(r"n['’]t\b", re.IGNORECASE)
_POSTPOSED = re.compile(r"(?:ではなく|じゃなく|ではない|しない|말고|아니라|なし|使わ)")
_PREPOSED = re.compile(r"(?:不要|不用|别|別|而不是|不是|禁止|勿)")
_MARKED = re.compile(r"`([^`\n]{1,80})`|(?<!\w)(-{1,2}[\w-]+|\.\w+|[\w./-]*[\d_/][\w./-]*|[A-Z]{2,})(?!\w)")


_TARGET = re.compile(r"[\w.@~-]*/[\w./@-]*\w|\b\w+\.[a-z]{1,4}\b|\b\d{2,}\b")


@dataclass(frozen=True, slots=True)
class Wording:
    """The words of one correction, weighed."""

    terms: Mapping[str, float]
    """Telling term -> 0..1."""
    wanted: frozenset[str]
    unwanted: frozenset[str]
    act_terms: frozenset[str]
    """Of the corrected call: what a mention refers to."""
    head_terms: frozenset[str]
    """Of its command head, or of its path: what every correction of such a call may name."""
    targets: frozenset[str] = frozenset()
    """Paths and numbers the words name."""
    silent: bool = False
    """No words: a diff says it."""

    @property
    def mentions(self) -> frozenset[str]:
        """Terms of the call that the words name."""
        return frozenset(self.terms) & self.act_terms


def wording(correction: Correction) -> Wording:
    """The telling terms of `correction`, from the person's words, else from what the hand changed."""
    act = Act.of(correction.act) if correction.act else Act("other", "")
    if correction.quote:
        return _spoken(correction.quote[:QUOTE_CHARS_MAX], act, correction.task[:QUOTE_CHARS_MAX])
    return _silent(correction.before[:DIFF_CHARS_MAX], correction.after[:DIFF_CHARS_MAX], act)


def topic(text: str) -> frozenset[str]:
    """The terms of `text` that say what it is about, and not only that something is asked for."""
    return content(text) - FEEDBACK - _only_saying(text)


def denies(text: str) -> bool:
    """Does it begin by saying no: "do not use print", "ne supprime jamais ..."?"""
    first = next(_clauses(text), [])
    return any(term in _NEGATORS - _INSTEAD for term in first[:DENIED_WITHIN])


def forget_wordings() -> None:
    """Remember no text that was taken apart."""
    for remembered in (_spoken, _silent, polarity):
        remembered.cache_clear()


@lru_cache(maxsize=4096)
def _spoken(quote: str, act: Act, task: str) -> Wording:
    marked = {term for found in _MARKED.findall(quote) for term in terms(" ".join(found))}
    targets = _targets(quote)
    folders = {term for path in targets for part in path.split("/")[:-1] for term in terms(part)}
    asked = content(task)
    saying = _only_saying(quote) | _REMOVING
    weights = {term: _weight(term, term in marked, term in saying) for term in content(quote) - FEEDBACK}
    weights = {
        term: value * (TASK_FACTOR if term in asked else FOLDER_FACTOR if term in folders else 1.0)
        for term, value in weights.items()
    }
    wanted, unwanted = polarity(quote)
    telling, done = frozenset(weights), _act_terms(act)
    if not wanted and not unwanted and len(quote.split()) <= ORDER_WORDS_MAX and not quote.rstrip().endswith("?"):
        wanted = frozenset(term for term in telling - done if weights[term] >= WORD_WEIGHT_MIN)
    return Wording(weights, wanted & telling, unwanted & telling, done, _head_terms(act), targets)


@lru_cache(maxsize=1024)
def _silent(before: str, after: str, act: Act) -> Wording:
    old, new = content(before), content(after)
    weights = {term: _weight(term, marked=True, saying=False) for term in old ^ new}
    return Wording(weights, new - old, old - new, _act_terms(act), _head_terms(act), silent=True)


def _targets(text: str) -> frozenset[str]:
    return frozenset(found.casefold().strip("./") for found in _TARGET.findall(text))


def _only_saying(text: str) -> frozenset[str]:
    """Stems that only words of saying have in `text`."""
    words = set(_WORD.findall(unicodedata.normalize("NFKC", text).casefold()))
    return frozenset(stem(word) for word in words & _SAYING) - frozenset(stem(word) for word in words - _SAYING)


def _weight(term: str, marked: bool, saying: bool) -> float:
    if len(term) < 2:
        return WORD_WEIGHT_MIN if marked else LETTER_WEIGHT
    if saying and not marked:
        return SAYING_WEIGHT
    return max(weight(term), 0.8 if marked else WORD_WEIGHT_MIN)


def _act_terms(act: Act) -> frozenset[str]:
    return content(f"{act.command} {act.path} {act.text[:QUOTE_CHARS_MAX]}")


def _head_terms(act: Act) -> frozenset[str]:
    return content(" ".join(act.heads) if act.kind == SHELL else act.path)


@dataclass(frozen=True, slots=True)
class Polarity:
    """What a text wants and does not want, as terms."""

    wanted: frozenset[str]
    unwanted: frozenset[str]

    @classmethod
    def of(cls, text: str) -> "Polarity":
        """Of the beginning of `text`."""
        return cls(*polarity(text[:QUOTE_CHARS_MAX]))


@lru_cache(maxsize=4096)
def polarity(text: str) -> tuple[frozenset[str], frozenset[str]]:
    """(wanted, unwanted) terms of `text`; a term said both ways is in neither, most are in none."""
    wanted: set[str] = set()
    unwanted: set[str] = set()
    before: list[str] = []
    silent = _only_saying(text) | STOPWORDS | FEEDBACK
    for clause in _clauses(text):
        yes, no = _of_clause(clause, silent)
        if no and not yes and before and clause[0] in _CONTRASTING:
            wanted.update(before)  # "tabs, not spaces"
        if unwanted and not yes and not no and len(clause) <= BRIEF_TERMS:
            yes = {term for term in clause if term not in silent | unwanted}  # "a notebook again. Scripts!"
        wanted |= yes
        unwanted |= no
        before = [term for term in clause if term not in silent | no]
    return frozenset(wanted - unwanted), frozenset(unwanted - wanted)


def _clauses(text: str) -> Iterator[list[str]]:
    plain = _PREPOSED.sub(" not ", _POSTPOSED.sub(" değil ", _NOT.sub(" not", text)))
    for part in _CLAUSE.split(plain):
        found = terms(part)
        if found:
            yield found


def _of_clause(clause: list[str], silent: frozenset[str]) -> tuple[set[str], set[str]]:
    wanted: set[str] = set()
    unwanted: set[str] = set()
    reach = 0
    sign = 0
    if clause[:2] == ["you", "keep"] or (clause[0] == "you" and not set(clause) & (_NEGATORS | _OMISSIONS | _WANTING)):
        sign, reach = -1, SCOPE_TERMS  # "you indented with spaces", "you keep indenting with spaces"
    for place, term in enumerate(clause):
        behind = [one for one in clause[max(place - SCOPE_TERMS, 0) : place] if one not in silent]
        negates = term in _NEGATORS
        if behind and (
            (sign == 0 and (term in _OUTLAWED | _AGAIN or (negates and clause[place - 1] in _COPULAS)))
            or (sign >= 0 and negates and silent.issuperset(clause[place + 1 :]))
        ):  # "that is not how", "apply never", "print nutzen wir nicht"
            unwanted.update(behind)
            wanted.difference_update(behind)
        elif negates:
            if behind and sign >= 0 and term in _CONTRASTING and clause[place - 1] not in _MODALS:
                wanted.update(behind)
            sign, reach = (1 if sign < 0 and reach else -1), SCOPE_TERMS
        elif term in _REMOVING:
            sign, reach = (1 if sign < 0 and reach else -1), SCOPE_TERMS
        elif term in _OMISSIONS:
            sign, reach = 1, SCOPE_TERMS
        elif term in _TURNS:
            sign = 0
        elif term in _PLEASE and not sign and place == len(clause) - 1:
            wanted.update(behind)
        elif term in _WANTING and not (sign < 0 and reach == SCOPE_TERMS):
            sign, reach = 1, SCOPE_TERMS
        elif term not in silent and sign and reach:
            (wanted if sign > 0 else unwanted).add(term)
            reach -= 1
    return wanted, unwanted


def opposite(one: "Wording | Polarity", two: "Wording | Polarity") -> bool:
    """Does the one want what the other does not want?"""
    forth, back = one.wanted & two.unwanted, one.unwanted & two.wanted
    if forth and back:
        return True
    if not (forth or back) or one.wanted & two.wanted or one.unwanted & two.unwanted:
        return False
    # A further word may make it another half of the same rule: "no default exports", "named exports".
    for wants, refuses, turned in ((one, two, forth), (two, one, back)):
        if turned and not (wants.wanted - turned and refuses.unwanted - turned):
            return True
    return False
