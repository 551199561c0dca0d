import pytest

from rtbold.calibration.train.recipe import load_recipe, parse_recipe, shipped
from rtbold.errors import ConfigError

LEAST = 'name = "mine"\n[model]\narchitecture = "neurobolt"\n'


def parsed(text):
    return parse_recipe(text, where="mine.toml")


@pytest.mark.parametrize("name", shipped())
def test_a_shipped_recipe_has_its_name_and_says_what_it_is(name):
    recipe = load_recipe(name)
    assert recipe.name == name
    assert len(recipe.about) > 30


def test_the_recipes_that_are_promised_are_there():
    published = {"neurobolt-published", "neurobolt-published-across"}
    assert published | {"neurobolt-small", "ridge"} <= set(shipped())


def test_the_published_recipe_is_the_publication_s():
    recipe = load_recipe("neurobolt-published")
    how = recipe.training
    assert (recipe.model.architecture, recipe.model.preset) == ("neurobolt", "base")
    assert recipe.model.options == {}
    assert (how.learning_rate, how.end_rate, how.weight_decay) == (3e-4, 1e-6, 0.05)
    assert (how.epochs, how.warmup_epochs, how.batch_size) == (20, 5.0, 16)
    assert (how.layer_decay, how.schedule, how.gradient_clip) == (0.65, "cosine", 0.0)
    assert (how.loss, how.select, how.patience) == ("mse", "mse", 0)
    assert recipe.data.split == "published-within"


@pytest.mark.parametrize("name", shipped())
def test_written_out_it_is_the_same_recipe(name):
    recipe = load_recipe(name)
    assert parsed(recipe.toml()) == recipe
    assert parsed(recipe.toml()).sha256 == recipe.sha256


def test_a_value_that_is_left_out_has_the_hash_of_the_one_that_it_has():
    assert parsed(LEAST).sha256 == parsed(f"{LEAST}[training]\nepochs = 20").sha256
    assert parsed(LEAST).sha256 != parsed(f"{LEAST}[training]\nepochs = 21").sha256


def test_a_file_of_one_s_own_is_read(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(LEAST, "utf-8")
    assert load_recipe(path).name == "mine"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"{LEAST}[training]\nepoch = 3", "no key 'training.epoch'.*mean 'epochs'"),
        (f"{LEAST}[trainig]\nepochs = 3", "no key 'trainig'.*mean 'training'"),
        (f"{LEAST}[data]\nchanel_dropout = 0.1", "mean 'channel_dropout'"),
        (f'{LEAST}[training]\nloss = "mse+centerd"', "mean 'mse.centred'"),
        (f'{LEAST}[training]\nselect = "test"', "expected one of mse, r, r-centred"),
        (f"{LEAST}[training]\nepochs = 0", "epochs is 0, expected 1"),
        (f"{LEAST}[training]\nlearning_rate = nan", "learning_rate is nan"),
        (f"{LEAST}[training]\nend_rate = 1.0", "end_rate is 1, expected 0 to 0.0003"),
        (f"{LEAST}[training]\nwarmup_epochs = 30.0", "warmup_epochs is 30"),
        (f"{LEAST}[data]\nchannel_dropout = 0.9", "channel_dropout is 0.9"),
        (f'{LEAST}[training]\nepochs = "3"', "is no recipe: .*epochs"),
        (
            f'{LEAST}[training]\ntargets = "whitened"\nloss = "mse+centred"',
            "beside whitened targets",
        ),
        (f"format = 2\n{LEAST}", "format is 2, expected 1"),
        ('name = "mine"', "is no recipe: .*model"),
        ("name = ", "mine.toml is not valid TOML"),
    ],
)
def test_what_is_wrong_is_said_with_the_way_out(text, said):
    with pytest.raises(ConfigError, match=said):
        parsed(text)


def test_an_unknown_name_is_answered_with_those_that_there_are():
    with pytest.raises(ConfigError, match=r"expected one of .*mean 'ridge'"):
        load_recipe("rigde")


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"mine\.toml cannot be read"):
        load_recipe(tmp_path / "mine.toml")


def test_a_file_that_is_no_text_is_refused(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_bytes(b"name = '\xff\xfe'")
    with pytest.raises(ConfigError, match="not text in UTF-8"):
        load_recipe(path)
