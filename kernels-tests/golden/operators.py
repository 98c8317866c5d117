# What PyTorch gives for our operators: writes operators.safetensors.
#
#   pip install torch numpy safetensors
#   python operators.py
#
# A case is a group of tensors `case/name`: inputs as an operator takes them (images NHWC, convolution kernels HWIO),
# `y` or `loss`, the gradient `dy` that arrives at y, and the gradients that leave, `dx`, `dweight`, …
# Inputs are f32; PyTorch computes in f64 from them and the results are rounded once to f32. The parameters of the
# cases lie in the file's metadata, JSON under the key `lookalike`. The calls:
#
#   conv2d_*       F.relu(F.conv2d(F.pad(x, (left, right, top, bottom)), weight, bias, stride, dilation=dilation));
#                  `same` as Keras defines it: out = ceil(size / stride), and of an odd total the larger half of the
#                  padding lies at the bottom and the right
#   depthwise_conv2d_*
#                  F.conv2d(F.pad(x, (left, right, top, bottom)), kernel, bias, stride, groups=channels); `same` likewise
#   max_pool2d_*   F.max_pool2d(x, window, stride, padding, ceil_mode=ceil)
#   avg_pool2d_*   F.avg_pool2d(x, window, stride, padding, ceil_mode=ceil, count_include_pad=False)
#   batch_norm_*   F.batch_norm(x, None, None, gamma, beta, training=True, eps=1e-3); running averages as Keras's
#                  momentum=0.99: new = 0.99 * old + 0.01 * batch, with the biased variance
#   softmax_cross_entropy_*
#                  rows = F.cross_entropy(x, labels, reduction="none", label_smoothing=smoothing);
#                  loss = (weight[labels] * rows).mean(): Keras's mean over rows. PyTorch's own `weight=` differs: it
#                  divides by the sum of the weights and weights each class of the smoothed target
#   leaky_relu, prelu, sigmoid, tanh, softmax
#                  F.leaky_relu(x, 0.3), F.prelu(x, alpha), torch.sigmoid(x), torch.tanh(x), F.softmax(x, -1)
#   adam_torch     torch.optim.Adam(p, lr, betas, eps)
#   adam_keras     keras.optimizers.Adam(lr): lr_t = lr * sqrt(1 - beta2^t) / (1 - beta1^t),
#                  p -= lr_t * m / (sqrt(v) + eps), written out here
#   adamw_*        the same two after p -= lr * weight_decay * p; adamw_torch is torch.optim.AdamW
#   sgd_*          torch.optim.SGD(p, lr, momentum=0.9, nesterov=…), which for a constant rate is Keras's SGD too
#
# The optimizers' `gradient` and `y` hold three steps: [3, …], y[t] being the parameter after step t.
import json
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.numpy import save_file

random = np.random.default_rng(2026)
tensors, cases = {}, {}


def normal(*shape, scale=1.0):
    """Normal numbers that f32 holds exactly, as a leaf in f64."""
    values = (scale * random.standard_normal(shape)).astype(np.float32)
    return torch.from_numpy(values.astype(np.float64)).requires_grad_()


def record(case, parameters, **named):
    cases[case] = parameters
    for name, tensor in named.items():
        tensors[f"{case}/{name}"] = np.ascontiguousarray(tensor.detach().numpy().astype(np.float32))


def record_gradients(case, parameters, y, **inputs):
    """Sends a random dy back from y and records it with y, the inputs and `d…` of each input."""
    dy = normal(*y.shape).detach()
    y.backward(dy)
    gradients = {f"d{name}": tensor.grad for name, tensor in inputs.items()}
    record(case, parameters, **inputs, y=y, dy=dy, **gradients)


def nchw(x):
    return x.permute(0, 3, 1, 2).contiguous()


def nhwc(x):
    return x.permute(0, 2, 3, 1)


def same(size, kernel, stride, dilation):
    """Keras's padding `same` of one axis: (before, after)."""
    total = max((-(-size // stride) - 1) * stride + (kernel - 1) * dilation + 1 - size, 0)
    return total // 2, total - total // 2


def conv2d(case, x_shape, kernel_shape, stride=(1, 1), dilation=(1, 1), padding="valid"):
    x, weight, bias = normal(*x_shape), normal(*kernel_shape, scale=0.3), normal(kernel_shape[-1])
    sides = [(0, 0), (0, 0)]
    if padding == "same":
        sides = [same(x_shape[1 + axis], kernel_shape[axis], stride[axis], dilation[axis]) for axis in (0, 1)]
    (top, bottom), (left, right) = sides
    padded = F.pad(nchw(x), (left, right, top, bottom))
    y = nhwc(F.relu(F.conv2d(padded, weight.permute(3, 2, 0, 1), bias, stride, dilation=dilation)))
    parameters = {"stride": stride, "dilation": dilation, "padding": padding, "activation": "relu"}
    parameters |= {"top": top, "bottom": bottom, "left": left, "right": right}
    record_gradients(case, parameters, y, x=x, weight=weight, bias=bias)


def depthwise_conv2d(case, x_shape, window, stride=(1, 1), padding="valid"):
    channels = x_shape[-1]
    x, kernel, bias = normal(*x_shape), normal(*window, channels, 1, scale=0.3), normal(channels)
    sides = [same(x_shape[1 + axis], window[axis], stride[axis], 1) for axis in (0, 1)]
    (top, bottom), (left, right) = sides if padding == "same" else [(0, 0), (0, 0)]
    padded = F.pad(nchw(x), (left, right, top, bottom))
    y = nhwc(F.conv2d(padded, kernel.permute(2, 3, 0, 1), bias, stride, groups=channels))
    parameters = {"stride": stride, "padding": padding, "top": top, "bottom": bottom, "left": left, "right": right}
    record_gradients(case, parameters, y, x=x, kernel=kernel, bias=bias)


def pool2d(case, call, x, window, stride, padding=(0, 0), ceil=False, **more):
    y = nhwc(call(nchw(x), window, stride, padding, ceil_mode=ceil, **more))
    record_gradients(case, {"window": window, "stride": stride, "padding": padding, "ceil": ceil}, y, x=x)


def halves(*shape):
    """Multiples of 1/2 after a ReLU: many zeros and many ties."""
    return normal(*shape).detach().mul(2).round().div(2).relu().requires_grad_()


def batch_norm(case, *shape):
    x, gamma, beta = normal(*shape, scale=2.0), normal(shape[-1]), normal(shape[-1])
    old_mean, old_variance = normal(shape[-1]), normal(shape[-1]).detach().square()
    axes = tuple(range(len(shape) - 1))
    channels_second = x if x.ndim == 2 else nchw(x)
    y = F.batch_norm(channels_second, None, None, gamma, beta, training=True, eps=1e-3)
    running = {
        "running_mean": old_mean,
        "running_variance": old_variance,
        "new_running_mean": 0.99 * old_mean + 0.01 * x.mean(axes),
        "new_running_variance": 0.99 * old_variance + 0.01 * x.var(axes, correction=0),
    }
    record_gradients(case, {"epsilon": 1e-3, "momentum": 0.99}, y if x.ndim == 2 else nhwc(y), x=x, gamma=gamma, beta=beta)
    record(case, cases[case], **running)


def softmax_cross_entropy(case, rows, classes, scale, smoothing, weight):
    x = normal(rows, classes, scale=scale)
    labels = torch.from_numpy(random.integers(0, classes, rows))
    row_losses = F.cross_entropy(x, labels, reduction="none", label_smoothing=smoothing)
    loss = (weight[labels] * row_losses).mean()
    loss.backward()
    target = F.one_hot(labels, classes)
    record(case, {"label_smoothing": smoothing}, x=x, target=target, class_weight=weight, row_loss=row_losses, loss=loss, dx=x.grad)


def activation(case, parameters, call, x, **inputs):
    record_gradients(case, parameters, call(x, *inputs.values()), x=x, **inputs)


START = normal(9).detach()
# The eighth gradient is small enough for the place of epsilon to matter, the ninth is zero.
GRADIENTS = normal(3, 9).detach() * torch.tensor([1, 1, 1, 1, 1, 1, 100, 1e-7, 0])
GRADIENTS = GRADIENTS.float().double()


def torch_optimizer(case, make, parameters):
    p = START.clone().requires_grad_()
    optimizer = make([p], **parameters)
    y = []
    for gradient in GRADIENTS:
        p.grad = gradient.clone()
        optimizer.step()
        y.append(p.detach().clone())
    record(case, parameters, x=START, gradient=GRADIENTS, y=torch.stack(y))


def keras_adam(case, parameters):
    lr, (beta1, beta2), eps = parameters["lr"], parameters["betas"], parameters["eps"]
    p, m, v, y = START.clone(), torch.zeros(9, dtype=torch.float64), torch.zeros(9, dtype=torch.float64), []
    for t, gradient in enumerate(GRADIENTS, start=1):
        m, v = beta1 * m + (1 - beta1) * gradient, beta2 * v + (1 - beta2) * gradient**2
        p = p - lr * parameters.get("weight_decay", 0.0) * p
        p = p - lr * (1 - beta2**t) ** 0.5 / (1 - beta1**t) * m / (v.sqrt() + eps)
        y.append(p)
    record(case, parameters, x=START, gradient=GRADIENTS, y=torch.stack(y))


def main():
    conv2d("conv2d_stride", (2, 8, 7, 3), (3, 3, 3, 5), stride=(2, 1))
    conv2d("conv2d_dilation", (2, 7, 6, 3), (3, 2, 3, 4), dilation=(2, 1), padding="same")
    conv2d("conv2d_same_even_kernel", (2, 9, 11, 3), (4, 2, 3, 5), stride=(2, 2), padding="same")
    conv2d("conv2d_same_even_size", (1, 8, 10, 2), (3, 3, 2, 6), stride=(2, 2), padding="same")

    pool2d("max_pool2d_padded", F.max_pool2d, halves(2, 7, 8, 4), (3, 3), (2, 2), (1, 1), ceil=True)
    pool2d("max_pool2d_ceil", F.max_pool2d, halves(2, 5, 7, 3), (2, 2), (2, 2), ceil=True)
    pool2d("max_pool2d_pairs", F.max_pool2d, normal(2, 7, 6, 3), (3, 2), (2, 1), (1, 0))
    valid = {"count_include_pad": False}
    pool2d("avg_pool2d_padded", F.avg_pool2d, normal(2, 7, 8, 4), (3, 3), (2, 2), (1, 1), ceil=True, **valid)
    pool2d("avg_pool2d_ceil", F.avg_pool2d, normal(2, 5, 7, 3), (2, 2), (2, 2), ceil=True, **valid)
    pool2d("avg_pool2d_pairs", F.avg_pool2d, normal(2, 7, 6, 3), (3, 2), (2, 1), (1, 0), **valid)

    batch_norm("batch_norm_rank2", 6, 5)
    batch_norm("batch_norm_rank4", 3, 4, 5, 6)

    even = torch.ones(5, dtype=torch.float64)
    uneven = torch.tensor([0.5, 1.0, 2.0, 0.25, 1.5], dtype=torch.float64)
    softmax_cross_entropy("softmax_cross_entropy_plain", 7, 5, 2.0, 0.0, even)
    softmax_cross_entropy("softmax_cross_entropy_weighted", 7, 5, 2.0, 0.1, uneven)
    softmax_cross_entropy("softmax_cross_entropy_large_logits", 7, 5, 100.0, 0.1, uneven)

    activation("leaky_relu", {"slope": 0.3}, lambda x: F.leaky_relu(x, 0.3), normal(4, 6))
    activation("prelu", {}, lambda x, alpha: nhwc(F.prelu(nchw(x), alpha)), normal(2, 3, 4, 5), alpha=normal(5))
    activation("sigmoid", {}, torch.sigmoid, normal(4, 6, scale=10.0))
    activation("tanh", {}, torch.tanh, normal(4, 6, scale=5.0))
    activation("softmax", {"axis": -1}, lambda x: F.softmax(x, -1), normal(4, 6, scale=10.0))

    adam = {"lr": 0.01, "betas": (0.9, 0.999), "eps": 1e-7}
    decay = {"weight_decay": 0.1}
    torch_optimizer("adam_torch", torch.optim.Adam, adam)
    keras_adam("adam_keras", adam)
    torch_optimizer("adamw_torch", torch.optim.AdamW, adam | decay)
    keras_adam("adamw_keras", adam | decay)
    torch_optimizer("sgd_momentum", torch.optim.SGD, {"lr": 0.01, "momentum": 0.9, "nesterov": False})
    torch_optimizer("sgd_nesterov", torch.optim.SGD, {"lr": 0.01, "momentum": 0.9, "nesterov": True})

    depthwise_conv2d("depthwise_conv2d_stride", (2, 7, 8, 5), (3, 2), stride=(1, 2))
    depthwise_conv2d("depthwise_conv2d_same_even_size", (2, 6, 8, 4), (3, 3), stride=(2, 2), padding="same")

    path = Path(__file__).with_name("operators.safetensors")
    metadata = {"torch": torch.__version__, "cases": cases}
    save_file(tensors, path, {"lookalike": json.dumps(metadata, sort_keys=True)})
    print(f"{path.name}: {len(cases)} cases, {len(tensors)} tensors, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
