import tomllib

from rtbold.protocol import example
from rtbold.protocol.lines import key_lines

TEXT = '''# a comment with [brackets] and a = "sign"
name = "a # no comment"  # one

"quoted key".inner = 3
[a.b]
x = """
many = "lines"
"""
y = \'\'\'it's''\'\'\'
list = [
  1, # first
  { k = [2, 3], "l" = 4 },
]
[[runs]]
kind = 'one'
[[runs]]
kind = "\\"two\\""
[runs.below]
z = 1979-05-27T07:32:00Z
[[runs.many]]
w = { v = "}]" }
[[runs.many]]
'''


def test_each_key_has_its_line():
    assert tomllib.loads(TEXT)["a"]["b"]["y"] == "it's''"
    lines = key_lines(TEXT)
    assert lines["name",] == 2
    assert lines["quoted key", "inner"] == 4
    assert lines["a", "b"] == 5
    assert lines["a", "b", "x"] == 6
    assert lines["a", "b", "y"] == 9
    assert lines["a", "b", "list"] == 10
    assert lines["a", "b", "list", 0] == 11
    assert lines["a", "b", "list", 1, "l"] == 12
    assert lines["a", "b", "list", 1, "k", 1] == 12
    assert lines["runs", 0] == 14
    assert lines["runs", 0, "kind"] == 15
    assert lines["runs", 1, "kind"] == 17
    assert lines["runs", 1, "below", "z"] == 19
    assert lines["runs", 1, "many", 0, "w", "v"] == 21
    assert lines["runs", 1, "many", 1] == 22


def test_every_path_of_a_real_file_has_a_line():
    text = example().decode()

    def paths(value, path=()):
        items = (
            value.items()
            if isinstance(value, dict)
            else enumerate(value)
            if isinstance(value, list)
            else ()
        )
        for key, below in items:
            yield (*path, key)
            yield from paths(below, (*path, key))

    lines = key_lines(text)
    listed = text.splitlines()
    for path in paths(tomllib.loads(text)):
        if path not in (("blocks",), ("questions",)):  # no line of their own
            key = path[-1] if isinstance(path[-1], str) else ""
            assert key in listed[lines[path] - 1]


def test_an_empty_file_and_one_without_a_last_line_break():
    assert key_lines("") == {}
    assert key_lines("\n\nkey = 1") == {("key",): 3}
    assert key_lines("key = 1\r\nother = 2 # end") == {("key",): 1, ("other",): 2}
