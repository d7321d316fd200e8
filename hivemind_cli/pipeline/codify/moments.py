"""Does a new skill fire where the mistake happened, and stay silent elsewhere? Asked before it goes live."""

from collections.abc import Sequence

from hivemind_cli.core.acts import Act
from hivemind_cli.core.match import Weights, content, fit, rarity
from hivemind_cli.core.records import Event, EventKind, SkillRevision
from hivemind_cli.storage.base import Store

PROMPTS_MAX = 50
"""Other prompts of the project that are sampled."""
_READ_MAX = 500
PROMPTS_MIN = 10
"""Fewer prove nothing."""
MISFIRES_MAX = 0.2
"""Share of the sampled prompts at which it may fire."""


def failing(revision: SkillRevision, store: Store, applies_min: float) -> str:
    """Why the skill must not go live, in words; "" if its moments hold."""
    prompts = _prompts(revision, store)
    weights = Weights(rarity(prompts))
    subjects = [content(text) for text in (*revision.tasks, revision.trigger)]
    rule = content(" ".join((revision.title, *(line.text for line in revision.lines))))

    def fires(prompt: str) -> bool:
        return fit(content(prompt), subjects, rule, weights) >= applies_min

    acts = [Act.of(act) for act in revision.acts]
    at_call = any(not act.signature.endswith(":") for act in acts)
    if not at_call and not any(fires(task) for task in revision.tasks):
        return "it does not fire at the moment of its own correction"
    sample = _sample([prompt for prompt in prompts if prompt not in revision.tasks])
    misfires = sum(map(fires, sample))
    if len(sample) >= PROMPTS_MIN and misfires > MISFIRES_MAX * len(sample):
        return f"it would fire at {misfires} of {len(sample)} other prompts of this project"
    return ""


def _prompts(revision: SkillRevision, store: Store) -> list[str]:
    own = {one for line in revision.lines for one in line.correction_ids}
    rows = store.find(
        Event,
        kind=EventKind.PROMPT,
        workspace_id=revision.workspace_id,
        project_id=revision.project_id,
        newest_first=True,
        limit=_READ_MAX,
    )
    texts = (str(row.record.payload.get("text", "")) for row in rows if row.record.id not in own)
    return [text for text in dict.fromkeys(texts) if text.strip()]


def _sample(prompts: Sequence[str]) -> list[str]:
    """Evenly over time, so that one busy day does not decide."""
    step = max(len(prompts) / PROMPTS_MAX, 1)
    return [prompts[int(i * step)] for i in range(min(len(prompts), PROMPTS_MAX))]
