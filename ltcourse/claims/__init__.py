"""What the slides claim, and what our evidence says of it.

Read `catalog` first: every claim, and which numbers decide it. `verdicts` says what evidence is, which way it points
and how strong it is; `measures` asks records, `demonstrations` computes what needs no record; `evidence` finds the best
record for each claim, and `sheet` is the table that people look at. What the slides define, and do not claim, is in
`implemented`, each with its test. The claims of the papers that came later are in `frontier` and
`frontier_today`, questions that the first asks in `frontier_measures`.
"""

from ltcourse.claims.evidence import examine, of_papers, table
from ltcourse.claims.implemented import implemented

__all__ = ["examine", "implemented", "of_papers", "table"]
