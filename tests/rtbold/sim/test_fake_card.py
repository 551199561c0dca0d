import pytest

from rtbold.bundle.card import Card
from rtbold.errors import ConfigError
from rtbold.publish.feedback import FeedbackSettings
from rtbold.publish.wire import Ports
from rtbold.sim.fake_messages import fake_card, fake_hello
from rtbold.sim.head import read_rois


@pytest.mark.parametrize("n_channels", [19, 26, 64])
def test_hello_names_channels_and_rois(n_channels):
    card = fake_card(2.1, n_rois=64, n_channels=n_channels)
    assert isinstance(card, Card)
    said = fake_hello(card, Ports(feed=1), FeedbackSettings.choose(card))
    assert len(said.channels) == n_channels
    assert said.rois == tuple(roi.name for roi in read_rois())
    assert said.target == said.rois[0]
    assert (said.model_origin, said.simulated_stream) == ("simulated", True)
    assert said.encoding == "json"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_channels": 20}, r"--channels is 20, expected one of 19, 26, 64"),
        ({"n_rois": 0}, r"--rois is 0, expected 1 to 64"),
        ({"n_rois": 65}, r"--rois is 65, expected 1 to 64"),
    ],
)
def test_other_sizes_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        fake_card(2.1, **options)
