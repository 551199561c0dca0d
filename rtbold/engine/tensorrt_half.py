"""A graph whose products run in float16, for engines that follow the graph's types.

TensorRT-RTX is strongly typed: it runs each operator in the type that the graph
gives it, so float16 must be written into the graph. Only the products (matrix
products and convolutions: nearly all of the arithmetic) get float16 inputs and
weights; their results go back to float32 at once. Squares, roots, logarithms,
norms, softmax, GELU, sums and the residual stream stay float32: powers of spectra
leave the range of float16 (65504) at EEG amplitudes. A product whose weights sum to
much, as a Fourier matrix does, has them divided by a power of two and its result
multiplied by it in float32: only a value that float16 cannot hold by itself (65 mV)
overflows. Input and output of the graph stay float32.
"""

import math
from collections.abc import Iterable
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from rtbold.distribution import pip_install
from rtbold.errors import EngineError

if TYPE_CHECKING:
    import onnx

PRODUCTS = frozenset(("MatMul", "Gemm", "Conv", "ConvTranspose", "Einsum"))
LARGE_GAIN = 64.0  # largest |output| / |input| of a product that is left as it is
FLOAT16_MAX = float(np.finfo(np.float16).max)


def half_products(onnx_model: bytes) -> bytes:
    """Return the graph with float16 products, float32 around them.

    Raises
    ------
    EngineError : onnx is not installed, the graph cannot be read, or a weight of a
        product is beyond the range of float16.
    """
    onnx = _onnx()
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load_from_string(onnx_model)
        model = onnx.shape_inference.infer_shapes(model)
    except (DecodeError, onnx.shape_inference.InferenceError) as error:
        raise EngineError(
            f"the graph is no ONNX that can be read: {error}; export the model again"
        ) from error
    _join_constants(model)
    rewriter = _Rewriter(model)
    nodes = [new for node in model.graph.node for new in rewriter.rewritten(node)]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    rewriter.drop_unused_weights()
    onnx.checker.check_model(model)
    data: bytes = model.SerializeToString(deterministic=True)
    return data


def _onnx() -> ModuleType:
    try:
        import onnx
        import onnx.checker
        import onnx.shape_inference
    except ImportError as error:
        raise EngineError(
            "float16 engines need the package onnx to write float16 into the graph; "
            f"{pip_install('tensorrt')}"
        ) from error
    return onnx


def _join_constants(model: "onnx.ModelProto") -> None:
    """Concatenate weights beforehand: a Fourier matrix is cosines beside sines."""
    from onnx import numpy_helper

    graph = model.graph
    weights = {w.name: w for w in graph.initializer}
    for node in list(graph.node):
        if node.op_type != "Concat" or not set(node.input) <= weights.keys():
            continue
        parts = [numpy_helper.to_array(weights[name]) for name in node.input]
        joined = np.concatenate(parts, axis=node.attribute[0].i)  # it has one: the axis
        made = numpy_helper.from_array(joined, node.output[0])
        graph.initializer.append(made)
        weights[made.name] = made
        graph.node.remove(node)


class _Rewriter:
    """Casts around the products of one graph; each weight and input is cast once."""

    def __init__(self, model: "onnx.ModelProto") -> None:
        self._graph = model.graph
        self._weights = {w.name: w for w in model.graph.initializer}
        self._float32 = _float32_names(model)
        self._made: set[str] = set()  # float16 twins and scales that are there already

    def rewritten(self, node: "onnx.NodeProto") -> Iterable["onnx.NodeProto"]:
        from onnx import TensorProto, helper

        floats = [name for name in node.input if name in self._float32]
        if node.op_type not in PRODUCTS or len(floats) != len(node.input):
            yield node
            return
        scale = self._scale(node)
        for i, name in enumerate(node.input):
            if name in self._weights:
                node.input[i] = self._half_weight(name, scale)
                continue
            node.input[i] = half = f"{name}/f16"
            if half not in self._made:
                self._made.add(half)
                yield helper.make_node(
                    "Cast", [name], [half], to=TensorProto.FLOAT16, name=half
                )
        result, product = node.output[0], f"{node.output[0]}/product"
        node.output[0] = product
        yield node
        wide = result if scale == 1 else f"{result}/scaled"
        yield helper.make_node(
            "Cast", [product], [wide], to=TensorProto.FLOAT, name=wide
        )
        if scale != 1:
            factor = self._factor(scale)
            yield helper.make_node("Mul", [wide, factor], [result], name=result)

    def _scale(self, node: "onnx.NodeProto") -> int:
        """Return the power of two that a weight is divided by, to keep sums small."""
        from onnx import numpy_helper

        found = [i for i, name in enumerate(node.input) if name in self._weights]
        if node.op_type != "MatMul" or len(found) != 1:
            return 1
        values = numpy_helper.to_array(self._weights[node.input[found[0]]])
        summed = -1 if found[0] == 0 or values.ndim == 1 else -2
        gain = float(np.abs(values).sum(axis=summed).max())
        return 1 if gain < LARGE_GAIN else 2 ** math.ceil(math.log2(gain))

    def _half_weight(self, name: str, scale: int) -> str:
        from onnx import numpy_helper

        half = f"{name}/f16" if scale == 1 else f"{name}/f16/{scale}"
        if half in self._made:
            return half
        self._made.add(half)
        values = numpy_helper.to_array(self._weights[name]) / np.float32(scale)
        largest = float(np.abs(values).max(initial=0))
        if not largest <= FLOAT16_MAX:
            raise EngineError(
                f"weight {name} reaches {largest:g}, float16 ends at "
                f"{FLOAT16_MAX:g}; use precision f32 for this model"
            )
        self._graph.initializer.append(
            numpy_helper.from_array(values.astype(np.float16), half)
        )
        return half

    def _factor(self, scale: int) -> str:
        from onnx import numpy_helper

        name = f"scale/{scale}"
        if name not in self._made:
            self._made.add(name)
            self._graph.initializer.append(
                numpy_helper.from_array(np.array(scale, dtype=np.float32), name)
            )
        return name

    def drop_unused_weights(self) -> None:
        used = {name for node in self._graph.node for name in node.input}
        kept = [w for w in self._graph.initializer if w.name in used]
        del self._graph.initializer[:]
        self._graph.initializer.extend(kept)


def _float32_names(model: "onnx.ModelProto") -> set[str]:
    from onnx import TensorProto

    graph = model.graph
    typed = [*graph.input, *graph.value_info, *graph.output]
    names = {v.name for v in typed if v.type.tensor_type.elem_type == TensorProto.FLOAT}
    return names | {
        w.name for w in graph.initializer if w.data_type == TensorProto.FLOAT
    }
