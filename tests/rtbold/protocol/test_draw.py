import xml.etree.ElementTree as ET

from rtbold.protocol import (
    all_runs,
    block_lines,
    example,
    parse_protocol,
    picture,
    timeline,
)

STUDY = parse_protocol(example(), where="example.toml").study


def test_the_timeline_has_each_run_with_its_minutes_and_what_is_shown():
    lines = list(timeline(STUDY, all_runs(STUDY)))
    assert lines[0].startswith("example: 6 runs, 35:06 min in all, TR 2.1 s")
    (training,) = (n for n, line in enumerate(lines) if line.startswith("Run 3"))
    assert "training 'training', 12 blocks, 214 volumes, 7:29 min" in lines[training]
    rest, up = lines[training + 1 : training + 3]
    assert set(rest) - set("  rest|") == {"-"}
    assert set(up) - set("  up|") == {"#"}
    for one, other in zip(rest[8:-1], up[8:-1], strict=True):
        assert (one == " ") is not (other == " ")  # each moment is of one block
    assert "#" not in lines[-3]  # the transfer's lane


def test_each_block_is_listed():
    plan = all_runs(STUDY)[2]
    lines = list(block_lines(plan))
    assert len(lines) == 12
    assert lines[1].split()[:3] == ["2", "volume", "13"]
    assert lines[1].endswith("up, feedback continuous")


def test_the_picture_is_sound_xml_whatever_the_names_are():
    odd = parse_protocol(
        example().replace(b'"example"', b'"<a & \\"b\\">"'), where="odd.toml"
    ).study
    root = ET.fromstring(picture(odd, all_runs(odd)))
    n_blocks = sum(len(plan.blocks) for plan in all_runs(odd))
    assert len(root.findall("{http://www.w3.org/2000/svg}rect")) == n_blocks
    assert root.attrib["aria-label"].startswith('<a & "b">')
