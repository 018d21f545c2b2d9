"""Presenting and handing out.

`lecture` reads a notebook as a lecture, `pieces` turns its cells into pieces of slides (with `formulas` drawn), `pages`
puts the pieces of a lesson on slides, `plan` those of the whole lecture (`lecture.toml`), `slides` writes them as one
HTML file, `rehearsal` times a lesson, `student_copy` writes what students get.
"""
