"""Presenting, handing out and grading.

`lecture` reads a notebook as a lecture, `pieces` turns its cells into pieces of slides (with `formulas` drawn, and of a
paragraph the `statements`), `pages` puts the pieces of a lesson on slides, `plan` those of the whole lecture
(`lecture.toml`) with the `wall` of claims, `slides` writes them as one HTML file, `rehearsal` measures lessons.
`bundle` writes what students get, with the notebooks of `student_copy`. `grading` tries what they hand in: `sandbox`
runs it within limits, some of them the system's own (`landlock`), where `examiner` tries one exercise after the other,
and `slices` says which cells each needs.
"""
