"""What people look at: figures, tables, sliders, progress.

`plots` are figures of data, `ablations` those of tickets taken apart, `tickets` those of when tickets fail, `pictures`
explain, `widgets` put sliders over them; `tables`, `settings` (ours beside the papers'), `progress` and `markdown` are
what stands between, `stopped` is what the cells below a stopped one say, `vectors` keeps drawings for the slides.
"""
