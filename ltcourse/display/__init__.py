"""What people look at: figures, tables, sliders, progress.

`plots` are figures of data, `layers` those of what a network is made of, `ablations` those of tickets taken apart,
`tickets` those of when tickets fail, `comparisons` count where tickets win, `costs` are of what a small network costs
to train, `pictures` explain, `widgets` put sliders over them; `tables`, `settings` (ours beside the papers'),
`progress`, `vectors` (figures as drawings) and `markdown` are what stands between, `stopped` is what the cells below a
stopped one say. `choosers` take an answer by keyboard or mouse, `guesses` draw it into a figure. `alt` is what a figure
shows, in words: `sentences` has them by kind of figure, `axes` reads what nobody described.
"""
