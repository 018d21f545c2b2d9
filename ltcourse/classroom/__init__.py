"""Exercises, review questions and the quiz.

`checks` try an answer written as code; `questions` are those of the quiz, read from `bank/`, which `quiz` asks;
`review` has the three questions at the end of the slides, and `own_words` sets an answer beside a complete one.
`predictions` ask before a run and compare after it: `kinds` says what they are, from predictions.toml, and `answers`
keeps what was answered on disk. `glossary` has the terms, each with one meaning. `packed` reads the files of questions
and terms, which a student copy does not have in plain text.
"""
