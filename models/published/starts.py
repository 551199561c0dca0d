"""Published encoders as starts for training: LaBraM-base and BIOT.

They were trained without BOLD: there is no head, so such a network predicts nothing.
The head is zero until it is trained.
"""

from dataclasses import replace

from torch import Tensor, nn

from rtbold.electrodes import positions
from rtbold.errors import ConfigError
from rtbold.models.biot import Biot, BiotConfig
from rtbold.models.labram import Labram, LabramConfig
from rtbold.models.montage import Montage
from rtbold.models.published.checkpoints import Checkpoint
from rtbold.models.published.recognise import (
    Imported,
    check_weights_exist,
    count_of,
    fill,
    shape_of,
)

NO_HEAD = "zeros: it is to be trained"
_ENCODER = "biot."
_TOKENS = f"{_ENCODER}channel_tokens.weight"
_LAYERS = f"{_ENCODER}transformer.layers.layers."
_BIOT_DIM = 256


def labram(checkpoint: Checkpoint, montage: Montage, *, n_rois: int) -> Imported:
    """Return LaBraM's encoder; its decoder, and the head of another task, are left.

    Raises
    ------
    CheckpointError : no LaBraM that can be built.
    ConfigError : an electrode without a position row.
    """
    state = _without(checkpoint.state, "head.")
    dim = shape_of(checkpoint, "cls_token")[-1]
    head_dim = shape_of(checkpoint, "blocks.0.attn.q_norm.weight")[0]
    depth = count_of(state, "blocks.")
    mlp_ratio = max(shape_of(checkpoint, "blocks.0.mlp.fc1.weight")[0] // dim, 1)
    check_weights_exist(checkpoint, dim=dim, depth=depth, mlp_ratio=mlp_ratio)
    config = LabramConfig(
        channels=montage.free(),
        n_rois=n_rois,
        dim=dim,
        depth=depth,
        heads=max(dim // head_dim, 1),
        mlp_ratio=mlp_ratio,
    )
    fresh = {"head.": NO_HEAD, "fc_norm.": "ones and zeros: the pre-training has none"}
    return _filled(Labram(config), "labram", checkpoint, state=state, fresh=fresh)


def biot(
    checkpoint: Checkpoint, montage: Montage, *, n_rois: int, heads: int | None
) -> Imported:
    """Return BIOT's encoder; the head of another task is left.

    The published channel tokens stand for bipolar derivations in an order that the file
    does not tell; tokens are taken over only where the montage names their electrodes.

    Parameters
    ----------
    heads : of the attention, which shapes do not tell; None: the published 8.
    """
    state = _with_prefix(checkpoint.state)
    whole = replace(checkpoint, state=dict(state))
    sizes = _biot_sizes(whole, heads)
    fresh = {"head.": NO_HEAD, f"{_ENCODER}index": ""}
    n_tokens = shape_of(whole, _TOKENS)[0]
    if montage.trained:
        rows, trained = montage.rows(n_tokens), montage.trained_names(n_tokens)
        state[_TOKENS] = state[_TOKENS][rows]
        channels = tuple(trained[row] for row in rows)
    else:
        channels = montage.free()
        del state[_TOKENS]
        fresh[_TOKENS] = f"drawn anew: the file has {n_tokens}, of unnamed channels"
    positions(channels)  # refuses names that are no electrodes
    network = Biot(replace(sizes, channels=channels, n_rois=n_rois))
    return _filled(network, "biot", checkpoint, state=state, fresh=fresh)


def _biot_sizes(checkpoint: Checkpoint, heads: int | None) -> BiotConfig:
    dim = shape_of(checkpoint, f"{_ENCODER}patch_embedding.projection.weight")[0]
    if heads is None and dim != _BIOT_DIM:
        raise ConfigError(
            f"{checkpoint.path} is {dim} wide, not {_BIOT_DIM} as published: how many "
            "heads its attention has cannot be seen in the weights. Give --heads N"
        )
    hidden = shape_of(checkpoint, f"{_LAYERS}0.1.fn.fn.w1.weight")[0]
    depth, mlp_ratio = count_of(checkpoint.state, _LAYERS), max(hidden // dim, 1)
    check_weights_exist(checkpoint, dim=dim, depth=depth, mlp_ratio=mlp_ratio)
    return BiotConfig(
        dim=dim, depth=depth, heads=heads or BiotConfig.heads, mlp_ratio=mlp_ratio
    )


def _with_prefix(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights under the names of the whole network, without the index."""
    bare = not any(name.startswith(_ENCODER) for name in state)
    named = {(_ENCODER + k if bare else k): v for k, v in state.items()}
    return _without(named, f"{_ENCODER}index")


def _filled(
    network: Labram | Biot,
    architecture: str,
    checkpoint: Checkpoint,
    *,
    state: dict[str, Tensor],
    fresh: dict[str, str],
) -> Imported:
    nn.init.zeros_(network.head.weight)
    nn.init.zeros_(network.head.bias)
    account = fill(network, state, may_miss=fresh, where=checkpoint.path)
    unused = tuple(
        name
        for name in checkpoint.state
        if name not in state and _ENCODER + name not in account.matched
    )
    left = (*checkpoint.left, *unused, *account.left)
    return Imported(
        architecture=architecture,
        network=network.eval(),
        config=network.config,
        channels=network.config.channels,
        n_rois=network.config.n_rois,
        accounts=(replace(account, left=left),),
        trained_head=False,
    )


def _without(state: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k: v for k, v in state.items() if not k.startswith(prefix)}
