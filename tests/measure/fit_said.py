"""Fit the weights of `said` and say how well they do on repositories they have not seen.

    python tests/measure/fit_said.py --turns LABELLED.jsonl [--model FOLDER] [--write]

LABELLED.jsonl: {id, repo, prev_assistant, user, label, durable, sample?, lang?} a line; measuring data that is not part
of this project. Beside it the model learns from said_examples.jsonl, invented turns of our own. Every figure printed is
for a repository left out of the fit, at a threshold chosen without it. Needs scikit-learn (extra `measure`).
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction import DictVectorizer
from sklearn.linear_model import LogisticRegression

from hivemind_cli.core.acts import OTHER, Act
from hivemind_cli.core.intervals import bootstrap, tally, wilson
from hivemind_cli.core.records import PUSHBACK, SaidKind
from hivemind_cli.pipeline import judged
from hivemind_cli.pipeline.detect import said
from hivemind_cli.pipeline.detect.features import BEFORE_CHARS_MAX, USER_CHARS_MAX, features
from hivemind_cli.pipeline.detect.model import embed_pairs

EXAMPLES = Path(__file__).with_name("said_examples.jsonl")
WEIGHTS = Path(said.__file__).with_name("said.json")
KINDS: list[SaidKind] = [kind for kind in SaidKind if kind is not SaidKind.UNKNOWN]
STRENGTH = 0.2
"""Inverse of the L2 penalty (C)."""
OWN_SHARE = {"contrast": 0.03, "session": 0.16}
"""Weight of all invented turns of a sort, beside 1 for all real ones: hard pairs, and turns of whole sessions."""
DURABLE_STRENGTH, DURABLE_OWN_WEIGHT, DURABLE_POSITIVE = 0.1, 1.0, 2.0
FEATURE_MIN = 3
"""Turns a feature must stand in to have a weight."""

Row = dict[str, Any]
Matrix = NDArray[np.float64]


class Data:
    """Turns as numbers."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows = rows
        self.pairs = [(row["user"], row.get("prev_assistant", row.get("prev", "")) or "") for row in rows]
        self.named = [features(user, before) for user, before in self.pairs]
        self.rules = [_rules(user, before) for user, before in self.pairs]
        self.kind = np.array([KINDS.index(SaidKind(row["label"])) for row in rows])
        self.durable = np.array([row["durable"] is True for row in rows])
        self.meaning: Matrix = np.zeros((len(rows), 0))

    def embed(self, folder: Path) -> str:
        """Add the meaning's columns: the cosine of the pair, then the words' vector. The embedder's model name."""
        from hivemind_cli.embedding.onnx import Onnx

        embedder = Onnx(folder)
        found = [one for n in range(0, len(self.pairs), 64) for one in embed_pairs(self.pairs[n : n + 64], embedder)]
        user, before = np.stack([one.user for one in found]), np.stack([one.before for one in found])
        self.meaning = np.hstack([(user * before).sum(1, keepdims=True), user]).astype(float)
        return embedder.name.partition("/")[0]


def _rules(user: str, before: str) -> dict[str, float]:
    told = before[-BEFORE_CHARS_MAX:]
    return said._rules(user[:USER_CHARS_MAX], Act(OTHER, "", text=told), told, "").as_features


def main() -> None:
    """Measure, and with --write put the weights in place."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=Path, required=True)
    parser.add_argument("--model", type=Path, help="an exported model folder, for the hybrid tier")
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    turns, own = Data(_lines(args.turns)), Data(_lines(EXAMPLES))
    fitted: Row = {"lexical": fit_tier("lexical", turns, own)}
    if args.model:
        name = turns.embed(args.model)
        own.embed(args.model)
        fitted |= {"embedder": name, "hybrid": fit_tier("hybrid", turns, own)}
    for key in ("durable_min", "failure_min"):
        fitted[key] = fitted["lexical"].pop(key)
        if "hybrid" in fitted:
            fitted["hybrid"].pop(key)
    if args.write:
        if "hybrid" not in fitted:
            parser.error("--write needs --model: both tiers ship")
        WEIGHTS.write_text(json.dumps(fitted, separators=(",", ":")) + "\n", encoding="utf-8")


def fit_tier(tier: str, turns: Data, own: Data) -> Row:
    """Measure one tier by leaving repositories out; then fit it on everything."""
    known = [name for name, n in _counts(turns, own).items() if n >= FEATURE_MIN]
    table = DictVectorizer(sparse=False).fit([dict.fromkeys(known, 1.0)])
    x, x_own = (np.hstack([table.transform(data.named), data.meaning]) for data in (turns, own))
    rules = DictVectorizer(sparse=False).fit([*turns.rules, *own.rules])
    d, d_own = (np.hstack([table.transform(data.named), rules.transform(data.rules)]) for data in (turns, own))
    sorts = ["session" if row.get("session") else "contrast" for row in own.rows]
    own_weight = np.array([OWN_SHARE[sort] * len(x) / sorts.count(sort) for sort in sorts])

    def fit(keep: NDArray[np.bool_]) -> LogisticRegression:
        weight = np.r_[np.ones(keep.sum()), own_weight]
        return LogisticRegression(C=STRENGTH, max_iter=1000).fit(
            np.vstack([x[keep], x_own]), np.r_[turns.kind[keep], own.kind], sample_weight=weight
        )

    def fit_durable(keep: NDArray[np.bool_]) -> LogisticRegression:
        target = np.r_[turns.durable[keep], own.durable]
        weight = (
            np.where(target, DURABLE_POSITIVE, 1.0)
            * np.r_[np.ones(keep.sum()), np.full(len(own.rows), DURABLE_OWN_WEIGHT)]
        )
        return LogisticRegression(C=DURABLE_STRENGTH, max_iter=1000).fit(
            np.vstack([d[keep], d_own]), target, sample_weight=weight
        )

    repos = np.array([row["repo"] for row in turns.rows])
    kinds, durable = np.zeros((len(x), len(KINDS))), np.zeros(len(x))
    for repo in sorted(set(repos)):
        keep = repos != repo
        model = fit(keep)
        kinds[np.ix_(~keep, model.classes_)] = model.predict_proba(x[~keep])
        durable[~keep] = fit_durable(keep).predict_proba(d[~keep])[:, 1]
    slope, shift = _platt(kinds[:, 0], turns)
    calibrated = 1 / (1 + np.exp(-(slope * _logit(kinds[:, 0]) + shift)))
    chosen = report(tier, turns, repos, calibrated, kinds, durable)
    model, lasting = fit(np.ones(len(x), bool)), fit_durable(np.ones(len(x), bool))
    names = list(table.get_feature_names_out())
    rows = np.zeros((len(KINDS), x.shape[1]))
    rows[model.classes_] = model.coef_
    bias = np.full(len(KINDS), -30.0)
    bias[model.classes_] = model.intercept_
    out: Row = {
        "kinds": [kind.value for kind in KINDS],
        "bias": _rounded(bias),
        "features": {name: _rounded(rows[:, n]) for n, name in enumerate(names)},
        "platt": [round(slope, 4), round(shift, 4)],
        "durable": {
            "bias": round(float(lasting.intercept_[0]), 4),
            "features": dict(zip([*names, *rules.get_feature_names_out()], _rounded(lasting.coef_[0]), strict=True)),
        },
        **chosen,
    }
    if turns.meaning.shape[1]:
        out["meaning"] = {
            "cosine": _rounded(rows[:, len(names)]),
            "user": _rounded(rows[:, len(names) + 1 :].T.ravel()),
        }
    return out


def report(tier: str, turns: Data, repos: NDArray[Any], p: Matrix, kinds: Matrix, durable: Matrix) -> Row:
    """Print the figures; the thresholds, each chosen for a repository on all others."""
    truth, natural = turns.kind == 0, np.array([row.get("sample", "natural") == "natural" for row in turns.rows])
    english = np.array([row.get("lang", "en") == "en" for row in turns.rows])
    push_truth = np.isin(turns.kind, [KINDS.index(kind) for kind in PUSHBACK])
    push = np.sum([kinds[:, KINDS.index(kind)] for kind in PUSHBACK], axis=0)
    print(f"\n{tier}: {len(truth)} turns, {len(set(repos))} repositories left out one by one")
    targets = {
        "strict": (_crossed(p, truth, repos, _best_f1), truth),
        "strict at the default threshold": (p >= judged.CORRECTION_MIN, truth),
        "pushback": (_crossed(push, push_truth, repos, _best_f1) | (p >= judged.CORRECTION_MIN), push_truth),
        "shown": (p >= judged.SHOWN_MIN, truth),
        "passed on": (p >= judged.PASS_MIN, truth),
        "durable": (_crossed(durable, turns.durable, repos, _best_f1), turns.durable),
    }
    for name, (said_so, was) in targets.items():
        for part, keep in (("all", np.ones(len(was), bool)), ("natural", natural), ("english", english)):
            print(f"  {name:32s} {part:8s} {_line(said_so[keep], was[keep])}")
    print(f"  passed on: {np.mean(p >= judged.PASS_MIN):.2f} of the turns")
    order = np.argsort(-p)
    found = np.cumsum(truth[order]) / truth.sum()
    print(f"  recall in the first half of the turns: {found[len(order) // 2 - 1]:.3f}")
    n = int(np.searchsorted(found, 0.4)) + 1
    print(f"  precision at recall .40: {truth[order][:n].mean():.3f} (threshold {p[order][n - 1]:.2f})")
    for low, high in ((0.0, 0.1), (0.1, 0.2), (0.2, 0.3), (0.3, 0.5), (0.5, 0.7), (0.7, 1.01)):
        inside = (p >= low) & (p < high)
        print(f"  said {low:.1f}-{min(high, 1):.1f}: {truth[inside].sum()} of {inside.sum()} are corrections")
    return {
        "durable_min": round(_best_f1(durable, turns.durable), 3),
        "failure_min": round(_best_f1(push, push_truth), 3),
    }


def _line(said_so: NDArray[np.bool_], was: NDArray[np.bool_]) -> str:
    pairs = [(bool(a), bool(b)) for a, b in zip(said_so, was, strict=True)]
    counts = tally(pairs)
    low, high = bootstrap(pairs, lambda drawn: tally(drawn).f1) or (0.0, 1.0)
    p_low, p_high = wilson(counts.hits, counts.hits + counts.false_alarms)
    r_low, r_high = wilson(counts.hits, counts.hits + counts.misses)
    return (
        f"P {counts.precision or 0:.2f} [{p_low:.2f}-{p_high:.2f}]  "
        f"R {counts.recall or 0:.2f} [{r_low:.2f}-{r_high:.2f}]  F1 {counts.f1 or 0:.3f} [{low:.2f}-{high:.2f}]"
    )


def _crossed(score: Matrix, truth: NDArray[np.bool_], repos: NDArray[Any], choose: Any) -> NDArray[np.bool_]:
    """Yes or no, at each repository's threshold: the one chosen on all others."""
    out = np.zeros(len(score), bool)
    for repo in set(repos):
        here = repos == repo
        out[here] = score[here] >= choose(score[~here], truth[~here])
    return out


def _best_f1(score: Matrix, truth: NDArray[np.bool_]) -> float:
    order = np.argsort(-score)
    f1 = 2 * np.cumsum(truth[order]) / (np.arange(1, len(order) + 1) + truth.sum())
    smooth = np.convolve(f1, np.ones(9) / 9, mode="same")  # one lucky turn must not choose
    return float(score[order][int(smooth.argmax())])


def _platt(raw: Matrix, turns: Data) -> tuple[float, float]:
    natural = np.array([row.get("sample", "natural") == "natural" for row in turns.rows])
    fitted = LogisticRegression(C=100).fit(_logit(raw[natural])[:, None], turns.kind[natural] == 0)
    return float(fitted.coef_[0][0]), float(fitted.intercept_[0])


def _logit(p: Matrix) -> Matrix:
    p = np.clip(p, 1e-6, 1 - 1e-6)
    return np.asarray(np.log(p / (1 - p)))


def _counts(*data: Data) -> dict[str, int]:
    counts: dict[str, int] = {}
    for one in data:
        for named in one.named:
            for name in named:
                counts[name] = counts.get(name, 0) + 1
    return counts


def _rounded(values: Matrix) -> list[float]:
    return [round(float(value), 3) for value in values]


def _lines(path: Path) -> list[Row]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


if __name__ == "__main__":
    main()
