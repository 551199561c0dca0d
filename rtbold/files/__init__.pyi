from .bids import (
    BidsRecording as BidsRecording,
    BidsTable as BidsTable,
    BidsTexts as BidsTexts,
    check_free as check_free,
    check_target as check_target,
    unique as unique,
    write_bids as write_bids,
)
from .bold_tables import (
    BoldWriter as BoldWriter,
    check_folder as check_folder,
    write_predictions_tsv as write_predictions_tsv,
)
from .events import (
    clock_offset_s as clock_offset_s,
    described as described,
    find_volume_label as find_volume_label,
    marker_time_s as marker_time_s,
    recording_events as recording_events,
    stamps as stamps,
    triggered_events as triggered_events,
)
from .read import read_recording as read_recording
from .recording import (
    NAME as NAME,
    RecordedMarker as RecordedMarker,
    Recording as Recording,
    check_declared_size as check_declared_size,
    damage_told as damage_told,
    in_microvolt as in_microvolt,
    require as require,
    says_simulated as says_simulated,
)
from .trial import why_child_failed as why_child_failed, why_not_hdf5 as why_not_hdf5
from .xdf import (
    XdfStream as XdfStream,
    corrected_stamps as corrected_stamps,
    load_streams as load_streams,
    to_uv as to_uv,
    walk as walk,
)
from .xdf_markers import is_markers as is_markers, stream_markers as stream_markers
