"""NeuroBOLT as one would first write it down: what rtbold's speed is held against.

Written from the paper (Li et al., NeurIPS 2024, arXiv 2410.05341; the encoder: Jiang et
al., ICLR 2024), for reading and not for speed: the spectral branch takes one channel
after the other, spectra come from the FFT, attention is two products and a softmax.
It takes the weights of `rtbold.models.neurobolt` in its published form by name and
must answer alike. Shapes: b batch, c channel, n token, d dim, w window, f bin, t step.
"""

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

N_SECONDS = 16
SCALES_SAMPLES = (100, 200, 400, 800)
HEADS, SPECTRAL_HEADS = 10, 8
Weights = Mapping[str, Tensor]


class EagerNeuroBolt(nn.Module):
    """``model(eeg_uv) -> bold``: (b, channels, 3200) microvolt -> (b, rois)."""

    def __init__(self, weights: Weights, position_index: Tensor) -> None:
        super().__init__()
        self.w = {name: value.detach().clone() for name, value in weights.items()}
        self.position_index = position_index

    def forward(self, eeg_uv: Tensor) -> Tensor:
        """Predict in units of the target normalisation."""
        x = eeg_uv / 100.0
        summed = self.spatiotemporal(x) + self.spectral(x)  # (b, d)
        return self.linear("head", functional.gelu(summed))  # (b, rois)

    def linear(self, name: str, x: Tensor) -> Tensor:
        """Apply a named linear map, with its bias where it has one."""
        bias = self.w.get(f"{name}.bias")
        return functional.linear(x, self.w[f"{name}.weight"], bias)

    def norm(self, name: str, x: Tensor, eps: float) -> Tensor:
        """Apply a named layer norm."""
        weight, bias = self.w[f"{name}.weight"], self.w[f"{name}.bias"]
        return functional.layer_norm(x, weight.shape, weight, bias, eps)

    def spatiotemporal(self, x: Tensor) -> Tensor:
        """LaBraM's encoder: tokens of one channel and second, 12 blocks, their mean."""
        patches = x.reshape(x.shape[0], -1, x.shape[2] // N_SECONDS)  # (b, c * 16, 200)
        tokens = self.temporal(patches)  # (b, c * 16, d)
        position, time = self.w["pos_embed"], self.w["time_embed"]
        where = position[:, self.position_index].repeat_interleave(N_SECONDS, dim=1)
        when = time.repeat(1, x.shape[1], 1)  # (1, c * 16, d)
        first = (self.w["cls_token"] + position[:, :1]).expand(x.shape[0], -1, -1)
        tokens = torch.cat([first, tokens + where + when], dim=1)  # (b, 1 + c * 16, d)
        for block in range(count(self.w, "blocks.")):
            tokens = self.block(f"blocks.{block}", tokens)
        return self.norm("fc_norm", tokens[:, 1:].mean(1), 1e-6)  # (b, d)

    def temporal(self, patches: Tensor) -> Tensor:
        """Three convolutions along each second, as over an image of height n."""
        x = patches[:, None]  # (b, 1, n, 200)
        for i, (stride, padding) in enumerate(((8, 7), (1, 1), (1, 1)), start=1):
            kernel = self.w[f"patch_embed.conv{i}.weight"]
            bias = self.w[f"patch_embed.conv{i}.bias"]
            x = functional.conv2d(x, kernel, bias, (1, stride), (0, padding))
            gain = self.w[f"patch_embed.norm{i}.weight"]
            offset = self.w[f"patch_embed.norm{i}.bias"]
            x = functional.gelu(functional.group_norm(x, 4, gain, offset))
        return x.permute(0, 2, 3, 1).flatten(2)  # (b, n, 25 * 8)

    def block(self, name: str, x: Tensor) -> Tensor:
        """Pre-norm attention and perceptron, each scaled by its gamma."""
        attended = self.attention(f"{name}.attn", self.norm(f"{name}.norm1", x, 1e-6))
        x = x + self.w[f"{name}.gamma_1"] * attended
        inner = self.linear(f"{name}.mlp.fc1", self.norm(f"{name}.norm2", x, 1e-6))
        outer = self.linear(f"{name}.mlp.fc2", functional.gelu(inner))
        return x + self.w[f"{name}.gamma_2"] * outer

    def attention(self, name: str, x: Tensor) -> Tensor:
        """Softmax attention; queries and keys have a norm of their own."""
        b, n, d = x.shape
        qkv = self.linear(f"{name}.qkv", x).reshape(b, n, 3, HEADS, d // HEADS)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # (b, heads, n, 20) each
        q = self.norm(f"{name}.q_norm", q, 1e-6) * (d // HEADS) ** -0.5
        k = self.norm(f"{name}.k_norm", k, 1e-6)
        attended = torch.softmax(q @ k.transpose(2, 3), dim=-1) @ v
        return self.linear(f"{name}.proj", attended.transpose(1, 2).reshape(b, n, d))

    def spectral(self, x: Tensor) -> Tensor:
        """Multi-scale spectra of each channel, four layers of linear attention."""
        embedded = [self.channel(x[:, c], c) for c in range(x.shape[1])]
        tokens = torch.stack(embedded, dim=1).flatten(1, 2)  # (b, c * 32, d)
        stem = "mss_module.transformer.layers.layers"
        for layer in range(count(self.w, f"{stem}.")):
            normed = self.norm(f"{stem}.{layer}.0.norm", tokens, 1e-5)
            tokens = tokens + self.linear_attention(f"{stem}.{layer}.0.fn", normed)
            normed = self.norm(f"{stem}.{layer}.1.norm", tokens, 1e-5)
            inner = self.linear(f"{stem}.{layer}.1.fn.fn.w1", normed)
            tokens = tokens + self.linear(
                f"{stem}.{layer}.1.fn.fn.w2", functional.gelu(inner)
            )
        return tokens.mean(1)  # (b, d)

    def channel(self, x: Tensor, channel: int) -> Tensor:
        """Return the 32 tokens of one channel; (b, 3200) -> (b, 32, d)."""
        levels = []
        for level, n in enumerate(SCALES_SAMPLES):
            windows = x.reshape(x.shape[0], -1, n)
            spectra = torch.abs(torch.fft.rfft(windows))  # (b, w, f)
            name = f"mss_module.patch_embedding.{level}.projection"
            embedded = self.linear(name, spectra).transpose(1, 2)  # (b, d, w)
            name = f"mss_module.ts_embedding.{level}.projection"
            levels.append(self.linear(name, embedded).transpose(1, 2))  # (b, t, d)
        tokens = torch.stack(levels).sum(0)
        tokens = tokens + self.w["mss_module.channel_tokens.weight"][channel]
        return tokens + sinusoids(tokens.shape[1], tokens.shape[2])

    def linear_attention(self, name: str, x: Tensor) -> Tensor:
        """Efficient attention: softmax of q over the head, of k over the tokens."""
        b, n, d = x.shape
        q, k, v = (
            self.linear(f"{name}.to_{which}", x)
            .reshape(b, n, SPECTRAL_HEADS, -1)
            .transpose(1, 2)
            for which in "qkv"
        )  # (b, heads, n, 25) each
        q = torch.softmax(q, dim=-1) * (d // SPECTRAL_HEADS) ** -0.5
        context = torch.softmax(k, dim=2).transpose(2, 3) @ v  # (b, heads, 25, 25)
        attended = (q @ context).transpose(1, 2).reshape(b, n, d)
        return self.linear(f"{name}.to_out", attended)


def count(weights: Weights, stem: str) -> int:
    """Return how many numbered parts there are under a name."""
    found = {name[len(stem) :].split(".")[0] for name in weights if stem in name[:60]}
    return len([number for number in found if number.isdecimal()])


def sinusoids(n_steps: int, dim: int) -> Tensor:
    """Return (steps, dim): sine on even, cosine on odd dimensions, base 10000."""
    step = torch.arange(n_steps)[:, None].float()
    rate = torch.exp(torch.arange(0, dim, 2).float() * -(math.log(10000.0) / dim))
    out = torch.zeros(n_steps, dim)
    out[:, 0::2], out[:, 1::2] = torch.sin(step * rate), torch.cos(step * rate)
    return out
