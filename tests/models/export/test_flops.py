"""Size and arithmetic of every architecture at its published size."""

import json
from math import prod
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from rtbold.models.export.checks import flops_per_window, parameter_count  # noqa: E402
from rtbold.models.montage import PUBLISHED_CHANNELS  # noqa: E402
from rtbold.models.registry import ARCHITECTURES, build, preset  # noqa: E402

KEYS = Path(__file__).parents[1] / "data" / "neurobolt_checkpoint_keys.json"
NOT_LEARNED = ("mss_module.index", "mss_module.positional_encoding.pe")


def full_size(architecture, *, n_rois=1, name="base", channels=PUBLISHED_CHANNELS):
    options = preset(architecture, name)
    return build(architecture, options, channels=channels, n_rois=n_rois)


def test_neurobolt_has_the_parameters_of_the_published_checkpoint():
    shapes = json.loads(KEYS.read_text())
    published = sum(
        prod(shape) for name, (shape, _) in shapes.items() if name not in NOT_LEARNED
    )
    assert parameter_count(full_size("neurobolt")) == published == 7_906_985


def test_labram_has_the_parameters_of_labram_base():
    # Jiang et al., ICLR 2024: LaBraM-Base 5.8 M.
    assert round(parameter_count(full_size("labram")) / 1e6, 1) == 5.8


def test_biot_has_the_published_parameters():
    # 3.2 M in the tables of Jiang et al., ICLR 2024; by the encoder's own 18 channels.
    channels = PUBLISHED_CHANNELS[:18]
    assert round(parameter_count(full_size("biot", channels=channels)) / 1e6, 1) == 3.2


@pytest.mark.parametrize(
    ("architecture", "count"),
    [
        # No published count is known; these guard against a silent change of size.
        ("beira", 224_481),
        ("siren", 76_417),
        ("bandpower_ridge", 26 * 8 * 5 + 1),
        ("efp", 16 * 40 + 1),
    ],
)
def test_the_others_keep_their_size(architecture, count):
    assert parameter_count(full_size(architecture)) == count


def test_every_size_is_known():
    assert set(ARCHITECTURES) >= {"neurobolt", "labram", "biot", "beira", "siren"}


def test_a_product_counts_two_operations_a_multiply_add():
    class Product(torch.nn.Module):
        def forward(self, eeg_uv):
            return eeg_uv @ torch.ones(3200, 7)

    assert flops_per_window(Product(), 5) == 2 * 5 * 3200 * 7


def test_attention_is_counted():
    from rtbold.models.labram import Attention

    class Attend(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.attention = Attention(8, 2, 0.0)

        def forward(self, eeg_uv):
            return self.attention(eeg_uv[:, 0, : 10 * 8].unflatten(1, (10, 8)))

    maps = 2 * 10 * 8 * (3 * 8 + 8)  # q, k, v and the way out
    assert flops_per_window(Attend(), 1) == maps + 2 * (2 * 10 * 10 * 8)


@pytest.mark.parametrize(
    ("architecture", "name"),
    [
        ("neurobolt", "base"),
        ("neurobolt", "small"),
        ("labram", "base"),
        ("biot", "base"),
        ("beira", "base"),
        ("siren", "base"),
        ("bandpower_ridge", "base"),
    ],
)
def test_64_rois_cost_no_more_than_one(architecture, name):
    """EFP aside: it is little more than its linear map."""
    one, many = (
        flops_per_window(full_size(architecture, n_rois=n, name=name), 26)
        for n in (1, 64)
    )
    assert one < many <= 1.05 * one
