"""Arithmetic that one window costs, counted from the operators that run."""

import copy

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from rtbold.models.spectral import WINDOW_SAMPLES, run_by_products


def flops_per_window(model: nn.Module, n_channels: int) -> int:
    """Return the floating-point operations of one window, a multiply-add being two.

    Counted are matrix products, convolutions and attention, which are nearly all; not
    the element-wise rest. Spectra count as the products that exported models run.
    """
    model = copy.deepcopy(model).eval()
    run_by_products(model)
    window = torch.zeros(1, n_channels, WINDOW_SAMPLES)
    counter = FlopCounterMode(display=False)
    # The fused CPU attention has no count; its plain form has the same products.
    with torch.inference_mode(), sdpa_kernel(SDPBackend.MATH), counter:
        model(window)
    return int(counter.get_total_flops())


def parameter_count(model: nn.Module) -> int:
    """Return how many numbers are learned."""
    return sum(parameter.numel() for parameter in model.parameters())
