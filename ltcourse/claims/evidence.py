"""Each claim with its evidence: the best record that can decide it, or what is missing."""

from collections.abc import Iterable

from ltcourse.claims.catalog import CLAIMS
from ltcourse.claims.frontier import FRONTIER
from ltcourse.claims.sheet import ClaimsTable
from ltcourse.claims.verdicts import Claim, ClaimRow, Measurement
from ltcourse.experiments import catalog, runs
from ltcourse.names import choose


def examine(key: str) -> ClaimRow:
    """Return one claim with its evidence: "S8 faster".

    Raises ValueError for an unknown key.
    Lesson 08, "The claims table".
    """
    known = {claim.key: claim for claim in (*CLAIMS, *FRONTIER)}
    return _measured(known[choose("claim", key, known)])


def table(*slides: str) -> ClaimsTable:
    """Return the table of all claims, or of those of some slides: table("S8").

    Raises ValueError for a slide of which there are no claims.
    Lesson 08, "The claims table".
    """
    known = list(dict.fromkeys(claim.slide for claim in CLAIMS))
    wanted = {choose("slide", slide, known) for slide in slides or known}
    return ClaimsTable(tuple(_measured(claim) for claim in CLAIMS if claim.slide in wanted))


def of_papers() -> ClaimsTable:
    """Return the table of the claims of the papers that came after the slides.

    Lesson 09, "What the papers claim".
    """
    return ClaimsTable(tuple(_measured(claim) for claim in FRONTIER), "the paper claims")


def _measured(claim: Claim) -> ClaimRow:
    budgets = [at for at in claim.scales if all(_recorded(name, [at]) for name in claim.records)]
    if not budgets:
        missing = [name for name in claim.records if not _recorded(name, claim.scales)]
        return ClaimRow(claim, _not_recorded(missing or list(claim.records), claim))
    records = tuple(runs.load(name, budgets[0]) for name in claim.records)
    return ClaimRow(claim, claim.measure(*records), records)


def _recorded(name: str, budgets: Iterable[str]) -> str | None:
    """The first of some budgets at which an experiment is recorded."""
    there = catalog.get(name).budgets
    return next((at for at in budgets if at in there and runs.path(name, at).exists()), None)


def _not_recorded(names: list[str], claim: Claim) -> Measurement:
    """What there is in place of records that could decide, and how those are made."""
    told, how = [], []
    for name in names:
        budgets = catalog.get(name).budgets
        needed = [at for at in claim.scales if at in budgets][-1]
        shorter = _recorded(name, [at for at in budgets if at not in claim.scales])
        few = f"{runs.load(name, shorter).settings['recipe']['iterations']:,}" if shorter else "none"
        told.append(f"{name}: {few} of {budgets[needed].recipe.iterations:,} iterations are recorded")
        how.append(f"`ltcourse record {name} --budget {needed}`")
    return Measurement(also=f"{' and '.join(how)} would decide", untested=", ".join(told))
