"""Words by which people put somebody right, in the languages most prompts are written in.

Only grammar and feedback words stand here, never a topic. Cues are matched on case-folded text at word
edges; for scripts without spaces, anywhere.
"""

import re
from dataclasses import dataclass

from hivemind_cli.core.stopwords import BY_LANGUAGE

_WORD = re.compile(r"[^\W\d_]+")

_NO = {
    "en": "no|nope|nah|wrong|incorrect|stop|wait|hold on",
    "de": "nein|nee|nö|falsch|stopp?|halt|moment",
    "fr": "non|faux|stop|attends?|arrête",
    "es": "no|incorrecto|espera",
    "pt": "não|nao|errado|pare|espera",
    "it": "no|sbagliato|fermo|aspetta|ferma",
    "nl": "nee|fout|stop|wacht",
    "ru": "нет|неверно|неправильно|стоп|подожди|не так",
    "uk": "ні|невірно|неправильно|стоп|зачекай",
    "pl": "nie|źle|błąd|stop|czekaj",
    "tr": "hayır|yanlış|dur|bekle",
    "sv": "nej|fel|stopp|vänta",
    "da": "nej|forkert|vent",
    "cs": "ne|špatně|počkej",
}
_NEVER = {
    "en": "never(?! ?mind)|not ever|not\\b[^.!?]{0,80},? ever|under no circumstances|do not ever|don't ever",
    "de": "nie|niemals|nie wieder|auf keinen fall",
    "fr": "jamais|plus jamais|surtout pas",
    "es": "nunca|jamás",
    "pt": "nunca|jamais",
    "it": "mai|mai più",
    "nl": "nooit",
    "ru": "никогда|ни в коем случае",
    "uk": "ніколи",
    "pl": "nigdy",
    "tr": "asla|hiçbir zaman",
    "sv": "aldrig",
    "da": "aldrig",
    "cs": "nikdy",
}
_ALWAYS = {
    "en": "always|every time|each time|from now on|in future|in the future|going forward|as a rule|(?<!n't )(?<!not )remember|by convention"
    "|our convention|the convention|our rule|our standard",
    "de": "immer|jedes mal|ab jetzt|künftig|in zukunft|grundsätzlich|merk dir|denk daran|bei uns",
    "fr": "toujours|chaque fois|désormais|dorénavant|à l'avenir|rappelle-toi|chez nous",
    "es": "siempre|cada vez|a partir de ahora|de ahora en adelante|en adelante|recuerda",
    "pt": "sempre|toda vez|a partir de agora|daqui em diante|lembre",
    "it": "sempre|ogni volta|d'ora in poi|da ora in poi|ricorda",
    "nl": "altijd|elke keer|vanaf nu|voortaan|onthoud",
    "ru": "всегда|каждый раз|с этого момента|отныне|впредь|запомни",
    "uk": "завжди|щоразу|відтепер|надалі|запам'ятай",
    "pl": "zawsze|za każdym razem|od teraz|na przyszłość|pamiętaj",
    "tr": "her zaman|daima|bundan sonra|bundan böyle|unutma",
    "sv": "alltid|varje gång|från och med nu|hädanefter|kom ihåg",
    "da": "altid|hver gang|fra nu af|fremover|husk",
    "cs": "vždy|pokaždé|od teď|příště|pamatuj",
}
_HERE = {
    "en": r"(?:this|our) (?:repo\w*|project|code ?base|team|company)|in the (?:repo\w*|project|code ?base)|(?:use|with|from) our|in here|over here|around here|"
    r"we (?:only |just )?(?:use|prefer|require|keep|put|write|name|call|run|follow|have a|have|avoid|want|store|build|format|indent|test|deploy|don't|do not)|(?:live|lives|belong|belongs|go|goes) (?:in|into|to|under|through|via)|here(?=[,.!]|$)",
    "de": r"in (?:diesem|unserem) (?:repo\w*|projekt|code|team)|wir (?:nutzen|benutzen|verwenden|nehmen|arbeiten|schreiben"
    r"|legen|haben|machen|wollen)|(?:nutzen|benutzen|verwenden|nehmen|schreiben|legen|machen) wir",
    "fr": r"dans (?:ce|notre) (?:dépôt|projet|code|repo)|(?:nous|on) (?:utilis\w+|préfér\w+|écri\w+|met\w*|range\w*|garde\w*)",
    "es": r"en (?:este|nuestro) (?:repo\w*|proyecto|código)|(?:usamos|utilizamos|preferimos|escribimos|ponemos|guardamos)",
    "pt": r"(?:neste|nesse|no nosso) (?:repo\w*|projeto|código)|(?:usamos|utilizamos|preferimos|escrevemos|colocamos)",
    "it": r"in (?:questo|nostro) (?:repo\w*|progetto|codice)|(?:usiamo|utilizziamo|preferiamo|scriviamo|mettiamo)",
    "nl": r"in (?:deze|dit|onze|ons) (?:repo\w*|project|code)|wij? (?:gebruiken|schrijven|zetten)|gebruiken we",
    "ru": r"в (?:этом|нашем) (?:репо\w*|проекте|коде)|мы (?:используем|пишем|кладём|кладем|храним|предпочитаем)|у нас",
    "uk": r"у (?:цьому|нашому) (?:репо\w*|проєкті|коді)|ми (?:використовуємо|пишемо)",
    "pl": r"w (?:tym|naszym) (?:repo\w*|projekcie|kodzie)|(?:używamy|piszemy|trzymamy)",
    "tr": r"bu (?:repo\w*|projede|kodda)|(?:kullanıyoruz|kullanırız|yazıyoruz)",
    "sv": r"i (?:det här|vårt|detta) (?:repo\w*|projekt\w*)|vi (?:använder|skriver|lägger)|använder vi",
    "da": r"i (?:dette|vores) (?:repo\w*|projekt)|vi (?:bruger|skriver|lægger)|bruger vi",
    "cs": r"v (?:tomto|našem) (?:repo\w*|projektu|kódu)|(?:používáme|píšeme)",
}
_NOT = {
    "en": r"don't|dont|do not|doesn't|shouldn't|should not|mustn't|must not|can't|cannot|isn't|is not|are not|aren't|not|without"
    r"|avoid|no longer|won't|nothing|none|nobody|nowhere",
    "de": "nicht|nichts|kein|keine|keinen|ohne|vermeide",
    "fr": "pas|sans|ne|n'|évite|rien|aucun|aucune",
    "es": "no|sin|evita|nada|ningún|ninguna",
    "pt": "não|nao|sem|evite",
    "it": "non|senza|evita",
    "nl": "niet|geen|zonder",
    "ru": "не|без",
    "uk": "не|без",
    "pl": "nie|bez",
    "tr": "değil|olmadan|kullanma|yapma",
    "sv": "inte|utan",
    "da": "ikke|uden",
    "cs": "ne|bez",
}
_INSTEAD = {
    "en": "instead|rather than|rather|in place of|as opposed to|should be|should have|supposed to|must|has to be|have to|needs?",
    "de": "stattdessen|anstatt|statt|sondern|lieber|sollte|muss|müssen",
    "fr": "plutôt|au lieu|à la place|devrait|doit",
    "es": "en vez|en lugar|sino|mejor|debería|debe",
    "pt": "em vez|ao invés|no lugar|deveria|deve",
    "it": "invece|al posto|piuttosto|dovrebbe|deve",
    "nl": "in plaats|liever|maar|moet|zou",
    "ru": "вместо|а не|лучше|должн\\w*|надо|нужно",
    "uk": "замість|а не|краще|треба|потрібно",
    "pl": "zamiast|lecz|raczej|powinn\\w*|trzeba",
    "tr": "yerine|olmalı|gerek\\w*",
    "sv": "istället|i stället|hellre|ska vara|utan",
    "da": "i stedet|hellere|skal",
    "cs": "místo|raději|musí",
}
_WRONG = {
    "en": r"(?:that's|that is|this is|it's|it is) (?:not|wrong|the wrong)|wrong (?:place|file|folder|way|tool|command|name)|that is (?:not|wrong)|this is (?:not|wrong)|not what i|i (?:said|told you|asked)|why (?:did|are|do) you"
    r"|you (?:forgot|missed|ignored|broke|should have|shouldn't|were supposed|didn't|again)|undo|revert|roll back|put (?:it|that) back"
    r"|that broke|mistake",
    "de": r"das ist (?:nicht|falsch)|ich (?:sagte|habe gesagt|wollte)|warum hast du|du hast (?:vergessen|schon wieder)|rückgängig|zurücknehmen",
    "fr": r"ce n'est pas|c'est faux|j'ai (?:dit|demandé)|pourquoi (?:as-tu|tu as)|tu as oublié|annule|reviens en arrière",
    "es": r"eso no|no es (?:lo que|así)|(?:te )?(?:dije|pedí)|por qué has|olvidaste|deshaz|revierte",
    "pt": r"isso não|não é (?:o que|assim)|eu (?:disse|pedi)|por que você|esqueceu|desfaça|reverta",
    "it": r"non è (?:quello|così)|ho (?:detto|chiesto)|perché hai|hai dimenticato|annulla|ripristina",
    "nl": r"dat is (?:niet|fout)|ik (?:zei|vroeg)|waarom heb je|je bent vergeten|maak ongedaan|draai terug",
    "ru": r"это не(?:верно|правильно| то)|я (?:сказал\w*|просил\w*|говорил\w*)|почему ты|ты забыл\w*|отмени|верни|откати",
    "uk": r"це не(?:вірно|правильно| те)|я (?:сказав|просив)|чому ти|ти забув|скасуй|поверни",
    "pl": r"to (?:nie tak|źle|nie to)|(?:mówiłem|prosiłem)|dlaczego|zapomniałeś|cofnij",
    "tr": r"bu (?:yanlış|değil)|(?:dedim|istedim)|neden|unuttun|geri al",
    "sv": r"det är (?:inte|fel)|jag (?:sa|bad)|varför|du glömde|ångra",
    "da": r"det er (?:ikke|forkert)|jeg (?:sagde|bad)|hvorfor|du glemte|fortryd",
    "cs": r"to (?:není|je špatně)|(?:řekl|říkal) jsem|proč jsi|zapomněl|vrať",
}
_YES = {
    "en": "yes|yeah|yep|ok|okay|sure|great|perfect|thanks|thank you|good|nice|looks good|lgtm|cool|awesome|excellent|approved"
    "|continue|go on|go ahead|proceed|please continue",
    "de": "ja|gut|super|danke|perfekt|okay|weiter|prima|passt",
    "fr": "oui|merci|parfait|bien|super|continue|d'accord",
    "es": "sí|si|vale|gracias|perfecto|bien|continúa|sigue",
    "pt": "sim|obrigad[oa]|perfeito|ótimo|continue|certo",
    "it": "sì|si|grazie|perfetto|bene|continua|va bene",
    "nl": "ja|bedankt|perfect|goed|ga door|prima",
    "ru": "да|спасибо|отлично|хорошо|продолжай|ок|супер",
    "uk": "так|дякую|чудово|добре|продовжуй",
    "pl": "tak|dzięki|świetnie|dobrze|kontynuuj",
    "tr": "evet|teşekkürler|tamam|harika|devam",
    "sv": "ja|tack|bra|perfekt|fortsätt",
    "da": "ja|tak|godt|perfekt|fortsæt",
    "cs": "ano|díky|dobře|pokračuj",
}
_DONT = {
    "en": "(?:please )?(?:don't|dont|do not|never|avoid|stop)",
    "de": "(?:bitte )?(?:kein|keine|keinen|nicht|nie|niemals|nutze? nicht|verwende nicht)",
    "fr": "(?:s'il te plaît )?(?:ne|n'|pas de|évite)",
    "es": "(?:por favor )?(?:no|nunca|evita)",
    "pt": "(?:por favor )?(?:não|nao|nunca|evite)",
    "it": "(?:per favore )?(?:non|mai|evita)",
    "nl": "(?:alsjeblieft )?(?:niet|geen|nooit)",
    "ru": "(?:пожалуйста )?(?:не|никогда|без)",
    "uk": "(?:будь ласка )?(?:не|ніколи|без)",
    "pl": "(?:proszę )?(?:nie|nigdy|bez)",
    "tr": "lütfen|asla",
    "sv": "(?:snälla )?(?:inte|använd inte|aldrig|inga)",
    "da": "(?:brug ikke|ikke|aldrig|ingen)",
    "cs": "(?:prosím )?(?:ne|nikdy|žádné)",
}
_YOU = {
    "en": r"you (?:\w+ed|used|put|wrote|made|ran|did|built|took|set|chose|left|kept|got)",
    "de": r"du (?:hast|benutzt|nutzt|verwendest|schreibst)",
    "fr": r"(?:tu as|vous avez|tu utilises)",
    "es": r"(?:has|usaste|pusiste|escribiste|hiciste)",
    "pt": r"(?:você|voce) (?:usou|colocou|fez|escreveu)",
    "it": r"hai \w+",
    "nl": r"je (?:hebt|gebruikte|gebruikt)",
    "ru": r"ты \w+",
    "uk": r"ти \w+",
    "pl": r"(?:użyłeś|użyłaś|zrobiłeś|napisałeś)",
    "tr": r"\w+(?:dın|din|dun|dün|tın|tin|tun|tün)",
    "sv": r"du (?:använde|har|skrev|gjorde)",
    "da": r"du (?:brugte|har|skrev|lavede)",
    "cs": r"(?:použil|udělal|napsal) jsi",
}
_RATHER = {
    "en": r"use|prefer|put|keep|write|name|call|run|go through|stick to",
    "de": r"nimm|nutze?|benutze?|verwende|schreib|leg|halte",
    "fr": r"utilise[sz]?|préfère|mets|écris|garde|passe par",
    "es": r"usa|utiliza|prefiere|pon|escribe|guarda",
    "pt": r"use|usa|utilize|prefira|coloque|escreva",
    "it": r"usa|utilizza|preferisci|metti|scrivi|tieni",
    "nl": r"gebruik|zet|schrijf|hou",
    "ru": r"используй\w*|пиши|клади|бери|делай",
    "uk": r"використовуй\w*|пиши|клади|бери",
    "pl": r"użyj|używaj|pisz|trzymaj",
    "tr": r"kullan\w*|yaz|koy",
    "sv": r"använd|skriv|lägg|håll",
    "da": r"brug|skriv|læg|hold",
    "cs": r"použij|používej|piš|drž",
}
_ONCE = {
    "en": "this time|for now|just this once|only this once|for today|this one time",
    "de": "diesmal|dieses mal|vorerst|ausnahmsweise|für heute",
    "fr": "cette fois|pour l'instant|exceptionnellement",
    "es": "esta vez|por ahora|de momento",
    "pt": "desta vez|por enquanto|por agora",
    "it": "questa volta|per ora|per adesso",
    "nl": "deze keer|voor nu|voorlopig",
    "ru": "в этот раз|на этот раз|пока что",
    "uk": "цього разу|поки що",
    "pl": "tym razem|na razie",
    "tr": "bu sefer|şimdilik",
    "sv": "den här gången|för tillfället",
    "da": "denne gang|indtil videre",
    "cs": "tentokrát|prozatím",
}
_UNSPACED = {
    "no": {
        "zh": "不对|不是|错了|不行|别|停",
        "ja": "いや|いいえ|違う|違います|だめ|ダメ|待って|ちがう",
        "ko": "아니|틀렸|멈춰|잠깐",
    },
    "never": {"zh": "绝不|永远不|千万不|从不|绝对不", "ja": "決して|絶対に|二度と|禁止", "ko": "절대|결코|금지"},
    "always": {
        "zh": "总是|始终|以后|从现在|每次|一律|记住",
        "ja": "いつも|常に|必ず|今後|これから|毎回|覚えて",
        "ko": "항상|언제나|앞으로|매번|반드시|기억",
    },
    "here": {
        "zh": "我们(?:用|使用|都|这|的)|这个(?:项目|仓库|代码库)|本项目",
        "ja": "このリポジトリ|このプロジェクト|うちでは|ここでは|私たちは|弊社",
        "ko": "이 (?:저장소|레포|프로젝트)|우리는|우리 (?:프로젝트|팀)",
    },
    "not": {
        "zh": "不要|不能|不应|别|没|勿",
        "ja": "ない|しない|ません|ずに|ではなく|じゃなく",
        "ko": "말고|마세요|마라|않|지 마|아니라",
    },
    "instead": {
        "zh": "而是|应该|改用|改成|换成|必须",
        "ja": "代わり|ではなく|じゃなくて|べき|ください",
        "ko": "대신|말고|아니라|해야",
    },
    "wrong": {
        "zh": "不是这样|我说|我让你|为什么|撤销|还原|回退",
        "ja": "と言った|違います|なぜ|戻して|取り消",
        "ko": "라고 했|왜|되돌려|취소",
    },
    "dont": {"zh": "不要|别|请不要|请勿", "ja": "やめて", "ko": "하지 마"},
    "you": {"zh": "你(?:用|把|写|又|没)", "ja": "あなた", "ko": "네가|당신"},
    "rather": {"zh": "请用|用|使用|改用", "ja": "使って|使う|使用", "ko": "사용|써야|쓰세요"},
    "once": {"zh": "这次|这一次|暂时", "ja": "今回(?:は|だけ)", "ko": "이번(?:에는|만)"},
    "yes": {
        "zh": "好的|可以|谢谢|继续|很好|没问题",
        "ja": "はい|ありがとう|いいね|続けて|お願いします|完璧",
        "ko": "네|좋아|감사|계속|완벽",
    },
}

_SPACED = {
    "no": _NO,
    "never": _NEVER,
    "always": _ALWAYS,
    "here": _HERE,
    "not": _NOT,
    "instead": _INSTEAD,
    "wrong": _WRONG,
    "yes": _YES,
    "dont": _DONT,
    "you": _YOU,
    "rather": _RATHER,
    "once": _ONCE,
}


@dataclass(frozen=True, slots=True)
class Cues:
    """Which cues a text holds; `language` is the one with the most, or ""."""

    opens_no: bool
    opens_yes: bool
    opens_dont: bool
    opens_you: bool
    """Begins with what the agent did: "you used ..."."""
    never: bool
    always: bool
    here: bool
    negated: bool
    instead: bool
    wrong: bool
    rather: bool
    """Tells what to do: "use ..."."""
    once: bool
    """Says that it is meant for this time only."""
    language: str


@dataclass(frozen=True, slots=True)
class _Cue:
    """One cue in one language."""

    pattern: re.Pattern[str]
    words: frozenset[str] | None
    """One of these stands in every match; None: cannot be told. Looked for first: a set costs less than a search."""


_OPEN_WORD = re.compile(r"\\w|\[|\w[?+*]")
"""Parts of words, and letters that may be missing."""


def _cue(pattern: str, words: str) -> _Cue:
    """`pattern` around `words`, unless some of these are written in a way that only a pattern can tell."""
    needed = None if _OPEN_WORD.search(words) else frozenset(_WORD.findall(re.sub(r"\\.", " ", words)))
    return _Cue(re.compile(pattern), needed)


def _compiled(name: str, *, opening: bool) -> dict[str, _Cue]:
    patterns = {}
    for language, words in _SPACED[name].items():
        start = r"^\W*(?:oh |hm+,? |well,? |sorry,? |ok,? (?=no))?" if opening else r"(?<!\w)"
        patterns[language] = _cue(rf"{start}(?:{words})(?!\w)", words)
    return patterns


def _compiled_unspaced(name: str, *, opening: bool) -> dict[str, _Cue]:
    start = r"^\W*" if opening else ""
    return {language: _Cue(re.compile(f"{start}(?:{words})"), None) for language, words in _UNSPACED[name].items()}


_CONTRAST = re.compile(r",\s*(?:not|no|nicht|keine?|pas|não|non|niet|geen|а не|nie|inte|ikke)\s")
"""A clause set against another: "in tests, not in src"."""
_READ_OPENING = ("no", "yes", "dont", "you")
_OPENING = {name: _compiled(name, opening=True) for name in _READ_OPENING}
_READ_ANYWHERE = ("never", "always", "here", "not", "instead", "wrong", "rather", "once")
_ANYWHERE = {name: _compiled(name, opening=False) for name in _READ_ANYWHERE}
_OPENING_UNSPACED = {name: _compiled_unspaced(name, opening=True) for name in _READ_OPENING}
_ANYWHERE_UNSPACED = {name: _compiled_unspaced(name, opening=False) for name in _READ_ANYWHERE}


def find_cues(text: str) -> Cues:
    """The cues in a person's words, read in the language that most of them are in.

    One word can be a no here and a harmless one there ("nie", "mai", "ne"), so only the cues of the
    likeliest language count, and those of English, which people mix into every language.
    """
    folded = " ".join(text.casefold().replace("’", "'").split())
    words = frozenset(_WORD.findall(folded))
    hits = {name: _hits(_ANYWHERE[name], folded, words) for name in _READ_ANYWHERE}
    opening = {name: _hits(patterns, folded, words) for name, patterns in _OPENING.items()}
    if not folded.isascii():
        for name in _READ_ANYWHERE:
            hits[name] |= _hits(_ANYWHERE_UNSPACED[name], folded, words)
        for name in _READ_OPENING:
            opening[name] |= _hits(_OPENING_UNSPACED[name], folded, words)
    language = _language(folded, [*hits.values(), *opening.values()])
    spoken = {language, "en"}
    contrast = _CONTRAST.search(folded) is not None
    opens_no = bool(opening["no"] & spoken)
    return Cues(
        opens_no=opens_no,
        opens_yes=bool(opening["yes"] & spoken) and not opens_no,
        opens_dont=bool(opening["dont"] & spoken),
        opens_you=bool(opening["you"] & spoken),
        never=bool(hits["never"] & spoken),
        always=bool(hits["always"] & spoken),
        here=bool(hits["here"] & spoken),
        negated=bool(hits["not"] & spoken) or contrast,
        instead=bool(hits["instead"] & spoken) or contrast,
        wrong=bool(hits["wrong"] & spoken),
        rather=bool(hits["rather"] & spoken),
        once=bool(hits["once"] & spoken),
        language=language,
    )


def _hits(patterns: dict[str, _Cue], folded: str, words: frozenset[str]) -> set[str]:
    return {
        language
        for language, cue in patterns.items()
        if (cue.words is None or not words.isdisjoint(cue.words)) and cue.pattern.search(folded)
    }


def _language(folded: str, hits: list[set[str]]) -> str:
    """By function words first, cues second; "" if nothing tells."""
    words = _WORD.findall(folded)
    votes: dict[str, float] = {}
    for language, known in BY_LANGUAGE.items():
        count = sum(word in known for word in words)
        if count:
            votes[language] = float(count)
    for found in hits:
        for language in found:
            votes[language] = votes.get(language, 0.0) + 0.6
    return max(votes, key=lambda language: votes[language]) if votes else ""
