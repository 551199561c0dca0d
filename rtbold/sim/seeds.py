"""Named ranges of twin seeds, so that nothing is tuned on what it is tested on."""

TRAIN_SEEDS = range(1000, 2000)
VALIDATION_SEEDS = range(2000, 3000)
CHECK_SEEDS = range(2900, 2904)  # windows that a bundle carries; not used to validate
TEST_SEEDS = range(9000, 10000)  # scored once; never used while anything is tuned

# Parts of the test seeds, one for each question of scripts/evaluate.
CALIBRATED_SEEDS = range(9100, 9124)
NULL_SEEDS = range(9200, 9260)
POWER_SEEDS = range(9300, 9340)
CONFOUND_SEEDS = range(9400, 9520)
COVERAGE_SEEDS = range(9600, 9800)
TIMED_SEEDS = range(9900, 9910)

DEMO_SEED = 5000  # what `rtbold demo` shows: in none of the ranges above
