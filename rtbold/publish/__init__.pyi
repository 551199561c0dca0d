from .compose import (
    Moments as Moments,
    SessionFacts as SessionFacts,
    bands_message as bands_message,
    eeg_message as eeg_message,
    hello as hello,
    pred_fb as pred_fb,
    pred_roi as pred_roi,
    protocol_phase as protocol_phase,
    run_phase as run_phase,
    target_score as target_score,
    truth_message as truth_message,
    truth_scores as truth_scores,
)
from .control import (
    CommandQueue as CommandQueue,
    Control as Control,
    ControlCommand as ControlCommand,
    Replies as Replies,
)
from .feed import Feed as Feed
from .guests import Allowance as Allowance
from .intervals import LiveIntervals as LiveIntervals, Widths as Widths
from .keys import (
    CLIENTS_FOLDER as CLIENTS_FOLDER,
    ServerKeys as ServerKeys,
    add_clients as add_clients,
    check_private as check_private,
    create_keys as create_keys,
)
from .lsl_mirror import (
    EVENTS_NAME as EVENTS_NAME,
    PREDICTIONS_NAME as PREDICTIONS_NAME,
    LslMirror as LslMirror,
    MirrorSettings as MirrorSettings,
)
from .sockets import (
    FeedSettings as FeedSettings,
    check_bind as check_bind,
    is_loopback as is_loopback,
)
from .wire import (
    Bands as Bands,
    Bye as Bye,
    ChannelPart as ChannelPart,
    Eeg as Eeg,
    Encoding as Encoding,
    Heartbeat as Heartbeat,
    Hello as Hello,
    Log as Log,
    LogLevel as LogLevel,
    Message as Message,
    Phase as Phase,
    Ports as Ports,
    PredFb as PredFb,
    PredRoi as PredRoi,
    Quality as Quality,
    QuestionPart as QuestionPart,
    RecordingPart as RecordingPart,
    SessionState as SessionState,
    StreamState as StreamState,
    Topic as Topic,
    Trigger as Trigger,
    Truth as Truth,
    TruthScore as TruthScore,
)
