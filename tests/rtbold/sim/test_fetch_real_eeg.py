import hashlib
import tarfile

import fetch_real_eeg as module
import pytest


@pytest.fixture
def script(monkeypatch):
    """The script, with a small archive instead of PyPI's."""
    contents = {"a.h5": b"first recording", "b.h5": b"second"}
    monkeypatch.setattr(
        module,
        "RECORDINGS",
        {n: (len(c), hashlib.sha256(c).hexdigest()) for n, c in contents.items()},
    )
    monkeypatch.setattr(module, "downloads", [], raising=False)

    def download(folder, contents=contents):
        module.downloads.append(folder)
        archive = folder / "archive.tar.gz"
        with tarfile.open(archive, "w:gz") as tar:
            for name, content in contents.items():
                file = folder / f"source-{name}"
                file.write_bytes(content)
                tar.add(file, f"eeghdf-0.2.4/data/{name}")
        return archive

    monkeypatch.setattr(module, "download", download)
    return module


def test_it_fetches_once_and_leaves_only_the_recordings(script, tmp_path):
    folder = tmp_path / "cache"
    assert script.fetch(folder) == [folder / "a.h5", folder / "b.h5"]
    script.fetch(folder)
    assert len(script.downloads) == 1
    assert sorted(p.name for p in folder.iterdir()) == ["a.h5", "b.h5"]


def test_a_damaged_recording_is_fetched_again(script, tmp_path):
    script.fetch(tmp_path)
    (tmp_path / "a.h5").write_bytes(b"first recordinG")
    script.fetch(tmp_path)
    assert (tmp_path / "a.h5").read_bytes() == b"first recording"
    assert len(script.downloads) == 2


def test_what_is_not_the_known_recording_is_not_kept(script, tmp_path, monkeypatch):
    monkeypatch.setitem(script.RECORDINGS, "b.h5", (6, "0" * 64))
    with pytest.raises(SystemExit, match=r"b\.h5"):
        script.fetch(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["a.h5"]
