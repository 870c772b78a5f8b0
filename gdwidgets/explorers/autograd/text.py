"""What an autograd explorer says of a recorded graph: names, sentences, a node's details."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import torch
from torch import Tensor

from gdwidgets.core.autograd.finite_differences import Difference
from gdwidgets.core.autograd.nodes import AutogradGraph, Local, Node, Step, Untracked
from gdwidgets.core.autograd.trace import word
from gdwidgets.core.scripts.graph import call_text
from gdwidgets.explorers.autograd.numbers import brief, plainly, said, shape
from gdwidgets.ui.text import MINUS, code, counted, listed, number, superscript

SYMBOLS = {
    "add": "+",
    "sub": MINUS,
    "rsub": MINUS,
    "mul": "×",
    "div": "÷",
    "truediv": "÷",
    "rtruediv": "÷",
    "matmul": "@",
    "dot": "·",
    "mm": "@",
    "square": "x²",
    "neg": MINUS,
    "sum": "Σ",
    "sigmoid": "σ",
    "getitem": "[ ]",
    "select": "[i]",
    "sqrt": "√",
}
"""Signs of operations in the picture; others show their name."""

PANEL_STYLE = """
.gdw-panel { border-right: 1px solid var(--jp-border-color2, #e0e0e0); padding-right: 8px; }
@container (max-width: 54.3em) {
  .gdw-autograd .gdw-panel { flex: 1 1 100% !important; width: 100% !important; border: none;
    height: calc(328px * var(--gdw-size)) !important; } }
/* Above the graph, code and details stand beside each other. */
@container (min-width: 34.01em) and (max-width: 54.3em) {
  .gdw-autograd .gdw-panel { height: calc(216px * var(--gdw-size)) !important; }
  .gdw-panel .widget-html-content { display: grid; gap: 0 16px; align-content: start;
    grid-template: auto 1fr / 1fr 1fr; }
  .gdw-panel .gdw-lines { grid-area: 1 / 1; border: none; }
  .gdw-panel .gdw-refused { grid-area: 2 / 1; align-self: start; }
  .gdw-panel .gdw-node { grid-area: 1 / 2 / 3; } }
.gdw-lines { font-family: var(--jp-code-font-family, monospace); white-space: pre-wrap;
  font-size: calc(13px * var(--gdw-size)); line-height: calc(22px * var(--gdw-size));
  color: var(--gdw-ink); border-bottom: 1px solid var(--jp-border-color2, #e0e0e0);
  padding-bottom: 8px; margin-bottom: 8px; overflow: hidden; }
.gdw-lines div { padding-left: calc(8px + 4ch); text-indent: -4ch; overflow-wrap: anywhere;
  border-left: 4px solid transparent; }
.gdw-lines span { white-space: nowrap; }
.gdw-lines .gdw-now { background: var(--gdw-blue-pale); border-left-color: var(--gdw-blue); }
.gdw-node { font-size: calc(14px * var(--gdw-size)); line-height: calc(20px * var(--gdw-size));
  color: var(--gdw-ink); overflow-wrap: anywhere; }
.gdw-node table { border-collapse: collapse; width: 100%; margin: 4px 0; }
.gdw-node th { text-align: left; font-weight: 400; padding: 2px 8px 2px 0; vertical-align: top;
  white-space: nowrap; color: var(--gdw-quiet); width: 1%;
  font-size: calc(13px * var(--gdw-size)); line-height: calc(20px * var(--gdw-size)); }
.gdw-node td { padding: 2px 0; white-space: pre-wrap; vertical-align: top;
  font-variant-numeric: tabular-nums; line-height: calc(20px * var(--gdw-size)); }
.gdw-node .gdw-matrix { white-space: pre; overflow: hidden; padding-bottom: 4px;
  font-size: calc(13px * var(--gdw-size)); }
.gdw-node i, .gdw-refused i { font-style: normal; color: var(--gdw-quiet);
  font-size: calc(13px * var(--gdw-size)); }
.gdw-node p { margin: 0; color: var(--gdw-quiet); font-size: calc(13px * var(--gdw-size)); }
.gdw-refused { font-size: calc(13px * var(--gdw-size)); line-height: calc(18px * var(--gdw-size));
  border-left: 4px solid #d55e00; padding-left: 8px; margin-bottom: 8px; color: var(--gdw-ink); }
.gdw-refused p { margin: 0; }
"""

LONGEST = 6
"""Characters of an operation's name in its circle."""

MOST_WRITTEN = 4
"""Numbers of a gradient that are written out on a line."""

WIDE = 22
"""Characters of a matrix's row that have room beside the name of what it is."""

MOST_TOLD = 30
"""Nodes that are told of in words."""

MOST_WAYS = 4
"""Gradients that meet at a node and are named one by one."""


def product(local: Local | None, grad_output: torch.Tensor | None, found: torch.Tensor) -> str:
    """``local × incoming = product``, or the product alone where that is not what happened.

    Parameters
    ----------
    local
        The local derivative, where it is known as numbers.
    grad_output
        The gradient that came in.
    found
        What the node passed on.
    """
    if found.numel() > MOST_WRITTEN:
        return f"a gradient ({shape(found)})"
    if local is None or local.kind == "matrix" or grad_output is None:
        return brief(found, 4, MOST_WRITTEN)
    times = (local.value * grad_output).reshape(-1)
    if times.numel() != found.numel() or not torch.allclose(
        times, found.reshape(-1), rtol=1e-5, equal_nan=True
    ):
        return brief(found, 4, MOST_WRITTEN)
    parts = (brief(tensor, 4, MOST_WRITTEN) for tensor in (local.value, grad_output, found))
    return "{} × {} = {}".format(*parts)


class Words:
    """Says what a graph shows.

    Parameters
    ----------
    graph
        The graph as it is drawn.
    variables
        Names of operations, and of the variables that hold their results.
    total
        How many nodes there are, where some are drawn as one.
    """

    def __init__(
        self, graph: AutogradGraph, variables: Mapping[str, str], total: int | None = None
    ) -> None:
        self.graph = graph
        self._variables = variables
        self._total = len(graph.nodes) if total is None else total

    def name(self, node: str) -> str:
        """What a node's tensor is called, as it can be written in code: ``pow_2`` for a second."""
        return self._variables.get(node, node.replace(" ", "_"))

    def called(self, node: str) -> str:
        """What a node is called in a list: its name, and the variable that holds its result."""
        variable, own = self.name(node), node.replace(" ", "_")
        return own if variable == own else f"{own} ({variable})"

    def summary(self, k: int) -> str:
        """The picture in words, for who cannot see it: nodes, values, and gradients so far."""
        seen = self.graph.steps[:k]
        computed = {step.node for step in seen if step.phase == "forward"}
        arrived = {s.node: s.grad if s.grad is not None else s.grad_output for s in seen if s.call}
        parts = []
        for name, node in list(self.graph.nodes.items())[:MOST_TOLD]:
            part = self.called(name)
            if node.kind != "operation" or name in computed:
                part += f" = {brief(node.value, 4, 4) or 'several'}"
            if arrived.get(name) is not None:
                part += f", gradient {brief(arrived[name], 4, 4)}"
            parts.append(part)
        more = len(self.graph.nodes) - len(parts)
        rest = f"; and {more} more" if more else ""
        return f"Graph of {counted(self._total, 'node')}: {'; '.join(parts)}{rest}."

    def equation(self, node: Node) -> str:
        """``z = matmul + b``, or the bare name of a tensor."""
        if node.kind != "operation":
            return self.name(node.name)
        call = call_text(node, self.name)
        if len(call) > 60:
            call = f"{word(node.call[0]) if node.call else node.name}(…)"
        end = ".detach()" if node.detached else ""
        return f"{self.name(node.name)} = {f'({call})' if end else call}{end}"

    def line(self, name: str) -> str:
        """What a node computes, as a line of code."""
        return self.equation(self.graph.nodes[name])

    def symbol(self, node: Node) -> str:
        """What stands inside a node in the picture."""
        if node.kind in {"leaf", "constant"}:
            return node.name if node.kind == "leaf" else "const"
        if node.kind == "group":
            return "…"
        if node.call is None:
            return SYMBOLS.get(base := node.name.split(" ")[0], _cut(base))
        base = word(node.call[0])
        numbers = [float(v) for v in node.call[1] if isinstance(v, (int, float))]
        return (
            _with_number(base, numbers[0]) if len(numbers) == 1 else SYMBOLS.get(base, _cut(base))
        )

    # -- the sentence ------------------------------------------------------------------------

    @property
    def counts(self) -> str:
        """How many steps go forward and how many back."""
        backward = sum(step.phase == "backward" for step in self.graph.steps)
        end = "" if self.graph.refusal is None else " · refused"
        return f"forward {self.graph.forward_steps} · backward {backward}{end}"

    def sentence(self, k: int) -> str:
        """Say in words what step ``k`` did; what is to be read first stands between ``**``."""
        if k == 0:
            return self._start()
        step = self.graph.steps[k - 1]
        node = self.graph.nodes[step.node]
        if step.phase == "forward":
            return self._forward(node, k)
        if step.phase == "refused":
            return self._refused()
        return self._backward(step, node, k)

    def _start(self) -> str:
        if self._total > len(self.graph.nodes):
            return (
                f"The graph has {self._total} nodes, more than 200: **the middle is drawn as one "
                "node**. Press Play: values fill in from left to right, then gradients come back."
            )
        done = counted(self.graph.forward_steps, "value")
        verb = "fills" if self.graph.forward_steps == 1 else "fill"
        return (
            f"Press **Play** or step: {done} {verb} in from left to right, then backward() brings "
            "the gradients back. Click a node for its details."
        )

    def _forward(self, node: Node, k: int) -> str:
        where = f"Forward {k} of {self.graph.forward_steps}:"
        if node.kind == "group":
            return f"{where} {node.members} operations, drawn as one."
        name = self.name(node.name)
        what = f"{where} **{code(self.equation(node))} = {said(node.value)}**."
        if node.value is None:
            what = f"{where} **{code(self.equation(node))}**: several tensors."
        if node.grad_fn is not None:
            return f"{what} It keeps how it was made: {name}.grad_fn is {node.grad_fn}."
        if node.untracked is Untracked.DETACHED:
            return f"{what} detach() keeps the value and drops the graph: no gradient passes here."
        reason = "" if node.untracked is None else f", because {node.untracked.value}"
        return f"{what} It has no grad_fn{reason}."

    def _refused(self) -> str:
        refusal = self.graph.refusal
        if refusal is None:
            return ""
        first = refusal.words.split(". ")[0].split(" (or ")[0].rstrip(".")
        return f"PyTorch refuses {refusal.operation}: **“{first}”**. {self._cause()}"

    def _cause(self) -> str:
        """Why PyTorch refuses, in a sentence."""
        refusal, output = self.graph.refusal, self.graph.nodes[self.graph.output]
        if refusal is None:
            return ""
        if output.untracked is not None and "does not require grad" in refusal.words:
            return f"{self.name(output.name)} has no grad_fn: {output.untracked.value}."
        if "second time" in refusal.words:
            return "The first one freed what the operations had saved; retain_graph=True keeps it."
        return refusal.meaning

    def _backward(self, step: Step, node: Node, k: int) -> str:
        walk = [s for s in self.graph.steps if s.phase == "backward" and s.call == step.call]
        nth = sum(s.phase == "backward" and s.call == step.call for s in self.graph.steps[:k])
        again = "Second backward" if step.call > 1 else "Backward"
        where = f"{again} {nth} of {len(walk)}:"
        if node.kind == "group":
            return f"{where} the gradient passes through {node.members} nodes, drawn as one."
        if step.grad is not None:
            return self._leaf(where, step, node)
        output, name = self.name(self.graph.output), self.name(node.name)
        begin = (
            f"{where} it starts with ∂{output}/∂{output} = 1"
            if node.name == self.graph.output
            else f"{where} ∂{output}/∂{name} = {said(step.grad_output)} comes in"
        )
        passed = self.passed(step, node)
        if not passed:
            return f"{begin}."
        if len(passed) > 2:
            targets = listed([self.name(to) for to, _ in passed])
            return f"{begin}; {node.grad_fn} passes gradients on to {targets}."
        parts = " and ".join(f"**{text}** to {self.name(to)}" for to, text in passed)
        rule = "local derivative × incoming" if " × " in parts else "see the details"
        return f"{begin}; {node.grad_fn} passes on {parts} ({rule})."

    def _leaf(self, where: str, step: Step, node: Node) -> str:
        name = self.name(node.name)
        walk = [s for s in self.graph.steps if s.call == step.call]
        ways = [said(g) for s in walk for to, g in s.grad_inputs if to == node.name]
        total = f"**{name}.grad = {said(step.grad)}**"
        many = 1 < len(ways) <= MOST_WAYS
        summed = f", the sum of {' and '.join(ways)}" if many else ""
        if step.call > 1:
            return (
                f"{where} {name} gets {said(step.grad_output)}{summed}, added to what the first "
                f"pass left: {total}. Training loops clear .grad for this reason."
            )
        often = "twice" if len(ways) == 2 else counted(len(ways), "time")
        made = f": {name} is used {often}"
        if len(ways) == 1:
            made = self._sent(step)
        return (
            f"{where} {total}{summed}{made}. A leaf keeps its gradient; "
            "those of operations are not kept."
        )

    def _sent(self, leaf: Step) -> str:
        """Which operation gave a leaf its only gradient, and how it is made."""
        for sender in self.graph.steps:
            for index, (to, _) in enumerate(sender.grad_inputs):
                if sender.call == leaf.call and to == leaf.node:
                    notes = self.graph.nodes[sender.node].notes
                    if index >= len(notes) or notes[index].to != to:
                        return ""
                    named = {role: self.name(of) for role, of in notes[index].names.items()}
                    words = notes[index].passes.format(**named)
                    return f", from {self.name(sender.node)}: {code(words)}"
        return ""

    def passed(self, step: Step, node: Node) -> list[tuple[str, str]]:
        """What a node passes on: names of inputs, and ``local × incoming = product``."""
        found = []
        for index, (to, gradient) in enumerate(step.grad_inputs):
            known = node.local[index][1] if index < len(node.local) else None
            found.append((to, product(known, step.grad_output, gradient)))
        return found

    # -- the details of a node ---------------------------------------------------------------

    def refused(self) -> str:
        """What was refused, and the first sentence of PyTorch's words; all of them at a hover."""
        refusal = self.graph.refusal
        if refusal is None:
            return ""
        first, more, _ = refusal.words.replace(" (or ", ". ").partition(". ")
        return (
            f"<div class=gdw-refused title='{escape(refusal.words, quote=True)}'>"
            f"<b>{escape(refusal.operation)}</b>"
            f"<p>RuntimeError: {escape(first)}{'. …' if more else ''}</p></div>"
        )

    def details(self, name: str, k: int, check: Difference | None = None) -> str:
        """A node's details as HTML, as far as they are known with the cursor at ``k``.

        Parameters
        ----------
        name
            Of the node.
        k
            The cursor.
        check
            The node's gradient by finite differences, where it is known.
        """
        node = self.graph.nodes[name]
        seen = self.graph.steps[:k]
        computed = node.kind != "operation" or any(
            s.node == name and s.phase == "forward" for s in seen
        )
        backward = [s for s in seen if s.node == name and s.phase == "backward"]
        last = backward[-1] if backward else None
        rows = [("value", self._value(node, computed=computed))]
        if node.kind in {"leaf", "constant"}:
            grads = [s.grad for s in backward if s.grad is not None]
            rows.append((".grad", f"<b>{escape(plainly(grads[-1]))}</b>" if grads else "None"))
            if grads and check is not None and check.analytic is not None:
                rows.append(("check", _checked(check, grads)))
        elif node.kind != "group":
            rows += self._made(node)
            if last is not None and last.grad_output is not None:
                rows.append(("grad_output", escape(plainly(last.grad_output))))
        rows += self._passed(node, last)
        table = "".join(_row(head, cell) for head, cell in rows)
        said = self._kind(node)
        return (
            f"<div class=gdw-node><div><b>{escape(self.equation(node))}</b> {escape(said)}</div>"
            f"<table>{table}</table>{self._kept(node)}</div>"
        )

    def _kind(self, node: Node) -> str:
        if node.kind in {"leaf", "constant"}:
            kind = "leaf" if node.kind == "leaf" else "constant"
            return f"{kind}, {'requires_grad' if node.requires_grad else 'no requires_grad'}"
        return f"{node.members} nodes" if node.kind == "group" else ""

    def _value(self, node: Node, *, computed: bool) -> str:
        if not computed:
            return "not computed yet"
        if node.value is None:
            return "inside a composite operation" if node.kind == "inner" else "several tensors"
        kind = str(node.value.dtype).split(".")[-1]
        return f"{escape(plainly(node.value))} <i>{shape(node.value)} {kind}</i>"

    def _made(self, node: Node) -> list[tuple[str, str]]:
        if node.grad_fn is not None:
            return [("grad_fn", escape(node.grad_fn))]
        reason = "" if node.untracked is None else f": {node.untracked.value}"
        return [("grad_fn", f"None<i>{escape(reason)}</i>")]

    def _passed(self, node: Node, step: Step | None) -> list[tuple[str, str]]:
        rows = []
        passed = [] if step is None else self.passed(step, node)
        for index, note in enumerate(node.notes[:4]):
            named = {role: self.name(other) for role, other in note.names.items()}
            words = note.passes.format(**named)
            if index < len(passed):
                rows.append((f"to {self.name(note.to)}", f"<b>{escape(passed[index][1])}</b>"))
                rows.append(("", f"<i>{escape(words)}</i>"))
            else:
                rows.append((f"to {self.name(note.to)}", f"<i>{escape(words)}</i>"))
        return rows

    def _kept(self, node: Node) -> str:
        if not node.grad_words:
            return ""
        return (
            f"<p title='PyTorch: {escape(node.grad_words, quote=True)}'>"
            f"{escape(self.name(node.name))}.grad is None: only leaves keep a gradient.</p>"
        )


def _row(head: str, cell: str) -> str:
    """A row of a node's details; a wide matrix has the table's width, so that no line breaks."""
    if "\n" in cell and len(cell.partition("\n")[0]) > WIDE:
        return (
            f"<tr><th colspan=2>{escape(head)}</th></tr>"
            f"<tr><td colspan=2 class=gdw-matrix>{cell}</td></tr>"
        )
    return f"<tr><th>{escape(head)}</th><td>{cell}</td></tr>"


def _cut(name: str) -> str:
    """An operation's name as far as there is room for it."""
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"


def _with_number(operation: str, operand: float) -> str:
    """The symbol of an operation with a number: ``x³``, ``×2``, ``1−``."""
    symbol = SYMBOLS.get(operation, _cut(operation))
    if operation == "pow":
        whole = operand.is_integer()
        return f"x{superscript(int(operand))}" if whole else f"x^{number(operand, 3)}"
    if operation in {"add", "sub", "mul", "div", "truediv"}:
        return f"{symbol}{number(operand, 3)}"
    return f"{number(operand, 3)}{symbol}" if operation in {"rsub", "rtruediv"} else symbol


def _checked(check: Difference, grads: Sequence[Tensor]) -> str:
    """A leaf's ``.grad`` beside finite differences: every backward call has added them once.

    Parameters
    ----------
    check
        The slopes of one call.
    grads
        What ``.grad`` held after each of the calls.
    """
    numbers = [number(value) for value in check.numeric.tolist()[:4]]
    more = ", …" if len(check.numeric) > 4 or len(check.indices) < check.total else ""
    shown = f"[{', '.join(numbers)}{more}]" if check.total > 1 else numbers[0]
    calls = len(grads)
    held = grads[-1].flatten()[list(check.indices)].double()
    apart = float((held - calls * check.numeric).abs().max())
    agree = apart < 1e-3 * (float((calls * check.numeric).abs().max()) + 1e-30)
    times = f"{calls} × " if calls > 1 else ""
    how = f"by finite differences{f', for {calls} backward calls' if calls > 1 else ''}"
    return f"{times}{escape(shown)} {'✓' if agree else '≠'} <i>{how}</i>"
