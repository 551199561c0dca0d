"""Everything that reads bytes from outside, one target each.

A target takes any bytes. It may read them, or refuse them with an error of ours; any
other exception is a finding. `scripts/fuzz.py` lets atheris run them for hours,
`tests/test_fuzz.py` lets Hypothesis run each of them for a moment.
"""

import atexit
import json
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from bundles import tiny_card, write_tiny
from recordings import (
    write_bdf,
    write_edf,
    write_eeghdf,
    write_fif,
    write_set,
    write_vhdr as write_brainvision,
)
from xdf_writer import write_xdf

from rtbold.acquire.bold_readers import JsonRows, TableRows, parse_source
from rtbold.acquire.describe import describe_stream
from rtbold.acquire.tbv import unpack as unpack_tbv
from rtbold.bundle import check_windows, store
from rtbold.calibration.datasets.blocks import read_events
from rtbold.calibration.datasets.description import open_dataset
from rtbold.calibration.datasets.sheet import read_sheet
from rtbold.calibration.inputs.bold import read_bold, read_confounds
from rtbold.client import Message, Subscriber
from rtbold.config import RunSettings
from rtbold.errors import RtboldError
from rtbold.files.read import read_recording
from rtbold.gui.state.preferences import from_dict
from rtbold.gui.state.received import parse
from rtbold.protocol import all_runs, example, parse_protocol, picture, timeline
from rtbold.publish.control import Replies, reply_to
from rtbold.record.events_read import SampleSource, read_event_log

SESSION = Path(__file__).parents[1] / "data" / "session_2026-11.zip"
ROIS = ("Cuneus", "Putamen")
Read = Callable[[bytes, Path], object]
Seeds = Callable[[Path], list[bytes]]


@dataclass(frozen=True)
class Target:
    """What reads bytes, and good bytes to begin from.

    Parameters
    ----------
    read : (bytes, a folder of its own that is kept between calls).
    seeds : (an empty folder).
    """

    read: Read
    seeds: Seeds
    slow: bool = False  # opens a library or a file each time: thousands, not millions

    def survives(self, data: bytes, folder: Path) -> bool:
        """Return whether the bytes were read; False: refused with an error of ours."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of libraries, about damaged files
                self.read(data, folder)
        except RtboldError as error:
            if not str(error).strip():
                raise AssertionError("an error without a word") from error
            return False
        return True


def of_file(suffix: str, write: Callable[[Path], object], read: Callable) -> Target:
    """Return the target of a reader of whole files."""

    def seeds(folder: Path) -> list[bytes]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            write(folder / f"rest_raw{suffix}")
        return [(folder / f"rest_raw{suffix}").read_bytes()]

    def run(data: bytes, folder: Path) -> object:
        path = folder / f"rest_raw{suffix}"
        path.write_bytes(data)
        return read(path)

    return Target(run, seeds, slow=True)


# Requests and messages


def _control(data: bytes, _: Path) -> object:
    def refuse(_: object) -> None:
        raise RtboldError("not now")

    replies = Replies(
        on_command=refuse, latest=lambda _: None,
        now_lsl_s=lambda: 0.0, now_unix_s=lambda: 0.0,
    )  # fmt: skip
    return json.loads(reply_to(data, replies))


@cache
def _subscriber() -> Subscriber:
    subscriber = Subscriber("tcp://127.0.0.1:9", topics=())  # nobody is there
    atexit.register(subscriber.close)
    return subscriber


def _wire(data: bytes, _: Path) -> object:
    topic, _, body = data.partition(b"\n")
    subscriber = _subscriber()
    message = subscriber._accept([topic, body])
    assert subscriber.feedback().show in ("value", "hold", "neutral")
    assert subscriber.stalled in (True, False)
    return parse(message) if isinstance(message, Message) else None


def _published(_: Path) -> list[bytes]:
    golden = sorted((Path(__file__).parents[1] / "golden").glob("*.json"))
    return [f"{path.stem[:-2]}\n".encode() + path.read_bytes() for path in golden]


def _preferences(data: bytes, _: Path) -> object:
    try:
        return from_dict(json.loads(data))
    except (ValueError, RecursionError):  # the file's reader begins anew
        return None


_REQUESTS = [
    b'{"op":"MARK","text":"eyes closed","id":1}', b'{"op":"LATEST","topic":"pred.fb"}',
    b'{"op":"TIME"}', b'{"op":"HELLO","id":"x"}', b'{"op":"PAUSE"}',
]  # fmt: skip


# LSL, the network


_XML = b"""<?xml version="1.0"?><info><name>EEG</name><type>EEG</type>
<channel_count>2</channel_count><nominal_srate>500.0</nominal_srate>
<channel_format>float32</channel_format><source_id>x</source_id><uid>u</uid>
<hostname>h</hostname><desc><channels><channel><label>Cz</label><type>EEG</type>
<unit>microvolts</unit></channel><channel><label>ECG</label><unit>mV</unit></channel>
</channels><reference><label>FCz</label></reference></desc></info>"""


def _xml(data: bytes, _: Path) -> object:
    return describe_stream(data.decode("utf-8", "replace"))


def _rows(kind: Callable[[], TableRows | JsonRows]) -> Read:
    def read(data: bytes, _: Path) -> object:
        rows, half = kind(), len(data) // 2
        return [*rows.feed(data[:half], 0.0), *rows.feed(data[half:], 2.1)]

    return read


_TABLE = b"volume\tCuneus\tPutamen\n0\t1.5\t-0.25\n1\tnan\t2e3\n"
_JSON = b'{"rois": ["Cuneus"]}\n{"volume": 1, "values": {"Cuneus": 0.3}}\n[1]\n'


# Bundles and settings


def _card(data: bytes, _: Path) -> object:
    return store.parse_card(data)


def _card_seeds(folder: Path) -> list[bytes]:
    return [(write_tiny(folder).path / "card.json").read_bytes()]


def _check(data: bytes, _: Path) -> object:
    return check_windows.unpack(data, tiny_card(rois=ROIS))


def _check_seeds(_: Path) -> list[bytes]:
    card = tiny_card(rois=ROIS)
    windows = np.zeros((2, len(card.channels), 3200), np.float32)
    answer = np.zeros((1, len(ROIS)), np.float32)
    return [check_windows.pack(windows, lambda _: answer)]


def _settings(path: Path) -> object:
    return RunSettings.build({}, path)


def _write_settings(path: Path) -> None:
    path.write_text('stream = "EEG"\nmodel = "demo"\ntr_s = 2.1\nport = 5580\n')


def _source(data: bytes, _: Path) -> object:
    return parse_source(data.decode("utf-8", "replace"))


# Records


def _log_seeds(_: Path) -> list[bytes]:
    with zipfile.ZipFile(SESSION) as kept:
        lines = kept.read("events.jsonl").splitlines(keepends=True)
    return [b"".join(lines[:9])]


def _log(path: Path) -> object:
    source = SampleSource(np.zeros((26, 500), np.float32), 400 + np.arange(500) / 250)
    return list(read_event_log(path, [source]))


def _event_log() -> Target:
    target = of_file(".jsonl", lambda _: None, _log)
    return Target(target.read, _log_seeds)


def _write_xdf(path: Path) -> None:
    stamps = 5 + np.arange(60) / 200
    eeg = {
        "name": "EEG", "type": "EEG", "rate": 200, "unit": "microvolts",
        "labels": ["Cz", "O1"], "values": np.ones((60, 2), np.float32),
        "stamps": stamps, "offsets": [(5.0, 0.1), (5.2, 0.1)],
    }  # fmt: skip
    marks = {
        "name": "m", "type": "Markers", "rate": 0, "values": ["R128", "R128"],
        "stamps": stamps[[10, 30]],
    }  # fmt: skip
    write_xdf(path, [eeg, marks])


def _brainvision(part: str) -> Target:
    """Return the target of one of the three files, the other two as they were."""

    def seeds(folder: Path) -> list[bytes]:
        write_brainvision(folder / "rest.vhdr")
        return [(folder / f"rest{part}").read_bytes()]

    def read(data: bytes, folder: Path) -> object:
        if not (folder / "rest.vhdr").exists() or part == ".vhdr":
            write_brainvision_anew(folder)
        (folder / f"rest{part}").write_bytes(data)
        return read_recording(folder / "rest.vhdr")

    return Target(read, seeds, slow=True)


def write_brainvision_anew(folder: Path) -> None:
    """Write the three files over those that are there."""
    for path in folder.glob("rest.*"):
        path.unlink()
    write_brainvision(folder / "rest.vhdr")


# Measured BOLD


def _frame() -> np.ndarray:
    return np.random.default_rng(1).standard_normal((40, 2))


def _write_text(path: Path) -> None:
    lines = ["Cuneus\tPutamen", *(f"{a:.4f}\t{b:.4f}" for a, b in _frame())]
    path.write_text("\n".join(lines))


def _write_pickle(path: Path) -> None:
    import pandas

    pandas.DataFrame(_frame(), columns=list(ROIS)).to_pickle(path)


def _write_mat(path: Path) -> None:
    from scipy.io import savemat

    savemat(path, {"bold": _frame()})


def _image(path: Path, values: np.ndarray) -> Path:
    import nibabel

    nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), path)
    return path


def _write_nifti(path: Path) -> None:
    values = np.random.default_rng(1).standard_normal((3, 3, 2, 12))
    _image(path, values.astype(np.float32))


def _nifti(path: Path) -> object:
    atlas = path.with_name("atlas.nii")
    if not atlas.exists():
        _image(atlas, np.arange(18).reshape(3, 3, 2).astype(np.int16))
    return read_bold(path, atlas=atlas)


# Data sets


def _write_data_set(path: Path) -> None:
    path.write_text(
        'name = "a"\nlayout = "twin"\nroot = "."\n[reading]\ntr_s = 2.1\n'
        'trigger = "R128"\n[changes."twin-easy-1"]\nleave_out = "asleep"\n'
        '[twin]\nlevel = "easy"\nseeds = "1-3"\nduration_s = 60\n'
    )


def _write_sheet(path: Path) -> None:
    import openpyxl

    book = openpyxl.Workbook()
    for row in _SHEET:
        book.active.append(row)
    book.save(path)


_SHEET = [
    ["scan_name", "train", "val", "test"], ["a", 1, 0, 0], ["b", 0, 0, 1],
]  # fmt: skip


def _write_sheet_text(path: Path) -> None:
    path.write_text("\n".join(",".join(map(str, row)) for row in _SHEET))


def _write_events(path: Path) -> None:
    path.write_text("onset\tduration\ttrial_type\n0\t20\tRest\n20\tn/a\tTask\n")


def _events(path: Path) -> object:
    return read_events(path, 3.0)


def _write_measured(path: Path) -> None:
    lines = ['{"type":"header","format":1}']
    lines += [
        json.dumps(
            {
                "type": "measured", "volume_index": k, "rois": ROIS,
                "values": row.tolist(), "t_arrived_s": 2.0 * k, "t_volume_s": None,
            }
        )
        for k, row in enumerate(_frame())
    ]  # fmt: skip
    path.write_text("\n".join(lines) + "\n")


def _write_checkpoint(path: Path) -> None:
    import torch

    torch.save({"model": {"head.weight": torch.zeros(2, 3)}, "epoch": 3}, path)


def _write_safetensors(path: Path) -> None:
    import torch
    from safetensors.torch import save_file

    save_file({"head.weight": torch.zeros(2, 3)}, path)


def _checkpoint(path: Path) -> object:
    from rtbold.models.published.checkpoints import read_checkpoint

    return read_checkpoint(path)


_PROTOCOL = b"""name = "s"
tr_s = 2
blocks = { up = { task = "regulate", direction = "up", seconds = 30, jitter = 4 } }
[[runs]]
kind = "training"
blocks = [{ block = "up", at_volume = 0 }, "up"]
[feedback]
smooth = "mean"
"""


def _protocol(data: bytes, folder: Path) -> object:
    study = parse_protocol(data, where="fuzz.toml").study
    plans = all_runs(study)
    return list(timeline(study, plans)), picture(study, plans)


TARGETS: dict[str, Target] = {
    "protocol": Target(_protocol, lambda _: [example(), _PROTOCOL]),
    "control": Target(_control, lambda _: _REQUESTS),
    "wire": Target(_wire, _published),
    "preferences": Target(_preferences, lambda _: [b'{"theme": "dark", "seconds": 4}']),
    "lsl-xml": Target(_xml, lambda _: [_XML]),
    "bold-table": Target(_rows(TableRows), lambda _: [_TABLE]),
    "bold-json": Target(_rows(JsonRows), lambda _: [_JSON]),
    "bold-tbv": Target(
        lambda data, _: unpack_tbv(data), lambda _: [b"\0\0\0\5tGet\0ab"]
    ),
    "bold-source": Target(_source, lambda _: [b"tbv:localhost:55555", b"file:a.tsv"]),
    "card": Target(_card, _card_seeds),
    "check-windows": Target(_check, _check_seeds),
    "settings": of_file(".toml", _write_settings, _settings),
    "event-log": _event_log(),
    "xdf": of_file(".xdf", _write_xdf, read_recording),
    "edf": of_file(".edf", write_edf, read_recording),
    "bdf": of_file(".bdf", write_bdf, read_recording),
    "vhdr": _brainvision(".vhdr"),
    "vmrk": _brainvision(".vmrk"),
    "set": of_file(".set", write_set, read_recording),
    "fif": of_file(".fif", write_fif, read_recording),
    "eeghdf": of_file(".h5", write_eeghdf, read_recording),
    "bold-tsv": of_file(".tsv", _write_text, read_bold),
    "confounds": of_file(".tsv", _write_text, lambda path: read_confounds(path, 40)),
    "bold-npy": of_file(".npy", lambda path: np.save(path, _frame()), read_bold),
    "bold-pickle": of_file(".pkl", _write_pickle, read_bold),
    "bold-mat": of_file(".mat", _write_mat, read_bold),
    "bold-nifti": of_file(".nii", _write_nifti, _nifti),
    "bold-log": of_file(".jsonl", _write_measured, read_bold),
    "data-set": of_file(".toml", _write_data_set, open_dataset),
    "sheet-xlsx": of_file(".xlsx", _write_sheet, read_sheet),
    "sheet-csv": of_file(".csv", _write_sheet_text, read_sheet),
    "block-events": of_file(".tsv", _write_events, _events),
    "checkpoint": of_file(".pth", _write_checkpoint, _checkpoint),
    "safetensors": of_file(".safetensors", _write_safetensors, _checkpoint),
}
