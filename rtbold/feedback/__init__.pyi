from .baseline import (
    ENOUGH_BASELINE_N as ENOUGH_BASELINE_N,
    Reference as Reference,
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
    SafetyLimits as SafetyLimits,
)
from .target import (
    GLOBAL as GLOBAL,
    AskedTarget as AskedTarget,
    Target as Target,
    asked_target as asked_target,
    choose_target as choose_target,
    group_of as group_of,
    parse_target as parse_target,
    shares_rois as shares_rois,
    written as written,
)
