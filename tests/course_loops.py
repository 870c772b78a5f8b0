"""The loops of the course's exercises, written out: the oracle of the tables, scripts and `pcpt`.

Each prints nothing and returns its lines and the numbers it holds. They are plain torch loops over
tensors without dimensions, as the unit's worked examples are, and know nothing of this package.
"""

from __future__ import annotations

import torch


def number(value):
    return torch.tensor(value, dtype=torch.float32, requires_grad=True)


def training_pairs(num=100):
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(num, generator=generator) * 2
    noise = torch.randn(num, generator=generator)
    return x, x + 2 * (x - 0.9) ** 2 + 0.3 * torch.cos(20 * x) + 0.1 * noise


def three_draws():
    generator = torch.Generator().manual_seed(1)
    return [torch.randn((), generator=generator).item() for _ in range(3)]


def regression(x, y, start, learning_rate, num_iterations):
    """Exercise 1: coefficients after the last update, the last loss computed, all losses."""
    coefficients = [number(value) for value in start]
    losses = []
    for _ in range(num_iterations):
        y_pred = coefficients[0]
        for power, coefficient in enumerate(coefficients[1:], start=1):
            y_pred = y_pred + coefficient * (x if power == 1 else x**power)
        loss = (y_pred - y).pow(2).mean()
        losses.append(loss.item())
        loss.backward()
        with torch.no_grad():
            for coefficient in coefficients:
                coefficient.sub_(learning_rate * coefficient.grad)
                coefficient.grad = None
    return [c.item() for c in coefficients], losses


def by_hand(x, y, start, learning_rate, num_iterations):
    """The first worked example: as `regression` of degree 2, with gradients from the formula."""
    a, b, c = (torch.tensor(value, dtype=torch.float32) for value in start)
    losses = []
    for _ in range(num_iterations):
        error = a + b * x + c * x**2 - y
        losses.append(torch.square(error).mean().item())
        slope = 2.0 * error
        grads = slope.mean(), (slope * x).mean(), (slope * x**2).mean()
        a, b, c = (p - learning_rate * grad for p, grad in zip((a, b, c), grads, strict=True))
    return [a.item(), b.item(), c.item()], losses


def regression_row(coefficients, loss):
    cells = ", ".join(
        f"{name}: {value:7.4f}" for name, value in zip("abc", coefficients, strict=True)
    )
    return f"{cells}, loss: {loss:9.4f}"


def accumulation(x, y, start, learning_rate, steps, *, clear_every):
    """Exercise 2: the rows of its table, and the values before each update."""
    a, b = (number(value) for value in start)
    rows, values = [], []
    for step in range(1, steps + 1):
        loss = (a * x + b - y) ** 2
        loss.backward()
        numbers = [a.item(), b.item(), a.grad.item(), b.grad.item()]
        cells = [f"{step:4d}", f"{loss.item():10.6f}", *(f"{n:8.4f}" for n in numbers)]
        rows.append(" | ".join(cells))
        values.append((a.item(), b.item(), loss.item()))
        with torch.no_grad():
            a -= learning_rate * a.grad
            b -= learning_rate * b.grad
        if clear_every is not None and step % clear_every == 0:
            a.grad = None
            b.grad = None
    return rows, values


def himmelblau(u, v):
    return (u**2 + v - 11) ** 2 + (u + v**2 - 7) ** 2


def landscape(function, start, learning_rate, num_steps, loss_tol):
    """Exercise 3: what it prints on the way, the last point, and all losses and points."""
    u, v = (number(value) for value in start)
    lines, losses, points = [], [], []
    for step in range(1, num_steps + 1):
        loss = function(u, v)
        losses.append(loss.item())
        points.append((u.item(), v.item()))
        if step % 100 == 0 or step == num_steps:
            u_v = f"u = {u.item():.4f}, v = {v.item():.4f}"
            lines.append(f"Step {step:4d} | {u_v}, loss = {loss.item():.6f}")
        loss.backward()
        if loss_tol is not None and step > 1:
            change = abs(losses[-1] - losses[-2])
            if change < loss_tol:
                lines.append(
                    f"Stopping early at step {step}: loss change = {change:.6f} "
                    f"< loss_tol = {loss_tol}"
                )
                break
        with torch.no_grad():
            u -= learning_rate * u.grad
            v -= learning_rate * v.grad
        u.grad = None
        v.grad = None
    return lines, (u.item(), v.item()), losses, points


def final(point, losses):
    return f"Final: u = {point[0]:.4f}, v = {point[1]:.4f}, final loss = {losses[-1]:.6f}"
