from pathlib import Path

from rtbold.cli.process import quieten


def test_liblsl_only_warns_where_the_user_has_no_configuration(tmp_path):
    environment = {"HOME": str(tmp_path)}
    quieten(environment, tmp_path)
    text = Path(environment["LSLAPICFG"]).read_text(encoding="utf-8")
    assert "level = -1" in text


def test_the_users_own_configuration_stays_in_force(tmp_path):
    (tmp_path / "lsl_api").mkdir()
    (tmp_path / "lsl_api" / "lsl_api.cfg").write_text("[lab]\n")
    environment = {"HOME": str(tmp_path)}
    quieten(environment, tmp_path / "elsewhere")
    assert "LSLAPICFG" not in environment
    given = {"LSLAPICFG": "mine.cfg"}
    quieten(given, tmp_path)
    assert given == {"LSLAPICFG": "mine.cfg"}
