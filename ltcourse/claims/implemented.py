"""What the slides define: formulas and algorithms, which are no claims, each with the test that shows them."""

from dataclasses import dataclass

from ltcourse.display.tables import Table


@dataclass(frozen=True)
class Implemented:
    """One thing that the slides define, as the course implements it.

    says: the definition in our own words. test: "file::function", in the folder of tests. lesson, heading: where it is
    taught.
    Lesson 08, "What the course implements".
    """

    slide: str
    says: str
    test: str
    lesson: str
    heading: str


def implemented() -> Table:
    """Return the table of what the slides define, with the test that shows it and the section that teaches it.

    Lesson 08, "What the course implements".
    """
    header = ["slide", "what the course implements", "the test that shows it", "taught in"]
    return Table(
        header,
        [[r.slide, r.says, f"`tests/{r.test}`", f"{r.lesson[:2]}, {r.heading}"] for r in IMPLEMENTED],
        words=True,
    )


IMPLEMENTED = (
    Implemented(
        "S1",
        "A neuron without inputs or without outputs can go: the outputs of the network stay the same.",
        "instruments/test_neurons.py::test_the_outputs_stay",
        "02_han_tables",
        "Neurons with nothing to do",
    ),
    Implemented(
        "S2",
        "Fine-tuning goes on from the trained values of the weights that are left.",
        "pruning/test_loop.py::test_keep_goes_on_from_the_trained_weights",
        "01_pruning_lenet",
        "Repeat",
    ),
    Implemented(
        "S2, S7",
        "Each round removes the same share of what is left, rounded to the nearest weight.",
        "pruning/test_loop.py::test_each_round_prunes_the_rounded_share_of_what_is_left",
        "01_pruning_lenet",
        "Repeat",
    ),
    Implemented(
        "S2, S7",
        "What one round removes stays removed in all later ones.",
        "pruning/test_loop.py::test_later_masks_are_subsets_and_pruned_weights_are_0",
        "01_pruning_lenet",
        "Repeat",
    ),
    Implemented(
        "S2, S7",
        "A pruned weight is exactly 0 after every step, whatever the optimizer.",
        "training/test_loop.py::test_pruned_weights_are_exactly_0_at_every_step",
        "01_pruning_lenet",
        "Fine-tune",
    ),
    Implemented(
        "S7",
        "The weights that are left return to their initial values, bit by bit.",
        "pruning/test_loop.py::test_to_init_goes_back_to_the_initial_weights",
        "03_lottery_ticket",
        "The algorithm by hand",
    ),
    Implemented(
        "S11",
        "Forward, a layer uses the top k % of its weights by the magnitude of their scores, and no others.",
        "pruning/test_supermasks.py::test_a_layer_uses_its_weights_times_the_mask_of_the_largest_scores",
        "07_supermasks",
        "Edge-popup by hand",
    ),
    Implemented(
        "S11",
        "Backward, every score gets its gradient, those of unused edges, too.",
        "pruning/test_supermasks.py::test_the_gradient_is_the_papers_product_for_every_edge_dead_or_not",
        "07_supermasks",
        "Edge-popup by hand",
    ),
    Implemented(
        "S11",
        "The weights never change.",
        "pruning/test_supermasks.py::test_no_weight_moves_and_every_layers_scores_do",
        "07_supermasks",
        "No weight has moved",
    ),
    Implemented(
        "S12",
        "Xavier: std = √(2 / (n before + n after)).",
        "networks/test_initializers.py::test_the_formulas_are_exact",
        "06_initialization",
        "The way back",
    ),
    Implemented(
        "S12",
        "Kaiming: std = √(2 / n before).",
        "networks/test_initializers.py::test_the_formulas_are_exact",
        "06_initialization",
        "ReLU halves it",
    ),
    Implemented(
        "S12",
        "n counts the inputs of a neuron: in a dense layer neurons, in a convolution the pixels of its window, too.",
        "networks/test_initializers.py::test_fans_count_the_kernel_area",
        "06_initialization",
        "Convolutions",
    ),
    Implemented(
        "S13",
        "k is the share of weights kept, in each layer rounded to the nearest weight.",
        "pruning/test_supermasks.py::test_k_of_each_layer",
        "07_supermasks",
        "How many edges?",
    ),
)
