"""Fit the weights of the ranking (index/weighing.json) and say how well it does on repositories it has not seen.

    python -m tests.measure.fit_recall --data FOLDER --model FOLDER [--cache FOLDER] [--write]

--data holds skills.jsonl.gz {id, repo, name, description, body}, queries_dev.jsonl {id, repo, query, gold_expanded} and
negatives_dev.jsonl {id, repo, query, must_not}: measuring data that is not part of this project. The figures are the
product's own (index/ranking.py). Every row printed is for repositories left out of the fit, ranking and probability.

A person has few skills, and often none that fits: beside the whole collection the probability is fitted on random parts
of it, with the right skill and without. Documents with tasks are fitted on the lessons of tests/app/next_time.jsonl
that may be looked at (`tune`). Needs scikit-learn (extra `measure`).
"""

import argparse
import gzip
import json
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from hivemind_cli.core.intervals import wilson
from hivemind_cli.core.match import Weights
from hivemind_cli.embedding.base import Embedder
from hivemind_cli.index import weighing
from hivemind_cli.index.base import Document, Place, Scope
from hivemind_cli.index.fields import query_terms
from hivemind_cli.index.inmemory_vectors import InMemoryVectors
from hivemind_cli.index.parts import digest, of_document
from hivemind_cli.index.ranking import Ranker
from hivemind_cli.index.tantivy import TantivyIndex
from hivemind_cli.index.weighing import HYBRID, LEXICAL
from tests.measure.lessons_told import Prompted, prompted

WEIGHTS = Path(weighing.__file__).with_name("weighing.json")
RANK = {HYBRID: (*weighing.WORDS, *weighing.MEANING), LEXICAL: weighing.WORDS}
FIGURES = (*weighing.WORDS, *weighing.MEANING, "covered")
APPLIES = {HYBRID: (*weighing.CERTAIN, "few"), LEXICAL: ("score", "lead", "covered", "few")}
FREE = {"few"}
"""Whose sign is not known beforehand."""
PARTS = {30: 6, 100: 4, 300: 3, 1000: 1}
"""Size of a part of the collection -> how many such parts."""
FOLDS = 7
"""Repositories are left out in so many groups."""
PENALTY = 1.0
NOTHING_FITS = 0.2
"""Weight of a query whose right skill was taken away, beside 1 for one whose is there: one of six."""
OF_PARTS = 0.25
"""Weight of a query in a part, beside 1 in the whole collection."""
Matrix = NDArray[np.float64]
Row = dict[str, Any]


@dataclass
class Asked:
    """One query in one collection: its candidates' figures."""

    query: int
    whole: bool
    """Of the whole collection."""
    fits: bool
    """Is a right skill there?"""
    terms: int
    ids: list[str]
    figures: list[dict[str, float]]
    right: NDArray[np.bool_]
    forbidden: NDArray[np.bool_]
    size: int

    def __post_init__(self) -> None:
        self.rows = np.array([[one[name] for name in FIGURES] for one in self.figures])

    def column(self, name: str) -> Matrix:
        """A figure of all candidates."""
        return np.asarray(self.rows[:, FIGURES.index(name)])

    def scores(self, rank: dict[str, float]) -> Matrix:
        """What weights make of the candidates."""
        return np.asarray(self.rows @ np.array([rank.get(name, 0.0) for name in FIGURES]))


class Data:
    """The measuring data, and what the product makes of it."""

    def __init__(self, folder: Path, embedder: Embedder, cache: Path | None) -> None:
        self.skills = _lines(folder / "skills.jsonl.gz")
        self.queries = _lines(folder / "queries_dev.jsonl")
        self.near_misses = _lines(folder / "negatives_dev.jsonl")
        self.all = [*self.queries, *self.near_misses]
        self.repos = np.array([one["repo"] for one in self.all])
        self.documents = [
            Document(
                id=one["id"],
                kind="skill",
                version=1,
                name=one["name"],
                workspace_id="w",
                project_id="",
                trigger=one["description"],
                text=one["body"],
            )
            for one in self.skills
        ]
        pairs = [(document.id, part, text) for document in self.documents for part, text in of_document(document)]
        self.places = [
            Place(id=id, part=part, digest=digest(part, text), workspace_id="w", kind="skill")
            for id, part, text in pairs
        ]
        self.vectors = _embedded([text for _, _, text in pairs], embedder, cache, "skills")
        self.meanings = _embedded([one["query"] for one in self.all], embedder, cache, "queries")

    def weight(self) -> Matrix:
        """Of each query: a repository with many counts for more than one with few, but not by as much."""
        counts = Counter(self.repos)
        found = np.array([1 / np.sqrt(max(counts[repo], 3)) for repo in self.repos])
        return np.asarray(found / found.mean())


def collect(data: Data) -> list[Asked]:
    """Every query in the whole collection, and many in parts of it."""
    rng = np.random.default_rng(5)
    found = list(_asked(data, range(len(data.documents)), range(len(data.all)), whole=True))
    for size, count in PARTS.items():
        for _ in range(count):
            some = _part(data, size, rng)
            asked = rng.choice(len(data.queries), 150, replace=False)
            held = {data.documents[n].id for n in some}
            fitting = [n for n, one in enumerate(data.queries) if held & set(one["gold_expanded"])]
            rng.shuffle(fitting)
            found += _asked(data, some, sorted({*asked.tolist(), *fitting[:150]}), whole=False)
    return found + [_without(one) for one in found if one.fits]


def _part(data: Data, size: int, rng: np.random.Generator) -> list[int]:
    """Skills of a few repositories, so that some are much alike, and of anywhere."""
    repos = rng.permutation(sorted({one["repo"] for one in data.queries}))[:3]
    of_them = [n for n, one in enumerate(data.skills) if one["repo"] in repos]
    chosen = [*rng.permutation(of_them)[: size // 2], *rng.permutation(len(data.skills))]
    return [int(n) for n in dict.fromkeys(chosen)][:size]


def _asked(data: Data, some: Iterable[int], queries: Iterable[int], *, whole: bool) -> Iterable[Asked]:
    documents = [data.documents[n] for n in some]
    held = {document.id for document in documents}
    rows = [n for n, place in enumerate(data.places) if place.id in held]
    vectors = InMemoryVectors(model="m")
    vectors.update([data.places[n] for n in rows], data.vectors[rows], [], cursor=1)
    with tempfile.TemporaryDirectory() as folder:
        index = TantivyIndex(Path(folder) / "index")
        index.update(documents, [], cursor=1)
        ranker = Ranker(index, vectors)
        for n in queries:
            line = data.all[n]
            found = ranker.candidates(line["query"], Scope("w"), Weights(), meaning=data.meanings[n])
            ids = [one.document.id for one in found]
            if not ids:
                continue
            right = np.array([id in line.get("gold_expanded", ()) for id in ids])
            yield Asked(
                query=n,
                whole=whole,
                fits=bool(held & set(line.get("gold_expanded", ()))),
                terms=len(query_terms(line["query"])),
                ids=ids,
                figures=[dict(one.figures) for one in found],
                right=right,
                forbidden=np.array([id in line.get("must_not", ()) for id in ids]),
                size=len(documents),
            )
        index.close()


def _without(one: Asked) -> Asked:
    """The same, but the right skills are not there."""
    kept = np.flatnonzero(~one.right)
    if not len(kept):
        kept = np.array([0])
    return Asked(
        query=one.query,
        whole=one.whole,
        fits=False,
        terms=one.terms,
        ids=[one.ids[n] for n in kept],
        figures=[dict(one.figures[n]) for n in kept],
        right=np.zeros(len(kept), bool),
        forbidden=one.forbidden[kept],
        size=one.size,
    )


# -- fitting


def fit(asked: Sequence[Asked], weight: Matrix, tier: str) -> dict[str, dict[str, float]]:
    """`rank` and `applies` of one tier."""
    rank = fit_rank(asked, weight, RANK[tier])
    rows, right, weights = [], [], []
    for one in asked:
        top = figures_of_first(one, rank)
        rows.append([top[name] for name in APPLIES[tier]])
        right.append(bool(one.right[int(top["at"])]))
        weights.append(weight[one.query] * (1.0 if one.whole else OF_PARTS) * (1.0 if one.fits else NOTHING_FITS))
    return {"rank": rank, "applies": fit_logistic(np.array(rows), np.array(right), np.array(weights), APPLIES[tier])}


def figures_of_first(one: Asked, rank: dict[str, float]) -> dict[str, float]:
    """The figures of the candidate ranked first, with `score`, `lead` and `few`; `at`: which it is."""
    scores = one.scores(rank)
    at = int(np.argmax(scores))
    others = np.delete(scores, at).max(initial=weighing.Fitted(rank, {}).floor)
    lead = min(float(scores[at] - others), weighing.LEAD_MAX)
    return {**one.figures[at], "score": float(scores[at]), "lead": lead, "few": weighing.few_terms(one.terms), "at": at}


def fit_rank(asked: Sequence[Asked], weight: Matrix, names: Sequence[str]) -> dict[str, float]:
    """Weights, none negative, by which right ones come first: a softmax over each query's candidates."""
    used = [one for one in asked if one.right.any() or one.forbidden.any()]
    sizes = [len(one.ids) for one in used]
    rows = np.concatenate([one.rows for one in used])[:, [FIGURES.index(name) for name in names]]
    spread = rows.std(0) + 1e-9
    rows = rows / spread
    starts = np.cumsum([0, *sizes[:-1]])
    of = np.repeat(np.arange(len(used)), sizes)
    right = np.concatenate([one.right for one in used])
    forbidden = np.concatenate([one.forbidden for one in used])
    wanted = np.array([one.right.any() for one in used])
    weights = np.array([weight[one.query] * (1.0 if one.whole else OF_PARTS) for one in used])
    weights = np.where(wanted, weights, 0.5 * weights)

    def loss(theta: Matrix) -> tuple[float, Matrix]:
        scores = rows @ theta
        share = np.exp(scores - np.maximum.reduceat(scores, starts)[of])
        share /= np.add.reduceat(share, starts)[of]
        hit = np.maximum(np.add.reduceat(share * right, starts), 1e-12)
        bad = np.minimum(np.add.reduceat(share * forbidden, starts), 0.999)
        value = float((weights * np.where(wanted, -np.log(hit), -np.log1p(-bad))).sum()) + PENALTY * float(
            theta @ theta
        )
        pull = np.where(wanted[of], share - share * right / hit[of], share * (forbidden - bad[of]) / (1 - bad[of]))
        return value, (weights[of] * pull) @ rows + 2 * PENALTY * theta

    found = minimize(loss, np.full(len(names), 0.3), jac=True, method="L-BFGS-B", bounds=[(0, None)] * len(names)).x
    return dict(zip(names, map(float, found / spread), strict=True))


def fit_logistic(rows: Matrix, right: NDArray[np.bool_], weight: Matrix, names: Sequence[str]) -> dict[str, float]:
    """A logistic regression whose weights are none negative, but those of FREE; with its `bias`."""
    middle, spread = rows.mean(0), rows.std(0) + 1e-9
    scaled = np.column_stack([(rows - middle) / spread, np.ones(len(rows))])
    sign = np.where(right, 1.0, -1.0)

    def loss(theta: Matrix) -> tuple[float, Matrix]:
        margin = sign * (scaled @ theta)
        value = float((weight * np.logaddexp(0, -margin)).sum()) + PENALTY * float(theta[:-1] @ theta[:-1])
        slope = -(weight * sign / (1 + np.exp(np.clip(margin, -50, 50)))) @ scaled
        slope[:-1] += 2 * PENALTY * theta[:-1]
        return value, slope

    bounds = [(None, None) if name in FREE else (0.0, None) for name in names] + [(None, None)]
    theta = minimize(loss, np.zeros(len(names) + 1), jac=True, method="L-BFGS-B", bounds=bounds).x
    slopes = theta[:-1] / spread
    return {"bias": float(theta[-1] - slopes @ middle), **dict(zip(names, map(float, slopes), strict=True))}


# -- reporting


@dataclass
class Answer:
    """What the product would answer to one query, at weights that have not seen its repository."""

    asked: Asked
    order: list[int]
    score: float


def crossed(data: Data, asked: Sequence[Asked], tier: str) -> list[Answer]:
    """Every query answered at weights fitted without its repository."""
    weight, found = data.weight(), []
    repos = [str(repo) for repo, _ in Counter(data.repos).most_common()]
    fold_of = {repo: n % FOLDS for n, repo in enumerate(repos)}  # the largest two are never left out together
    for fold in range(FOLDS):
        here = [one for one in asked if fold_of[data.repos[one.query]] == fold]
        fitted = fit([one for one in asked if fold_of[data.repos[one.query]] != fold], weight, tier)
        found += [answer(one, fitted) for one in here]
    return found


def answer(one: Asked, fitted: dict[str, dict[str, float]]) -> Answer:
    """Ranked and weighed as the product does."""
    weights = weighing.Fitted(rank=fitted["rank"], applies=fitted["applies"])
    scores = weighing.probabilities([dict(figures) for figures in one.figures], one.terms, weights)
    order = sorted(range(len(scores)), key=lambda n: (-scores[n], one.ids[n]))
    return Answer(one, order, scores[order[0]])


def by_figure(asked: Sequence[Asked], figure: str) -> list[Answer]:
    """Ranked by one figure alone."""
    found = []
    for one in asked:
        scores = one.column(figure).tolist()
        order = sorted(range(len(scores)), key=lambda n: (-scores[n], one.ids[n]))
        found.append(Answer(one, order, scores[order[0]]))
    return found


def report(data: Data, name: str, answers: Sequence[Answer], applies_min: float | None = None) -> None:
    """A row of hits, by query and by repository; with a threshold, what is said and how often rightly."""
    whole = [one for one in answers if one.asked.whole and one.asked.query < len(data.queries)]
    prompts = {one.asked.query: one for one in whole if one.asked.fits}
    ranks = {n: _first(one) for n, one in prompts.items()}
    repos = sorted({data.repos[n] for n in ranks})
    cells = []
    for cut in (1, 5, 10):
        hits = [0 < rank <= cut for rank in ranks.values()]
        low, high = wilson(sum(hits), len(hits))
        of_repos = [np.mean([0 < ranks[n] <= cut for n in ranks if data.repos[n] == repo]) for repo in repos]
        cells.append(f"{np.mean(hits):.3f} [{low:.2f}-{high:.2f}] by repo {np.mean(of_repos):.3f}")
    misses = {one.asked.query: one for one in answers if one.asked.whole and one.asked.query >= len(data.queries)}
    fired = [one for one in misses.values() if one.asked.forbidden[one.order[0]]]
    print(f"{name:24} hit@1 {cells[0]}  hit@5 {cells[1]}  hit@10 {cells[2]}  must-not@1 {len(fired) / len(misses):.3f}")
    if applies_min is None:
        return
    for repo in repos:
        mine = [ranks[n] for n in ranks if data.repos[n] == repo]
        shares = " ".join(f"{np.mean([0 < rank <= cut for rank in mine]):.2f}" for cut in (1, 5, 10))
        print(f"    {repo:45} {len(mine):4} {shares}")
    for at in (applies_min, *(x / 20 for x in range(6, 16))):
        _abstaining(list(prompts.values()), fired, len(misses), answers, at)
    _reliability(answers)


def _abstaining(
    prompts: Sequence[Answer], fired: Sequence[Answer], misses: int, answers: Sequence[Answer], at: float
) -> None:
    said = [one for one in prompts if one.score >= at]
    wrong = sum(one.score >= at for one in fired)
    ok = sum(_first(one) == 1 for one in said)
    low, high = wilson(ok, len(said) + wrong)
    cells = []
    for size in PARTS:
        of = [one for one in answers if not one.asked.whole and one.asked.size == size]
        fitting = [one for one in of if one.asked.fits and one.score >= at]
        none = [one for one in of if not one.asked.fits]
        precision = np.mean([_first(one) == 1 for one in fitting]) if fitting else 0.0
        share = len(fitting) / max(sum(one.asked.fits for one in of), 1)
        cells.append(f"{size}: {precision:.2f}/{share:.2f}/{np.mean([one.score >= at for one in none]):.2f}")
    print(
        f"    at {at:.3f}: precision {ok / max(len(said) + wrong, 1):.3f} [{low:.2f}-{high:.2f}], answered "
        f"{len(said) / len(prompts):.3f}, must-not {wrong / misses:.3f}; parts precision/answered/said where none fits "
        + "  ".join(cells)
    )


def _reliability(answers: Sequence[Answer]) -> None:
    for name, of in (
        ("whole, one fits", [one for one in answers if one.asked.whole and one.asked.fits]),
        ("parts, fits or not", [one for one in answers if not one.asked.whole]),
    ):
        cells = []
        for low in np.arange(0, 1, 0.1):
            inside = [one for one in of if low <= one.score < low + 0.1]
            if len(inside) >= 10:
                said, was = np.mean([one.score for one in inside]), np.mean([_first(one) == 1 for one in inside])
                cells.append(f"{said:.2f}:{was:.2f} ({len(inside)})")
        print(f"    probability said:was, {name}: " + " ".join(cells))


def _first(one: Answer) -> int:
    return next((rank for rank, n in enumerate(one.order, 1) if one.asked.right[n]), 0)


def _embedded(texts: list[str], embedder: Embedder, cache: Path | None, name: str) -> NDArray[np.float32]:
    kept = cache / f"{name}.{digest(name, json.dumps(texts))}.npy" if cache else None
    if kept is not None and kept.exists():
        return np.asarray(np.load(kept))
    vectors = np.concatenate([embedder.embed(texts[n : n + 256]) for n in range(0, len(texts), 256)])
    if kept is not None:
        np.save(kept, vectors)
    return np.asarray(vectors)


def _lines(path: Path) -> list[Row]:
    data = path.read_bytes()
    text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8")
    return [json.loads(line) for line in text.splitlines() if line.strip()]


# -- documents with tasks


def fit_told(prompts: Sequence[Prompted]) -> dict[str, dict[str, dict[str, float]]]:
    """`told` of both tiers, from the lessons that may be looked at."""
    seen = [one for one in prompts if one.split == "tune"]
    pairs = [(figures, right) for one in seen for figures, right in zip(one.figures, one.right, strict=True)]
    right = np.array([was for _, was in pairs])
    alike = np.ones(len(pairs))
    names = weighing.TOLD
    rank = fit_logistic(np.array([[of[name] for name in names] for of, _ in pairs]), right, alike, names)
    rank.pop("bias")
    shared = np.array([of["fit"] for of, _ in pairs]) > 0  # where no word is shared nothing is weighed
    fits = np.array([[of["fit"]] for of, _ in pairs])[shared]
    by_fit = fit_logistic(fits, right[shared], alike[shared], ("score",))
    rows, was = _led(seen, rank)
    applies = fit_logistic(rows, was, np.ones(len(rows)), ("score", "lead"))
    return {HYBRID: {"rank": rank, "applies": applies}, LEXICAL: {"rank": {"fit": 1.0}, "applies": by_fit}}


def _led(prompts: Sequence[Prompted], rank: dict[str, float]) -> tuple[Matrix, NDArray[np.bool_]]:
    """(score, lead) of every skill of random sets of 1 to 30, with the right one and without; and which are right."""
    rng = np.random.default_rng(3)
    floor = weighing.Fitted(rank, {}).floor
    rows, was = [], []
    for one in prompts:
        scores = np.array([sum(weight * of[name] for name, weight in rank.items()) for of in one.figures])
        right = np.array(one.right)
        for size, draws in ((1, 4), (3, 4), (10, 4), (30, 2)):
            for draw in range(2 * draws):
                others = rng.permutation(np.flatnonzero(~right))[:size]
                some = np.concatenate([others[1:], np.flatnonzero(right)]) if draw % 2 and right.any() else others
                rows += list(zip(scores[some], weighing.leads(scores[some].tolist(), floor), strict=True))
                was += right[some].tolist()
    return np.array(rows), np.array(was)


def report_told(prompts: Sequence[Prompted], tier: str, fitted: dict[str, dict[str, float]]) -> None:
    """How often a prompt ranks its lesson's skill first, and what would be said at 0.5."""
    weights = weighing.Fitted(fitted["rank"], fitted["applies"])
    for split in ("tune", "held"):
        for kind in ("natural", "next", "clean"):
            of = [one for one in prompts if (one.split, one.kind) == (split, kind)]
            first = told = others = 0
            for one in of:
                scores = weighing.probabilities([dict(figures) for figures in one.figures], 0, weights)
                right = [score for score, was in zip(scores, one.right, strict=True) if was]
                first += bool(right) and right[0] >= max(scores)
                told += bool(right) and right[0] >= 0.5
                others += any(score >= 0.5 for score, was in zip(scores, one.right, strict=True) if not was)
            print(f"    {tier} {split} {kind}: of {len(of)}: first {first}, told {told}, another told {others}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    from hivemind_cli.embedding.onnx import Onnx

    embedder = Onnx(args.model)
    data = Data(args.data, embedder, args.cache)
    asked = collect(data)
    report(data, "BM25, whole skill", by_figure(asked, "words"))
    report(data, "nearest trigger", by_figure(asked, "near_trigger"))
    written = {}
    for tier in (LEXICAL, HYBRID):
        report(data, tier, crossed(data, asked, tier), 0.5)
        written[tier] = fit(asked, data.weight(), tier)
    prompts = prompted(embedder)
    told = fit_told(prompts)
    for tier in (LEXICAL, HYBRID):
        report_told(prompts, tier, told[tier])
    weights = {tier: {"written": written[tier], "told": told[tier]} for tier in (HYBRID, LEXICAL)}
    print(json.dumps(_rounded(weights)))
    if args.write:
        about = {"made_by": "tests/measure/fit_recall.py", "model": embedder.name, "queries": len(data.all)}
        WEIGHTS.write_text(json.dumps({"about": about, **_rounded(weights)}, indent=2) + "\n", encoding="utf-8")


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _rounded(one) for name, one in value.items()}
    return round(value, 4)


if __name__ == "__main__":
    main()
