"""Function words of some languages, as terms: they carry grammar, not a topic.

A language that is not here loses little: short words weigh little anyway (core/terms.py: weight).
"""

from hivemind_cli.core.terms import stem

_WORDS = {  # sv also serves Danish and Norwegian
    "feedback": (
        "never always instead must need jamais toujours nie niemals immer statt nunca siempre mai "
        "sempre nooit altijd никогда всегда nigdy zawsze aldrig alltid asla "
    ),
    "en": (
        "a an and are as at be been but by can could did do does for from had has have he her his how i if in "
        "into is it its just let like may me might must my no nor not of on or our out over own please shall "
        "she should so some such than that the their them then there these they this those to too under up us "
        "very was we were what when where which while who why will with would yes you your also again all any "
        "both each few more most other same only about after before here now "
    ),
    "de": (
        "aber als am an auch auf aus bei bin bis bitte da dann das dass dem den der des die doch du durch ein "
        "eine einem einen einer eines er es für hat habe haben hier ich ihr im in ist ja jetzt kann kein "
        "keine mit nach nein nicht noch nur oder schon sein sich sie sind so und uns unser von vor war was "
        "wenn wer wie wir wird zu zum zur "
    ),
    "fr": (
        "au aux avec ce ces cette dans de des du elle en est et il ils je la le les leur lui ma mais me mes "
        "mon ne nous non on ou où par pas pour qu que qui sa se ses si son sont sur ta te tu un une vous oui "
        "plus plaît être été "
    ),
    "es": (
        "al como con de del el ella ellos en entre es esa ese eso esta este esto ha hay la las le les lo los "
        "más me mi muy no nos o para pero por porque que se ser si sin sobre son su sus también te tu un una "
        "uno y ya favor sí "
    ),
    "pt": (
        "ao aos as com da das de do dos e ela ele em entre essa esse esta este eu há isso isto já mais mas me "
        "meu minha muito na não nas no nos nós o os ou para pela pelo por que se sem ser seu sua são também "
        "te um uma você "
    ),
    "it": (
        "ai al alla anche che chi ci come con da dal dei del della di e è gli ha ho i il in io la le lo ma mi "
        "nel nella no noi non per più se si sono su sul tra un una uno "
    ),
    "nl": (
        "aan al als bij dan dat de die dit een en er het hij ik in is je kan maar met mijn na naar niet nog "
        "nu of om ook op over te tot uit van voor was wat we wel wij ze zijn zo "
    ),
    "ru": (
        "а без бы был была были быть в вам вас во вот все вы да для до его ее если есть еще же за и из или им "
        "их к как когда кто ли мне мы на надо нам нас не него нет ни но ну о об он она они от по под при с со "
        "так там то того тоже только ты у уже чем что чтобы это этот я "
    ),
    "pl": (
        "a ale albo bo być był co czy dla do i ich ja jak jest już która które który na nad nie niż o od on "
        "ona po pod przez się są ta tak tam te ten to tu w we z za ze że "
    ),
    "tr": ("bir bu ve ile için da de mi mı ne o şu ben sen biz siz çok daha gibi ama var yok "),
    "sv": (
        "att av den det du ej en er ett för han har hun i ikke inte jag jeg med men mot når och og om på som "
        "så til till var vi är et der at "
    ),
    "cs": ("a ale byl co do i je jako jen k na ne o od po s se si ta tak to v ve z za že "),
}

BY_LANGUAGE: dict[str, frozenset[str]] = {
    language: frozenset(words.split()) for language, words in _WORDS.items() if language != "feedback"
}
_NAMES = frozenset({"jest"})
"""Function words of one language that are names of tools in all: "use vitest, not jest" is about jest."""
STOPWORDS: frozenset[str] = frozenset(stem(word) for words in BY_LANGUAGE.values() for word in words) - _NAMES
FEEDBACK: frozenset[str] = frozenset(stem(word) for word in _WORDS["feedback"].split())
"""Words that make a sentence a rule: a rule needs them, but no call follows it by holding one of them."""
