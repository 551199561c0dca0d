from .baseline import (
    ENOUGH_BASELINE_N as ENOUGH_BASELINE_N,
    has_baseline as has_baseline,
    z_values as z_values,
)
from .chain import (
    Feedback as Feedback,
    FeedbackChain as FeedbackChain,
    FeedbackSettings as FeedbackSettings,
    Norm as Norm,
    norm_before as norm_before,
)
from .delivery import (
    Risk as Risk,
    SafetyLimits as SafetyLimits,
    check_risks as check_risks,
    risks_of as risks_of,
)
from .target import (
    GLOBAL as GLOBAL,
    AskedTarget as AskedTarget,
    Target as Target,
    asked_target as asked_target,
    choose_target as choose_target,
    parse_target as parse_target,
    written as written,
)
