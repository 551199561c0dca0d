from .arrival_lag import LAG_TOLERANCE_S as LAG_TOLERANCE_S, LagWatch as LagWatch
from .channel_quality import (
    Amplitude as Amplitude,
    ChannelFlag as ChannelFlag,
    ChannelMonitor as ChannelMonitor,
    MonitoredChannel as MonitoredChannel,
    channel_state as channel_state,
)
from .clocks import StreamClocks as StreamClocks
from .intake import (
    Block as Block,
    Intake as Intake,
    IntakeCounters as IntakeCounters,
    IntakeSettings as IntakeSettings,
    stream_fit as stream_fit,
)
from .lines import (
    STEADY_TO_HZ as STEADY_TO_HZ,
    Line as Line,
    WindowLines as WindowLines,
    window_lines as window_lines,
)
from .segment import Segment as Segment
from .spatial import (
    MIN_SOURCES as MIN_SOURCES,
    SpatialMatrix as SpatialMatrix,
    SpatialPlan as SpatialPlan,
    SpatialSettings as SpatialSettings,
    check_same_kind as check_same_kind,
    model_channels as model_channels,
    model_window as model_window,
    spline_interpolation as spline_interpolation,
    usable_channels as usable_channels,
)
from .spectra import (
    BAND_NAMES as BAND_NAMES,
    MONITOR_BANDS_HZ as MONITOR_BANDS_HZ,
    SPAN_S as SPAN_S,
    WindowStatistics as WindowStatistics,
    band_powers as band_powers,
    window_statistics as window_statistics,
)
from .timebase import (
    SampleClock as SampleClock,
    SampleClockSettings as SampleClockSettings,
)
