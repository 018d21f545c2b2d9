"""Presenting, handing out and grading.

`lecture` reads a notebook as a lecture, `slides` writes it as one HTML file (with `formulas` drawn), `rehearsal` times
it. `bundle` writes what students get, with the notebooks of `student_copy`. `grading` tries what they hand in:
`sandbox` runs it within limits, where `examiner` tries one exercise after the other, and `slices` says which cells each
needs.
"""
