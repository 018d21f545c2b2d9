"""What people look at: figures, tables, sliders, progress.

`plots` are figures of data, `layers` those of what a network is made of, `ablations` those of tickets taken apart,
`tickets` those of when tickets fail, `comparisons` count where tickets win, `pictures` explain, `widgets` put sliders
over them; `tables`, `settings` (ours beside the papers'), `progress`, `vectors` (figures as drawings) and `markdown`
are what stands between, `stopped` is what the cells below a stopped one say.
"""
