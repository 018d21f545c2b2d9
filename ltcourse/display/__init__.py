"""What people look at: figures, tables, sliders, progress.

`plots` are figures of data, `tickets` those of when tickets fail, `pictures` explain, `widgets` put sliders over them;
`tables`, `settings` (ours beside the papers'), `progress` and `markdown` are what stands between.
"""
