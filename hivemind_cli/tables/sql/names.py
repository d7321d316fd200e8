"""Names inside a statement: which WITH a table means, and what a column of a result is called."""

from sqlglot import exp

from hivemind_cli.core.errors import SQLError
from hivemind_cli.tables.sql.safety import BM25, COSINE, HYBRID, SCORES

UNNAMED = "?column?"
"""What PostgreSQL calls a column it has no name for."""


def cte_of(table: exp.Table) -> str | None:
    """The name, in small letters, of the WITH query that `table` means; None: it means no such query."""
    wanted = table.name.lower()
    child: exp.Expr = table
    parent = table.parent
    while parent is not None:
        if isinstance(parent, exp.With):
            at = next(at for at, one in enumerate(parent.expressions) if one is child)
            seen = parent.expressions[: at + 1] if parent.recursive else parent.expressions[:at]
        else:
            within = parent.args.get("with_")
            seen = within.expressions if within is not None and within is not child else []
        if any(one.alias.lower() == wanted for one in seen):
            return wanted
        child, parent = parent, parent.parent
    return None


def distinct_ctes(tree: exp.Expr) -> None:
    """SQLError: two queries of one WITH have one name."""
    for within in tree.find_all(exp.With):
        names = [one.alias.lower() for one in within.expressions]
        if len(set(names)) != len(names):
            raise SQLError("Two queries of one WITH have the same name.")


def titled(tree: exp.Expr) -> None:
    """Each column of each SELECT gets the name PostgreSQL gives it; no two the same, but where the person says so."""
    for select in tree.find_all(exp.Select):
        taken = {one.alias for one in select.expressions if isinstance(one, exp.Alias)}
        made = []
        for one in select.expressions:
            if isinstance(one, exp.Alias | exp.Star | exp.Aliases) or one.is_star:
                made.append(one)
                continue
            name = free(title(one), taken)
            taken.add(name)
            column = isinstance(one, exp.Column) and name == one.name
            made.append(one if column else exp.alias_(one, name, quoted=True))
        select.set("expressions", made)


def free(name: str, taken: set[str]) -> str:
    """`name`, or name_1 and so on if it is taken."""
    said, count = name, 0
    while said in taken:
        count += 1
        said = f"{name}_{count}"
    return said


def title(node: exp.Expr) -> str:
    """PostgreSQL's rule: a column's name, a function's, else `?column?`."""
    if isinstance(node, exp.Column):
        return node.name if node.this.args.get("quoted") else node.name.lower()
    if isinstance(node, exp.Paren | exp.Window | exp.Filter | exp.WithinGroup | exp.Bracket):
        return title(node.this)
    if isinstance(node, exp.Cast):
        inner = title(node.this)
        return inner if inner != UNNAMED else node.to.this.value.lower()
    if isinstance(node, exp.Subquery):
        selects = node.this.selects if isinstance(node.this, exp.Query) else []
        return selects[0].alias_or_name or title(selects[0]) if selects else UNNAMED
    if isinstance(node, exp.Anonymous):
        return _SCORES.get(SCORES.get(node.name.lower(), ""), node.name.lower())
    if isinstance(node, exp.Func) and not isinstance(node, exp.Binary):
        return _TITLES.get(type(node), node.sql_name().lower())
    return UNNAMED


_SCORES = {
    COSINE: "cosine_similarity",
    BM25: "bm25",
    HYBRID: "hybrid",
    "hm_nearness": "score",
    "hm_distance": "distance",
}
_TITLES: dict[type[exp.Expr], str] = {
    exp.CurrentTimestamp: "now",
    exp.LogicalAnd: "bool_and",
    exp.LogicalOr: "bool_or",
    exp.GroupConcat: "string_agg",
    exp.Explode: "unnest",
    exp.JSONArrayAgg: "json_agg",
    exp.JSONObjectAgg: "json_object_agg",
    exp.JSONBObjectAgg: "jsonb_object_agg",
    exp.ExplodingGenerateSeries: "generate_series",
    exp.Rand: "random",
    exp.TimestampTrunc: "date_trunc",
    exp.TimeToStr: "to_char",
    exp.StrToDate: "to_date",
    exp.UnixToTime: "to_timestamp",
    exp.StddevPop: "stddev_pop",
    exp.StddevSamp: "stddev_samp",
    exp.VariancePop: "var_pop",
    exp.ArraySize: "array_length",
    exp.Pad: "lpad",
    exp.StrPosition: "position",
    exp.Uuid: "gen_random_uuid",
}
