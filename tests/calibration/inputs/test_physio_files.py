import gzip
import json

import numpy as np
import physio_signals as made
import pytest

from rtbold.calibration.inputs.physio_files import Volumes, is_physio, read_physio
from rtbold.errors import ConfigError, DataFileError

VOLUMES = Volumes(100, 2.0)
ONSETS_S = np.arange(100) * 2.0
FACTS = {"SamplingFrequency": 50, "StartTime": -4.0,
         "Columns": ["cardiac", "respiratory", "trigger"]}  # fmt: skip


def near(found):
    return np.sqrt(np.mean((found - made.true_rate(ONSETS_S)) ** 2)) < 1


def write_bids(folder, facts=FACTS, cells=None):
    path = folder / "sub-01_task-rest_physio.tsv.gz"
    t_s = made.times_s(210, 50, -4.0)
    table = np.c_[made.pulse(t_s), made.breath(t_s), 0 * t_s]
    lines = ["\t".join(f"{v:.3f}" for v in row) for row in table]
    for at, line in (cells or {}).items():
        lines[at] = line
    with gzip.open(path, "wt") as file:
        file.write("\n".join(lines) + "\n")
    if facts is not None:
        name = "sub-01_task-rest_physio.json"
        (folder / name).write_text(json.dumps(facts))
    return path


def test_bids(tmp_path):
    path = write_bids(tmp_path)
    assert is_physio(path)
    found = read_physio(path, VOLUMES)
    assert set(found) == {"heart_rate", "resp_volume", "resp_volume_per_time"}
    assert near(found["heart_rate"])


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (None, r"no sub-01_task-rest_physio\.json beside"),
        ({**FACTS, "SamplingFrequency": "50"}, "SamplingFrequency as '50'"),
        ({**FACTS, "SamplingFrequency": 200}, r"200 Hz: -4\.0 to 48\.5 s"),
        ({**FACTS, "StartTime": 90}, r"90\.0 to 300\.0 s from the first volume"),
        ({**FACTS, "Columns": ["cardiac"]}, "line 1 .* has 3 cells, expected 1"),
        ({**FACTS, "Columns": ["a", "b", "c"]}, "expected cardiac or respiratory"),
        ([], "gives Columns as None"),
        ({**FACTS, "StartTime": float("nan")}, "StartTime as nan"),
    ],
)
def test_a_wrong_sidecar_is_told(tmp_path, facts, words):
    with pytest.raises(DataFileError, match=words):
        read_physio(write_bids(tmp_path, facts), VOLUMES)


def test_wrong_samples_are_told(tmp_path):
    path = write_bids(tmp_path, cells={3: "cardiac\trespiratory\ttrigger"})
    with pytest.raises(DataFileError, match=r"line 4 .*'cardiac'.*no header"):
        read_physio(path, VOLUMES)
    path = write_bids(tmp_path, cells={3: "n/a\t1\t0"})
    with pytest.raises(DataFileError, match="no number at 1 of 10500 samples"):
        read_physio(path, VOLUMES)
    path.write_bytes(b"not gzip")
    with pytest.raises(DataFileError, match="cannot be read"):
        read_physio(path, VOLUMES)
    with pytest.raises(ConfigError, match=r"--tr 2\.1"):
        read_physio(path, Volumes(100, None))


def write_siemens(folder, *, told=50, span_s=210.0, end=" 5003"):
    t_s = made.times_s(210, 50, -4.0)
    values = np.rint(made.pulse(t_s)).astype(int)
    words = []
    for k, value in enumerate(values):
        words.append(str(value))
        if k % 40 == 0:
            words.append("5000")  # a pulse was seen
    says = f"5002 Logging PULSE: PULS_SAMPLES_PER_SECOND = {told}; 6002 "
    text = f"1 2 40 280 {says if told else ''}{' '.join(words)}{end}\n"
    start_ms = 36_632_877
    text += f"ECG  Freq Per: 0 0\nLogStartMDHTime:  {start_ms}\n"
    text += f"LogStopMDHTime:   {start_ms + round(1000 * span_s)}\n6003\n"
    path = folder / "S01.puls"
    path.write_text(text)
    return path


def test_siemens_own_log(tmp_path):
    started = Volumes(100, 2.0, start_s=4.0)
    for told in (50, 0):
        path = write_siemens(tmp_path, told=told)
        assert near(read_physio(path, started)["heart_rate"])
    with pytest.raises(ConfigError, match=r"--physio-start 12.5 \(the log began at"):
        read_physio(path, VOLUMES)
    with pytest.raises(DataFileError, match=r"says 400 samples .* 10500 in 210\.0 s"):
        read_physio(write_siemens(tmp_path, told=400), started)
    with pytest.raises(DataFileError, match="no 5003"):
        read_physio(write_siemens(tmp_path, end=""), started)


def write_cmrr(folder, *, n_volumes=100):
    t_s = made.times_s(210, 50, -4.0)
    first = 14_000_000
    tics = first + np.arange(len(t_s)) * 8
    lines = ["UUID        = x", "LogVersion  = EJA_1", "LogDataType = PULS",
             "SampleTime  = 8", "", "ACQ_TIME_TICS  CHANNEL  VALUE"]  # fmt: skip
    values = made.pulse(t_s)
    kept = np.delete(np.arange(len(t_s)), [77, 78])
    lines += [f"{tics[k]}  PULS  {values[k]:.0f}" for k in kept]
    path = folder / "Physio_20260101_x_PULS.log"
    path.write_text("\n".join(lines) + "\n")
    lines = ["LogDataType = ACQUISITION_INFO", f"NumVolumes = {n_volumes}", "",
             "VOLUME   SLICE   ACQ_START_TICS  ACQ_FINISH_TICS  ECHO"]  # fmt: skip
    for volume in range(n_volumes):
        start = first + 1600 + volume * 800
        lines += [
            f"{volume} {s} {start + 20 * s} {start + 20 * s + 9} 0" for s in (1, 0)
        ]
    (folder / "Physio_20260101_x_Info.log").write_text("\n".join(lines) + "\n")
    return path


def test_logs_of_cmrr(tmp_path):
    path = write_cmrr(tmp_path)
    assert near(read_physio(path, VOLUMES)["heart_rate"])
    with pytest.raises(DataFileError, match="tells of 90 volumes and the BOLD has 100"):
        read_physio(write_cmrr(tmp_path, n_volumes=90), VOLUMES)
    assert near(read_physio(path, Volumes(100, 2.0, start_s=4.0))["heart_rate"])
    with pytest.raises(ConfigError, match="--physio-start is nan"):
        read_physio(path, Volumes(100, 2.0, start_s=float("nan")))
    damaged = path.read_text().replace("14083992", "99999999")
    path.write_text(damaged)
    with pytest.raises(DataFileError, match="one each 20 ms as it says"):
        read_physio(path, VOLUMES)
    path = write_cmrr(tmp_path)
    (tmp_path / "Physio_20260101_x_Info.log").unlink()
    with pytest.raises(DataFileError, match=r"no Physio_20260101_x_Info\.log beside"):
        read_physio(path, VOLUMES)
