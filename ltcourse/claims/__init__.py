"""What the slides claim, and what our evidence says of it.

Read `catalog` first: every claim with its rule. `verdicts` says what evidence is and what it adds up to, `measures`
asks records, `demonstrations` computes what needs no record.
"""

from ltcourse.claims.catalog import examine, table

__all__ = ["examine", "table"]
