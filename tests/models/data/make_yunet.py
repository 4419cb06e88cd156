"""Make `red_finder.onnx`, a network of YuNet's design whose weights are set by hand.

It needs the package onnx, which nothing else here does:
`python tests/models/data/make_yunet.py`. Its faces are where 32 x 32 pixels that begin
at multiples of 32 are red: 64 pixels wide and 96 high, with landmarks at LANDMARKS.
"""

import math
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

SIDE = 640
STRIDES = (8, 16, 32)
FOUND_AT = 32
WIDTH, HEIGHT = 64, 96
LANDMARKS = ((4, 8), (28, 8), (16, 20), (6, 28), (26, 28))
"""Pixels from the corner of the square."""
STEEPNESS = 0.2
LEAST = 128


def main() -> None:
    nodes, weights, outputs = [], {}, []
    # OpenCV hands over blue, green, red, from 0 to 255.
    weights["red"] = np.array([-0.5, -0.5, 1.0]).reshape(1, 3, 1, 1)
    nodes.append(helper.make_node("Conv", ["input", "red"], ["redness"]))
    for stride in STRIDES:
        here = f"mean_{stride}"
        window = {"kernel_shape": [stride, stride], "strides": [stride, stride]}
        nodes.append(helper.make_node("AveragePool", ["redness"], [here], **window))
        steepness = STEEPNESS if stride == FOUND_AT else 0
        middle = [0.5, 0.5, math.log(WIDTH / stride), math.log(HEIGHT / stride)]
        points = [value / stride for point in LANDMARKS for value in point]
        bias = -STEEPNESS * LEAST
        for name, slope, biases in (
            ("cls", steepness, [bias]),
            ("obj", steepness, [bias]),
            ("bbox", 0, middle),
            ("kps", 0, points),
        ):
            raw, out = f"raw_{name}_{stride}", f"{name}_{stride}"
            weights[f"w_{out}"] = np.full((len(biases), 1, 1, 1), float(slope))
            weights[f"b_{out}"] = np.array(biases, float)
            weights[f"shape_{len(biases)}"] = np.array([1, -1, len(biases)], np.int64)
            inputs = [here, f"w_{out}", f"b_{out}"]
            nodes.append(helper.make_node("Conv", inputs, [raw]))
            scored = raw
            if name in ("cls", "obj"):
                scored = f"share_{out}"
                nodes.append(helper.make_node("Sigmoid", [raw], [scored]))
            turned = f"turned_{out}"
            turn = helper.make_node("Transpose", [scored], [turned], perm=[0, 2, 3, 1])
            shape = [turned, f"shape_{len(biases)}"]
            nodes += [turn, helper.make_node("Reshape", shape, [out])]
            kind = onnx.TensorProto.FLOAT
            size = [1, (SIDE // stride) ** 2, len(biases)]
            outputs.append(helper.make_tensor_value_info(out, kind, size))
    shape = [1, 3, SIDE, SIDE]
    picture = helper.make_tensor_value_info("input", onnx.TensorProto.FLOAT, shape)
    tensors = [
        numpy_helper.from_array(
            value if value.dtype == np.int64 else value.astype(np.float32), name
        )
        for name, value in weights.items()
    ]
    graph = helper.make_graph(nodes, "red finder", [picture], outputs, tensors)
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8
    )
    onnx.save(model, Path(__file__).parent / "red_finder.onnx")


if __name__ == "__main__":
    main()
