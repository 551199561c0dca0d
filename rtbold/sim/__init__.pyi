from .bids import write_scan as write_scan
from .demo import (
    ENOUGH_VOLUMES as ENOUGH_VOLUMES,
    DemoData as DemoData,
    DemoProcesses as DemoProcesses,
    DemoSettings as DemoSettings,
    card_of as card_of,
    feed_address as feed_address,
    subscriber as subscriber,
)
from .fake import FakeSettings as FakeSettings, run_fake as run_fake
from .head import read_rois as read_rois
from .learner import (
    ClosedLoopHead as ClosedLoopHead,
    Effort as Effort,
    Learner as Learner,
    LearnerSettings as LearnerSettings,
    closed_loop_head as closed_loop_head,
)
from .outlets import (
    MARKERS_WAIT_S as MARKERS_WAIT_S,
    BroadcastSettings as BroadcastSettings,
    EegOutletSettings as EegOutletSettings,
    broadcast as broadcast,
    open_eeg_outlet as open_eeg_outlet,
    open_marker_outlet as open_marker_outlet,
)
from .player import (
    PlayReport as PlayReport,
    Track as Track,
    cut as cut,
    marker_events as marker_events,
    play as play,
    with_triggers as with_triggers,
)
from .recording import (
    Body as Body,
    SimulatedRecording as SimulatedRecording,
    SourceAmplitudes as SourceAmplitudes,
    TwinRecording as TwinRecording,
)
from .settings import (
    DEMO_SEED as DEMO_SEED,
    ECG as ECG,
    FOREIGN as FOREIGN,
    LEVEL_NAMES as LEVEL_NAMES,
    NEUROBOLT_CHANNELS as NEUROBOLT_CHANNELS,
    ForeignSettings as ForeignSettings,
    Level as Level,
    SessionOptions as SessionOptions,
    SimulationSettings as SimulationSettings,
    TwinSettings as TwinSettings,
    as_level as as_level,
    refuse_held_out as refuse_held_out,
    simulation_settings as simulation_settings,
)
from .spectra import (
    PIECE_S as PIECE_S,
    BandPowers as BandPowers,
    simulate_powers as simulate_powers,
)
from .twin import (
    simulate as simulate,
    simulate_base as simulate_base,
    source_amplitudes as source_amplitudes,
    write_session as write_session,
)
