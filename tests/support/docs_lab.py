"""What the pages take for granted: a lab with its recordings, subjects and devices.

`Lab.supply` puts what one printed line names where the line expects it. Nothing of the
line is changed for it, but for the places in `Lab.changed`.
"""

import json
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter1d

import rtbold
from rtbold.bundle import load
from rtbold.publish import create_keys

BROWSER_PAGE = Path(rtbold.__file__).parent / "bridge" / "page" / "index.html"
SENDER = Path(__file__).with_name("lab_sender.py")
SCAN_S = 600.0
SEEDS = (1, 2)  # of the two scans of the subject
RATE_HZ, TR_N = 200, 420
CALIBRATED = ("20261122-093000", "20261123-101500")  # as the pages call them
ROIS = ("Cuneus", "Putamen", "Heschl's gyrus", "Thalamus", "Insula", "Caudate",
        "Precuneus anterior", "Superior frontal sulcus")  # fmt: skip
RECORDING = "recordings/sub-S01/ses-01/eeg/sub-S01_ses-01_task-nf_run-01"
DATA_SETS = ("study", "NeuroBOLT", "neurobolt", "ds002338.toml")
TO_RUN = ("--subject", "S01", "--cleaning", "online:RecView", "--stream", "RecView",
          "--trigger-stream", "RecView-Markers", "--trigger", "R128")  # fmt: skip
STREAM_OPTIONS = {
    "--stream": "--eeg", "--cleaned": "--eeg", "--raw": "--raw",
    "--trigger-stream": "--markers", "--trigger-channel": "--trigger-channel",
}  # fmt: skip


def copy_of(name, place):
    """Copy a shipped bundle; return where to."""
    return shutil.copytree(load(name).path, place)


def made_by_the_page(words):
    """Whether these streams are those of the page's own `simulate` or `play`."""
    return any(word.startswith(("rtbold-", "BrainAmp")) for word in words)


@dataclass(frozen=True)
class Shelf:
    """What is made once for all pages: a subject with two scans, and its bundles."""

    folder: Path

    def scan(self, k=0):
        return self.folder / f"scan{k}.xdf", self.folder / f"scan{k}.tsv"

    @property
    def subject(self):
        return self.folder / "subjects" / "S01"

    @property
    def samples(self):
        return self.folder / "samples.npy"


def subject_scan(seed):
    """Return a scan in which each ROI follows the loudness of one electrode.

    Nothing is shared by all of them, so a calibration finds targets that are specific.
    """
    from twin_scans import CHANNELS, make_scan

    rng = np.random.default_rng(seed)
    seconds = round(SCAN_S)
    loudness = band_limited(rng, (len(CHANNELS), seconds), width_s=8.0)
    at_s = np.arange(seconds * RATE_HZ) / RATE_HZ
    gain = np.stack([np.interp(at_s, np.arange(seconds), row) for row in loudness])
    eeg_uv = 15 * np.exp(0.6 * gain) * rng.standard_normal(gain.shape)
    twin = make_scan(2060, duration_s=SCAN_S)
    lag_s = np.arange(25.0)
    response = lag_s**5 * np.exp(-lag_s)  # peaks at 5 s
    followed = np.stack([np.convolve(row, response)[:seconds] for row in loudness])
    followed /= followed.std(axis=1, keepdims=True)
    noise = band_limited(rng, followed.shape, width_s=4.0)
    rows = (followed + 0.5 * noise).T
    at = np.minimum(twin.volume_onsets_s.round().astype(int), seconds - 1)
    return replace(twin, eeg_uv=eeg_uv, roi_names=ROIS, bold=1000 + 10 * rows[at])


def band_limited(rng, shape, *, width_s):
    """Return slow noise of sd 1 along the last axis, a value a second."""
    slow = gaussian_filter1d(rng.standard_normal(shape), width_s / 2, axis=-1)
    return slow / slow.std(axis=-1, keepdims=True)


def stock(folder):
    """Fill the shelf: scans of a head that calls itself no simulation, calibrated."""
    from twin_scans import write_scan

    shelf = Shelf(folder)
    for k, seed in enumerate(SEEDS):
        scan = subject_scan(seed)
        write_scan(folder, scan, simulated=False, name=f"scan{k}")
        if k == 0:
            np.save(shelf.samples, scan.eeg_uv.T.astype(np.float32))
        xdf, tsv = shelf.scan(k)
        root = folder / f"root{k}"
        subprocess.run(
            [sys.executable, "-m", "rtbold", "calibrate", "--subject", "S01", "--eeg",
             xdf, "--bold", tsv, "--cleaning", "online:RecView", "--target", "Putamen",
             "--root", root],
            check=True, capture_output=True,
        )  # fmt: skip
        (made,) = (root / "S01").glob("*.rtbold")
        shelf.subject.mkdir(parents=True, exist_ok=True)
        shutil.move(made, shelf.subject / f"{CALIBRATED[k]}.rtbold")
    return shelf


class Lab:
    """The lab of one page.

    Parameters
    ----------
    folder : where the page's lines run.
    data : the user's folder of data.
    environment : of the processes.
    stocked : returns the shelf; it is asked only where a line needs it.
    """

    def __init__(self, folder, data, *, environment, stocked):
        self.folder, self.data = folder, data
        self.environment, self.stocked = environment, stocked
        self.sending = {}

    def supply(self, line):
        """Make what the line names and the page has not made itself."""
        words = ["rtbold", *self.changed(line.words[1:])]
        for before, word in zip(["", *words], words, strict=False):
            name = Path(word).name
            made_here = words[1:3] == ["keys", word] or before == "--out"
            if (maker := self._file_makers().get(name)) and not made_here:
                place = self.folder / name
                if not place.exists():
                    maker(place)
        self._supply_subject(words)
        self._supply_data(words)
        self._send(words)

    def changed(self, words):
        """Return the words with an address and paths that exist here."""
        if words[0] == "run" and not {"--stream", "--model"} & {*words}:
            words = [words[0], *TO_RUN, *words[1:]]  # the page says ...
        words = [word.replace("192.168.0.5", "127.0.0.1") for word in words]
        words = [word.replace("/mnt/mri/", f"{self.folder}/") for word in words]
        if words[:2] == ["models", "compile"] and words[2] == "demo":
            copy = self.folder / "demo.rtbold"  # engines are written into the bundle
            words[2] = str(copy if copy.exists() else copy_of("demo", copy))
        return words

    def close(self):
        """Switch the devices off."""
        for process in self.sending.values():
            process.kill()
            process.wait()
        self.sending = {}

    # Files.

    def _file_makers(self):
        weights = self._weights
        return {
            "rest.vhdr": self._brainvision, "YOUR.vhdr": self._brainvision,
            "night.edf": self._night, "session.xdf": self._session_xdf,
            "absence_epilepsy.eeg.h5": self._eeghdf,
            "S01.xdf": lambda place: shutil.copy(self.stocked().scan(1)[0], place),
            "S01.tsv": lambda place: shutil.copy(self.stocked().scan(1)[1], place),
            "rois.tsv": lambda place: place.write_text("\t".join(ROIS) + "\n"),
            "thalamus.pth": weights, "roi-a.pth": weights, "roi-b.pth": weights,
            "labram-base.pth": self._labram,
            "labram.rtbold": self._labram_bundle,
            "schaefer100.nii.gz": self._atlas, "difumo64.nii.gz": self._atlas,
            "mine.html": lambda place: shutil.copy(BROWSER_PAGE, place),
            "mine.rtbold": lambda place: copy_of("demo-ridge", place),
            "keys": lambda place: create_keys(place, ("dashboard",)),
            "server.key": self._key, "dashboard.key_secret": self._key,
        }  # fmt: skip

    def _brainvision(self, place):
        """Write the subject's scan as BrainVision, with its volumes."""
        import pybv
        from twin_scans import CHANNELS

        samples = np.load(self.stocked().samples)
        volumes = [
            {"onset": onset, "type": "Response", "description": 128}
            for onset in range(RATE_HZ, len(samples), TR_N)
        ]
        pybv.write_brainvision(
            data=samples.T * 1e-6, sfreq=RATE_HZ, ch_names=list(CHANNELS),
            ref_ch_names="FCz", fname_base=place.stem,
            folder_out=str(place.parent),
            events=volumes if place.stem == "rest" else None,
        )  # fmt: skip

    def _night(self, place):
        import edfio
        from twin_scans import CHANNELS

        small = np.tile(np.load(self.stocked().samples).clip(-2999, 2999), (2, 1))
        edfio.Edf(
            [
                edfio.EdfSignal(
                    row.astype(float), 200, label=label, physical_dimension="uV",
                    physical_range=(-3000, 3000),
                )
                for label, row in zip(CHANNELS, small.T, strict=True)
            ]
        ).write(place)  # fmt: skip

    def _session_xdf(self, place):
        from twin_scans import CHANNELS
        from xdf_writer import write_xdf

        samples = np.load(self.stocked().samples)[:4000]
        eeg = {
            "name": "BrainAmp", "type": "EEG", "rate": 200, "unit": "microvolts",
            "labels": CHANNELS, "values": samples, "chunk": 100,
            "stamps": 50.0 + np.arange(len(samples)) / 200,
        }  # fmt: skip
        write_xdf(place, [eeg, {**eeg, "name": "Other"}])

    def _weights(self, place):
        import checkpoint_files as files

        files.save(place, files.tiny_neurobolt(seed=place.stem))

    def _labram(self, place):
        import checkpoint_files as files

        from rtbold.models.labram import Labram, LabramConfig

        files.save(place, files.drawn(Labram(LabramConfig())))

    def _labram_bundle(self, place):
        weights = self.folder / "labram-base.pth"
        if not weights.exists():
            self._labram(weights)
        self._rtbold("models", "import", weights, "--out", place)

    def _atlas(self, place):
        import dataset_files as files

        files.write_atlas(place)

    def _key(self, place):
        keys = self.folder / "keys"
        if not keys.exists():
            create_keys(keys, ("dashboard",))
        inside = keys / ("clients" if place.suffix == ".key_secret" else "")
        shutil.copy(inside / place.name, place)

    def _eeghdf(self, place):
        from recordings import write_eeghdf

        write_eeghdf(place)

    # Folders.

    def _supply_subject(self, words):
        """The subject was calibrated before, unless this line is what calibrates."""
        named = any(word.partition("/")[0] == "S01" for word in words)
        subject = self.data / "rtbold" / "subjects" / "S01"
        if not named or subject.exists():
            return
        subject.mkdir(parents=True)
        if "int8" in words:  # a network: band power has nothing for int8
            copy_of("demo", subject / f"{CALIBRATED[1]}.rtbold")
            return
        earlier = CALIBRATED[:1] if "calibrate" in words else CALIBRATED
        for name in earlier:
            bundle = f"{name}.rtbold"
            shutil.copytree(self.stocked().subject / bundle, subject / bundle)

    def _supply_data(self, words):
        command = words[1]
        if command in ("prepare", "reproduce") and words[2] in DATA_SETS:
            self._data_set(words[2], with_images="--atlas" in words)
        if command == "prepare" and "--out" in words:  # the page shows alternatives
            shutil.rmtree(self.folder / words[words.index("--out") + 1], True)
        if command in ("train", "evaluate") and not (self.folder / "cache").exists():
            self._data_set("study", with_images=False)
            channels = ",".join(load("demo").card.channels)
            self._rtbold("prepare", "study", "--out", "cache", "--channels", channels)
        if RECORDING in words and not (self.folder / RECORDING).exists():
            self._supply_subject(["S01"])
            self._record()

    def _data_set(self, name, *, with_images):
        """Write a small data set under this name, anew."""
        import dataset_files as files

        place = self.folder / name
        shutil.rmtree(place, True)
        if name.lower() == "neurobolt":
            people = [f"sub{k:02d}-scan01" for k in range(1, 6)]
            named = ("Cuneus", "Heschl\u2019s gyrus", "Middle frontal gyrus anterior",
                     "Precuneus anterior", "Putamen", "Thalamus")  # fmt: skip
            files.neurobolt(place, people, n=230, named=named)
        elif name == "ds002338.toml":
            self._ds002338(place)
        elif with_images:
            for k in (1, 2):
                files.bids_scan(place, f"sub-0{k}_task-rest", n=60, seed=k)
            files.bids_top(place)
        else:
            for k in range(1, 6):
                self._rtbold("simulate", "--seed", 5000 + k, "--duration", "480",
                             "--bids", name, "--subject", f"0{k}")  # fmt: skip

    def _ds002338(self, place):
        import dataset_files as files

        root = self.folder / "ds002338-data"
        for k in range(1, 6):
            stem, labels = f"sub-xp20{k}_task-MIpre", (*files.NEUROBOLT_EEG, "ECG")
            files.bids_scan(root, stem, tr_s=1.0, n=60, labels=labels, seed=k)
            cleaned = root / "derivatives" / stem.partition("_")[0] / "eeg_pp"
            files.write_vhdr(
                cleaned / f"{stem}_eeg_pp.vhdr", labels,
                files.eeg_uv(len(labels), 60.0, 200.0, k), rate_hz=200.0,
                markers=files.responses(n=58, tr_s=1.0, first_s=0.0), samples=".dat",
            )  # fmt: skip
        files.bids_top(root, "10.18112/openneuro.ds002338.v2.0.2")
        place.write_text(
            f"root = {json.dumps(str(root))}\n[bids]\neeg = 'derivatives'\n"
        )

    def _record(self):
        """Record a session of half a minute, with the lab's own devices."""
        self._send(["--stream", "RecView", "--trigger-stream", "RecView-Markers"])
        self._rtbold(
            "run", "--subject", "S01", "--stream", "RecView", "--trigger-stream",
            "RecView-Markers", "--trigger", "R128", "--record", "recordings",
            "--record-as", "S01", "--cleaning", "online:RecView", "--port", "0",
            "--control-port", "0", "--duration", "40",
        )  # fmt: skip

    # Devices.

    def _send(self, words):
        """Start the devices whose streams the words name, once each."""
        options = {}
        for option, of_sender in STREAM_OPTIONS.items():
            if option in words:
                options[of_sender] = words[words.index(option) + 1]
        if not options or made_by_the_page(options.values()):
            return
        if "--measure-delay" in words:
            self.close()  # a stream alone under its name, and the scanner still off
            if "--raw" not in words:
                options["--scanner-starts-s"] = "4"
        key = tuple(sorted(options.items()))
        if key in self.sending:
            return
        self.close()
        command = [sys.executable, SENDER, "--samples", self.stocked().samples]
        command += ["--bold-table", self.folder / "rois.tsv"]
        command += [word for pair in options.items() for word in pair]
        self.sending[key] = subprocess.Popen(command, env=self.environment)
        time.sleep(2.0)  # until others see it

    def _rtbold(self, *words):
        subprocess.run(
            [sys.executable, "-m", "rtbold", *map(str, words)], cwd=self.folder,
            env=self.environment, check=True, capture_output=True, text=True,
        )  # fmt: skip
