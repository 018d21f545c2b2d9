"""Presenting and handing out.

`lecture` reads a notebook as a lecture, `slides` writes it as one HTML file (with `formulas` drawn), `rehearsal` times
it, `student_copy` writes what students get.
"""
