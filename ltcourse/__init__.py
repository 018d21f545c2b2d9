"""ltcourse: a course on network pruning, the lottery ticket hypothesis and supermasks."""
