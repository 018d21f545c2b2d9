"""The experiments of the course, at five budgets, and their records.

Read `trials` first: an experiment, its settings, one trial. `catalog` has them all by name; each family has a file:
`han`, `han_cifar`, `han_imagenet` (lessons 01, 02), `lottery` (03, 04), `structured` (03), `rewinds`, `lengths`,
`instability` (04), `transfer`, `transfer_matrix` (05), `initialization` (06), `deconstruction`, `supermask_search`,
`supermask_imagenet` (07), `foresight`, `sparse_trainings`, `layerwise` (09). How they run: `executors`,
`cluster`, `journal`, `lock`, `machine`. What is kept of them: `runs`.
"""
