"""What an autograd explorer says: short values, the status sentence, details, tables."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

import torch
from torch import Tensor

from gdwidgets.core.autograd.nodes import AutogradGraph, Local, Node, Step, Untracked
from gdwidgets.core.autograd.trace import word
from gdwidgets.core.scripts.graph import call_text

MOST_SHOWN = 4
"""Rows and columns of a tensor that are written out."""

SIGNS = {
    "add": "+",
    "sub": "−",
    "rsub": "−",
    "mul": "×",
    "div": "÷",
    "truediv": "÷",
    "rtruediv": "÷",
    "matmul": "@",
    "dot": "·",
    "mm": "@",
    "pow": "^",
    "square": "^2",
    "neg": "−",
    "sum": "Σ",
    "sigmoid": "σ",
    "getitem": "[ ]",
    "sqrt": "√",
}
"""Signs of operations in the picture; others show their name."""

STYLE = """<style>
.gdw-node { font-size: 13px; line-height: 18px; color: var(--jp-content-font-color1, #222); }
.gdw-node b { font-family: var(--jp-code-font-family, monospace); overflow-wrap: anywhere; }
.gdw-node table { border-collapse: collapse; margin: 4px 0; }
.gdw-node th { text-align: left; font-weight: 400; padding: 0 10px 0 0; vertical-align: top;
  white-space: nowrap; color: var(--jp-content-font-color2, #555); }
.gdw-node td { font-family: var(--jp-code-font-family, monospace); white-space: pre-wrap;
  overflow-wrap: anywhere; }
.gdw-node p { margin: 2px 0; line-height: 17px; }
.gdw-fading { mask-image: linear-gradient(#000 calc(100% - 20px), transparent); }
.gdw-fading .gdw-node { padding-bottom: 20px; }
.gdw-refused { border-left: 3px solid var(--jp-error-color1, #b00020); padding-left: 8px;
  font-size: 13px; line-height: 17px; margin-bottom: 6px;
  color: var(--jp-content-font-color1, #222); }
</style>"""
"""The look of a node's details."""


def scalar(value: float, digits: int = 4) -> str:
    """One number, short, with the exponent as a person writes it."""
    text = f"{value:.{digits}g}"
    if "e" in text:
        mantissa, exponent = text.split("e")
        text = f"{mantissa}e{int(exponent)}"
    return text.replace("-", "−")


def brief(tensor: Tensor | None, digits: int = 4, most: int = 3) -> str:
    """A tensor in few characters: its number, its numbers, or its shape."""
    if tensor is None:
        return ""
    if tensor.numel() == 1:
        return scalar(float(tensor), digits)
    if tensor.numel() <= most:
        return "[" + ", ".join(scalar(float(v), min(digits, 3)) for v in tensor.flatten()) + "]"
    return str(tuple(tensor.shape))


def said(tensor: Tensor | None) -> str:
    """A tensor in a sentence: up to six numbers with six digits, or its shape."""
    many = tensor is not None and tensor.numel() > 6
    return f"a tensor of shape {brief(tensor)}" if many else brief(tensor, 6, 6)


def written(tensor: Tensor) -> str:
    """A tensor as nested lists, of at most 4 × 4 numbers."""

    def nested(values: Tensor) -> str:
        if values.dim() == 0:
            return scalar(float(values))
        inner = [nested(part) for part in values[:MOST_SHOWN]]
        if len(values) > MOST_SHOWN:
            inner.append("…")
        joint = ",\n " if values.dim() > 1 else ", "
        return "[" + joint.join(part.replace("\n", "\n ") for part in inner) + "]"

    return nested(tensor)


class Words:
    """Says what a graph shows.

    Parameters
    ----------
    graph
        The graph as it is drawn.
    variables
        Names of operations, and of the variables that hold their results.
    """

    def __init__(self, graph: AutogradGraph, variables: Mapping[str, str]) -> None:
        self.graph = graph
        self._variables = variables

    def name(self, node: str) -> str:
        """What a node's tensor is called."""
        return self._variables.get(node, node)

    def equation(self, node: Node) -> str:
        """``z = matmul + b``, or the bare name of a tensor."""
        if node.kind != "operation":
            return self.name(node.name)
        call = call_text(node, self.name)
        if len(call) > 60:
            call = f"{word(node.call[0]) if node.call else node.name}(…)"
        end = ".detach()" if node.detached else ""
        return f"{self.name(node.name)} = {f'({call})' if end else call}{end}"

    def sign(self, node: Node) -> str:
        """What stands inside a node in the picture."""
        if node.kind in {"leaf", "constant"}:
            return node.name if node.kind == "leaf" else "const"
        if node.kind == "group":
            return "…"
        if node.call is None:
            return node.name.split(" ")[0][:7]
        base = word(node.call[0])
        numbers = [v for v in node.call[1] if isinstance(v, (int, float))]
        sign = SIGNS.get(base, base[:7])
        if len(numbers) == 1 and base in {"add", "sub", "mul", "div", "truediv", "pow"}:
            return f"{sign}{scalar(float(numbers[0]), 3)}"
        if len(numbers) == 1 and base in {"rsub", "rtruediv"}:
            return f"{scalar(float(numbers[0]), 3)}{sign}"
        return sign

    # -- the status sentence -----------------------------------------------------------------

    def sentence(self, k: int) -> str:
        """Say in words what step ``k`` did."""
        if k == 0:
            count = sum(node.members or 1 for node in self.graph.nodes.values())
            collapsed = (
                f" The graph has {count} nodes, more than 200: the middle is drawn as one node."
                if count > 200
                else ""
            )
            return (
                "Press play or step: values fill in from left to right, then gradients come back. "
                f"Click a node for its details.{collapsed}"
            )
        step = self.graph.steps[k - 1]
        node = self.graph.nodes[step.node]
        if step.phase == "forward":
            return self._forward(node, k)
        if step.phase == "refused":
            refusal = self.graph.refusal
            if refusal is None:
                return ""
            first = refusal.words.split(". ")[0]
            operation = refusal.operation.replace("the second", "The second")
            return f"{operation} is refused. PyTorch: “{first}” {refusal.meaning}"
        return self._backward(step, node)

    def _forward(self, node: Node, k: int) -> str:
        where = f"Forward {k} of {self.graph.forward_steps}:"
        if node.kind == "group":
            return f"{where} {node.members} operations, drawn as one."
        value = said(node.value)
        what = f"{where} {self.equation(node)} = {value}."
        if node.grad_fn is not None:
            return f"{what} It remembers how it was made: grad_fn is {node.grad_fn}."
        if node.untracked is Untracked.DETACHED:
            return (
                f"{what} detach() keeps the value and drops the graph: no gradient comes past here."
            )
        reason = "" if node.untracked is None else f", because {node.untracked.value}"
        return f"{what} There is no grad_fn{reason}."

    def _backward(self, step: Step, node: Node) -> str:
        output = self.name(self.graph.output)
        again = "Second backward" if step.call == 2 else "Backward"
        arrived = said(step.grad_output)
        name = self.name(node.name)
        if node.kind == "group":
            return f"{again}: the gradient passes through {node.members} nodes, drawn as one."
        if step.grad is not None:
            total = f"{name}.grad = {said(step.grad)}"
            ways = [s for s in self.graph.steps if s.call == step.call]
            parts = [said(g) for s in ways for to, g in s.grad_inputs if to == node.name]
            summed = f", the sum of {' and '.join(parts)}" if 1 < len(parts) <= 4 else ""
            added = f", added to what was there: now {total}" if step.call == 2 else ""
            if added:
                return f"{again}: {name} gets {arrived}{summed}{added}."
            return f"{again}: the gradient has arrived at a leaf: {total}{summed}."
        begin = (
            f"{again}: it starts with ∂{output}/∂{output} = 1 at {name}."
            if node.name == self.graph.output
            else f"{again}: ∂{output}/∂{name} = {arrived} arrives at {name}."
        )
        passed = "; ".join(self._product(step, node))
        return f"{begin} {node.grad_fn} passes on {passed}." if passed else begin

    def _product(self, step: Step, node: Node) -> list[str]:
        """What a node passes on: ``incoming × local derivative = product to input``."""
        local = list(node.local)
        parts = []
        for index, (to, gradient) in enumerate(step.grad_inputs):
            known = local[index][1] if index < len(local) else None
            product = said(gradient)
            target = self.name(to)
            if known is None or known.kind == "matrix" or step.grad_output is None:
                parts.append(f"{product} to {target}")
            else:
                times = f"{said(step.grad_output)} × {said(known.value)}"
                parts.append(f"{times} = {product} to {target}")
        return parts

    def refused(self) -> str:
        """What was refused, in all of PyTorch's words, as HTML."""
        refusal = self.graph.refusal
        if refusal is None:
            return ""
        operation = escape(refusal.operation)
        return (
            f"<div class=gdw-refused><b>{operation}</b><br>"
            f"RuntimeError: {escape(refusal.words)}</div>"
        )

    # -- the details of a node ---------------------------------------------------------------

    def details(self, name: str, k: int) -> str:
        """A node's details as HTML, as far as they are known with the cursor at ``k``."""
        node = self.graph.nodes[name]
        seen = self.graph.steps[:k]
        computed = node.kind != "operation" or any(
            s.node == name and s.phase == "forward" for s in seen
        )
        rows = [("tensor", self._value(node, computed=computed))]
        if node.shape is not None:
            kind = "" if node.value is None else str(node.value.dtype).split(".")[-1]
            rows.append(("shape", f"{tuple(node.shape)}  {kind}"))
        if node.kind != "group":
            rows += [("is_leaf", str(node.is_leaf)), ("requires_grad", str(node.requires_grad))]
            rows.append(("grad_fn", str(node.grad_fn)))
        backward = [s for s in seen if s.node == name and s.phase == "backward"]
        if backward and backward[-1].grad_output is not None and node.kind not in {"leaf", "group"}:
            rows.append(("incoming", written(backward[-1].grad_output)))
        if node.kind in {"leaf", "constant"}:
            grads = [s.grad for s in backward if s.grad is not None]
            rows.append((".grad", written(grads[-1]) if grads else "None"))
        rows += self._passed(node, backward[-1] if backward else None)
        table = "".join(
            f"<tr><th>{escape(head)}</th><td>{escape(cell)}</td></tr>" for head, cell in rows
        )
        return (
            f"<div class=gdw-node><b>{escape(self.equation(node))}</b><table>{table}</table>"
            f"{self._notes(node)}</div>"
        )

    def _value(self, node: Node, *, computed: bool) -> str:
        if not computed:
            return "not computed yet"
        if node.value is None:
            return "inside a composite operation" if node.kind == "inner" else "several"
        return written(node.value)

    def _passed(self, node: Node, step: Step | None) -> list[tuple[str, str]]:
        rows = []
        for index, (to, local) in enumerate(node.local):
            head = f"∂/∂{self.name(to)}"
            rows.append((head, _local_text(local)))
            if step is not None and index < len(step.grad_inputs):
                rows.append((f"to {self.name(to)}", written(step.grad_inputs[index][1])))
        return rows[:8]

    def _notes(self, node: Node) -> str:
        notes = []
        if node.grad_fn is not None:
            said = "; ".join(dict.fromkeys(note.sentence(self.name) for note in node.notes))
            notes.append(f"{node.grad_fn}: {said or 'no input gets a gradient'}.")
        if node.grad_words:
            first = node.grad_words.split(". ")[0]
            notes.append(f"Only leaves keep .grad: read here it is None. PyTorch: “{first}. …”")
        return "".join(
            f"<p title='{escape(node.grad_words, quote=True)}'>{escape(n)}</p>" for n in notes
        )


def _local_text(local: Local | None) -> str:
    if local is None:
        return "a large matrix"
    text = written(local.value)
    return f"{text} (matrix)" if local.kind == "matrix" else text


def size(tensor: Tensor | None) -> float:
    """The length of a gradient."""
    return 0.0 if tensor is None else float(torch.linalg.vector_norm(tensor.double()))
