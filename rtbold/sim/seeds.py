"""Named ranges of twin seeds, so that nothing is tuned on what it is tested on."""

TRAIN_SEEDS = range(1000, 2000)
VALIDATION_SEEDS = range(2000, 3000)
CHECK_SEEDS = range(2900, 2904)  # windows that a bundle carries; not used to validate
TEST_SEEDS = range(9000, 10000)  # scored once; never used while anything is tuned

DEMO_SEED = 5000  # what `rtbold demo` shows: in none of the ranges above
