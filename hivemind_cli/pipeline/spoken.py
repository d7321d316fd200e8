"""A person's own words, told apart from what they pasted; and text that speaks to a model instead of about the work.

What a page, a file or a program says is evidence of an error, never an instruction: not in the agent's tool output,
and not where a person quotes it. What speaks to a model may stand in no skill and no memo, whoever wrote it.
"""

import re
import unicodedata
from dataclasses import replace
from functools import lru_cache

from hivemind_cli.core.acts import Act
from hivemind_cli.core.records import Correction
from hivemind_cli.pipeline.wording import polarity

_FENCE = re.compile(r"^[ \t]*(```|~~~).*?(?:^[ \t]*\1[ \t]*$|\Z)", re.DOTALL | re.MULTILINE)
_BLOCK_QUOTE = re.compile(r"^[ \t]*>.*$\n?", re.MULTILINE)
_SAYS = (
    r"says|states|prints|shows|reads|returns|outputs|reports|replies|responds|tells (?:me|us|you)"
    r"|(?<!\bi )(?<!\bwe )(?<!\byou )(?<!\bi've )(?:said|told (?:me|us)|printed|wrote|returned|reported|replied)"
    r"|sagt|meldet|schreibt|zeigt|lautet|steht|dit|affiche|indique|répond|dice|muestra|indica|responde|diz|mostra"
    r"|zegt|toont|meldt|schrijft|говорит|пишет|показывает|написано|каже|пише|mówi|pisze|pokazuje|diyor|yazıyor"
    r"|säger|visar|siger|viser|říká|píše"
)
"""Verbs of saying, of others than the person: first persons of them look otherwise, or stand apart."""
_PLAINLY_SAYS = r"says|said|tells|told|sagt|dit|dice|diz|zegt|говорит|каже|mówi|diyor|säger|siger|říká"
"""... those that words follow without a mark; what "shows" or "reads" something may be what the rule is about."""
_OPENED = r"[\"“„«‘'「『]"
_HEAD = r"(?:^|(?<=[.,;!?\n]))[^.,;!?:\n]{0,80}?"
_REPORT = re.compile(
    rf"{_HEAD}\b(?:{_SAYS})\b[^.,;!?:\n\"“„«]{{0,30}}?"
    rf"(?:[:：]\s*.*?(?=\n\s*\n|\Z)|{_OPENED}.*?(?:[\"”“»’'」』](?!\w)|\Z))"
    rf"|{_HEAD}(?<!\bi )(?<!\bwe )(?<!\byou )(?<!\bi've )\b(?:{_PLAINLY_SAYS})\b[^.,;!?\n]*",
    re.DOTALL | re.IGNORECASE,
)
"""`The page says: ...` to the paragraph's end, `it says "..."` to the closing mark, `it says ...` to the clause's."""
_SHOWN = re.compile(
    r"^[ \t]*(?:the |its )?(?:output|stdout|stderr|response|transcript|ausgabe|sortie|salida|saída|вывод)[ \t]*[:：]"
    r".*?(?=\n\s*\n|\Z)|[^\n。，]{0,80}?(?:页面|网页|输出|文档|ページ|出力|페이지|출력)[^\n。，]{0,10}?"
    r"(?:说|写着|显示|に書|と書|と出|表示|이라고|라고)[^\n]*",
    re.DOTALL | re.MULTILINE | re.IGNORECASE,
)

_UNSEEN = re.compile("[\u202a-\u202e\u2066-\u2069\U000e0000-\U000e007f]|[\ufe00-\ufe0f\U000e0100-\U000e01ef]{2,}")
"""Overrides of direction, tags, and runs of variation selectors: text that a person does not see, or sees otherwise."""
_MARKUP = re.compile(
    r"<!--|<\|[^|>\n]{1,40}\|>|\[/?INST\]|<<?/?SYS>>?"
    r"|</?(?:system(?:[-_](?:reminder|prompt|message))?|assistant|human|instructions?|prompt|function_calls"
    r"|tool_(?:use|call|result)s?|(?:hivemind|antml)[\w:-]*)(?:\s[^>\n]{0,80})?/?>"
    r"|</?(?:hivemind|antml)\b"
    r"|^\W{0,4}(?:system|assistant|human|developer)\s?[:：]|(?<!#)#{2,6}\s{0,4}(?:system|instructions?|assistant)\b",
    re.IGNORECASE | re.MULTILINE,
)
"""What frames a conversation with a model, or hides from the reader of a Markdown file."""
_SENTENCE = re.compile(r"[.!?;\n。！？]+(?:\s|$)|[。！？\n]")
_DISCARD = re.compile(
    r"\b(?:ignor\w*|disregard\w*|forget|override|overrule|bypass|discard|vergiss|vergessen|missachte\w*|oublie\w*"
    r"|olvid\w+|esque[çc]\w+|dimentica\w*|negeer|negeren|vergeet|игнорир\w+|забудь\w*|ігноруй\w*|zignoruj|zapomnij"
    r"|glöm|bortse|glem|zapomeň|unut|yok say|görmezden)\b|忽略|无视|忘记|忘掉|無視|忘れ|무시|잊어",
    re.IGNORECASE,
)
_INSTRUCTION = re.compile(
    r"\b(?:instructions?|prompts?|rules?|guidelines?|directives?|guardrails?|polic(?:y|ies)|anweisung\w*|regeln?"
    r"|instruktion\w*|vorgaben|consignes?|règles?|instrucci\w+|reglas?|instruç\w+|regras?|istruzion\w+|regol\w+"
    r"|instructies|regels|инструкц\w+|указани\w+|правил\w*|інструкц\w+|instrukcj\w+|polece\w+|zasad\w*|talimat\w*"
    r"|kural\w*|instruks\w*|regler|pokyn\w*|pravidl\w*)\b|指令|指示|规则|提示|命令|ルール|지시|명령|규칙",
    re.IGNORECASE,
)
_EARLIER = re.compile(
    r"\b(?:all|any|every|alle|toutes les|todas las|todas as|tutte le|все|wszystkie) (?:the |die )?"
    r"(?=(?:instruct|prompt|rule|guideline|anweisung|regel|règle|consigne|regla|instrucc|regra|instruç|istruz|regol"
    r"|инструкц|правил|instrukc|zasad))|\b(?:previous\w*|prior|above|earlier|preceding|foregoing|your|system|vorherig\w*|bisherig\w*|vorig\w*|obig\w*|dein\w*"
    r"|précédent\w*|ci-dessus|tes|vos|anterior\w*|previ[ao]s|tus|suas|precedent\w*|tue|vorige|bovenstaande|jouw|je"
    r"|предыдущ\w+|прежн\w+|твои|свои|попередн\w+|poprzedni\w*|twoje|swoje|önceki|yukarıdaki|tidigare|föregående|dina"
    r"|tidligere|předchoz\w+)\b|之前|以前|上面|先前|你的|前の|これまで|上記|以上|이전|위의|앞의",
    re.IGNORECASE,
)
_ADDRESS = re.compile(
    r"\byour (?:system |hidden |initial |original )?(?:prompt|instructions|guidelines|guardrails)\b"
    r"|\b(?:reveal|print|show|repeat|leak|output|expose|override)\w* (?:the |all |any )?(?:system|hidden|initial) "
    r"(?:prompt|message|instructions)\b"
    r"|\byou are (?:now|no longer|an? (?:\w+ )?(?:ai|assistant|model|agent|chatbot))\b"
    r"|\bas an? (?:ai|large )?(?:language )?model\b"
    r"|\bas an ai\b|\bpretend (?:to be|you|that you)\b|\bjailbr[eo]\w+|\bdeveloper mode\b"
    r"|\bnew (?:system )?instructions?\s*[:：]|\bdu bist (?:jetzt|nun|ab jetzt) ein\w*"
    r"|\btu es (?:maintenant|désormais) un"
    r"|\bahora eres un|\bты теперь\b|你现在是|あなたは今から|너는 이제",
    re.IGNORECASE,
)
_ACT_AS = re.compile(r"(?:^|[.!?;:,]\s+)(?:please |now |then |and )?act as (?:if you|an?|the|my)\b", re.IGNORECASE)
_CONCEAL = re.compile(
    r"\b(?:never|not|n['’]t|without|nobody|no one)\b[^.!?\n]{0,30}?"
    r"\b(?:tell|inform|notify|mention|reveal|disclos|show)\w*[^.!?\n]{0,30}?\b(?:person|user|human|developer|operator|owner|anyone|anybody)\b[^.!?\n]{0,20}?"
    r"\b(?:this|these|that (?:line|rule|you)|it|the (?:line|rule|skill|instructions?))\b"
    r"|\b(?:hide|conceal|keep)\b[^.!?\n]{0,20}?\bthis\b[^.!?\n]{0,20}?\bfrom the (?:person|user|human|developer)\b",
    re.IGNORECASE,
)
"""What the person is not to know of."""
_BLOB = re.compile(r"[A-Za-z0-9+/]{40,}={0,2}|(?:\\x[0-9a-fA-F]{2}){8,}|(?:%[0-9a-fA-F]{2}){12,}")
_KINDS = (str.isdigit, str.isupper, str.islower)
_PART_MIN = 24
"""Characters between slashes: of encoded text one in 64 is a slash, of addresses and paths one in a dozen."""
_FETCH = r"(?:curl|wget|iwr|irm|invoke-webrequest|invoke-restmethod|fetch)"
_RUN = r"(?:sudo\s+)?(?:(?:ba|z|da|k|a)?sh|python[\d.]*|node|perl|ruby|iex|invoke-expression|source|eval)"
_FETCH_AND_RUN = re.compile(
    rf"\b{_FETCH}\b[^\n]{{0,300}}?(?:\||&&|;)\s*{_RUN}\b|\b{_RUN}\b[^\n]{{0,20}}?(?:<\(|\$\(|`)\s*{_FETCH}\b",
    re.IGNORECASE,
)


def own_words(text: str) -> str:
    """`text` without what the person only shows: code blocks, block quotes, and what a page or program says."""
    return _own(text) if len(text) <= 20_000 else ""


@lru_cache(maxsize=4096)
def _own(text: str) -> str:
    left = _BLOCK_QUOTE.sub("", _FENCE.sub("\n", text))
    left = _REPORT.sub(" ", _SHOWN.sub(" ", left)).strip()
    return left if left == text.strip() else left.lstrip(" ,.;:!?…)")


def pasted(text: str) -> str:
    """What of `text` is not the person's own words, roughly; "" if all are."""
    own = own_words(text)
    return "" if own == text.strip() else text


def addressed(text: str) -> str:
    """How `text` speaks to a model, hides from people or runs what nobody has read, in words; "" if it does not."""
    if _UNSEEN.search(text):
        return "it holds characters that nobody sees"
    plain = unicodedata.normalize("NFKC", text)
    if _MARKUP.search(plain):
        return "it holds the marks of a conversation with a model"
    if (
        _ADDRESS.search(plain)
        or _ACT_AS.search(plain)
        or _CONCEAL.search(plain)
        or any(map(_discards, _SENTENCE.split(plain)))
    ):
        return "it speaks to the model, not about the work"
    if any(map(_is_blob, _BLOB.findall(plain))):
        return "it holds encoded text"
    if _FETCH_AND_RUN.search(plain) and not polarity(plain)[1] & {"curl", "wget", "fetch", "iwr", "irm", "pipe"}:
        return "it runs what it fetches"
    return ""


def in_own_words(correction: Correction) -> Correction:
    """`correction` for a drafter that believes it: the person's own words, and nothing else that speaks to a model."""
    act = Act.of(correction.act) if correction.act else None
    hostile_act = act is not None and bool(addressed(f"{act.command} {act.path} {act.tool}"))
    hostile_change = bool(addressed(correction.before) or addressed(correction.after))
    return replace(
        correction,
        quote=own_words(correction.quote),
        task="" if addressed(correction.task) else own_words(correction.task),
        act={} if hostile_act else correction.act,
        before="" if hostile_change else correction.before,
        after="" if hostile_change else correction.after,
    )


def forget_words() -> None:
    """Remember no text that was taken apart."""
    _own.cache_clear()


def _discards(sentence: str) -> bool:
    """Are earlier instructions to be thrown away?"""
    return all(pattern.search(sentence) for pattern in (_DISCARD, _INSTRUCTION, _EARLIER))


def _is_blob(run: str) -> bool:
    """Encoded text mixes cases and digits; a path or a name seldom does, and a commit's hash has no capitals."""
    if run.startswith(("\\x", "%")):
        return True
    if len(run.rstrip("=")) >= 160:
        return True
    return any(len(part) >= _PART_MIN and all(any(map(kind, part)) for kind in _KINDS) for part in run.split("/"))
