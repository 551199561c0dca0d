"""A trained network as an ONNX graph, folded and checked."""
