from .acquisition import (
    Acquisition as Acquisition,
    AcquisitionSettings as AcquisitionSettings,
    InletStatus as InletStatus,
)
from .bold import (
    OpenFeed as OpenFeed,
    check_source as check_source,
    open_bold as open_bold,
)
from .bold_columns import (
    BLANKS as BLANKS,
    DECIMAL_COMMAS as DECIMAL_COMMAS,
    DELIMITERS as DELIMITERS,
    blank_separated as blank_separated,
    cell_value as cell_value,
    cells_of as cells_of,
    column_kind as column_kind,
    decimal_commas as decimal_commas,
    decoded as decoded,
    delimiter_of as delimiter_of,
    fitted as fitted,
    holds_numbers as holds_numbers,
    lines_of as lines_of,
    steady_step as steady_step,
    trimmed as trimmed,
    unit_s as unit_s,
)
from .bold_readers import BoldSource as BoldSource, parse_source as parse_source
from .describe import (
    describe_info as describe_info,
    describe_stream as describe_stream,
    factors_to_uv as factors_to_uv,
    require_eeg as require_eeg,
    require_markers as require_markers,
    to_uv_factor as to_uv_factor,
    unnamed as unnamed,
    with_set_rate as with_set_rate,
)
from .inlet import __name__ as __name__
from .rates import (
    OTHER_RATE as OTHER_RATE,
    SURELY_OTHER_RATE as SURELY_OTHER_RATE,
    Bursts as Bursts,
    RateWatch as RateWatch,
    StampedRate as StampedRate,
    set_rate_hz as set_rate_hz,
    simple_rate_hz as simple_rate_hz,
    stamped_rate as stamped_rate,
)
from .streams import (
    SIMULATED as SIMULATED,
    FoundStream as FoundStream,
    LslClock as LslClock,
    Resolver as Resolver,
    StreamQuery as StreamQuery,
    discover as discover,
    fitting as fitting,
    found_stream as found_stream,
    select_stream as select_stream,
)
from .triggers import (
    EventGate as EventGate,
    RisingEdges as RisingEdges,
    TriggerChannel as TriggerChannel,
    TriggerSource as TriggerSource,
    TriggerStream as TriggerStream,
    find_channel as find_channel,
    marker_labels as marker_labels,
    prefix_hint as prefix_hint,
    refuse_groups as refuse_groups,
    same_label as same_label,
    select_label as select_label,
    spelling as spelling,
)
