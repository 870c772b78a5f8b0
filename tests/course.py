"""What the course prints: the oracle of every test that speaks of its numbers."""

from __future__ import annotations

LEARNING_RATES = """\
Learning rate 1e+00 | a:     nan, b:     nan, c:     nan, loss:       nan
Learning rate 1e-01 | a:  1.8195, b: -3.0786, c:  2.2214, loss:    0.0503
Learning rate 1e-02 | a:  1.4430, b: -2.0325, c:  1.7196, loss:    0.0730
Learning rate 1e-03 | a:  0.7073, b:  0.0478, c:  0.7156, loss:    0.2522"""

ITERATIONS = {
    0.1: """\
Iterations  100         | a:  0.8828, b: -0.4756, c:  0.9729, loss:    0.1912
Iterations 2000         | a:  1.8166, b: -3.0707, c:  2.2175, loss:    0.0503
Iterations 4000         | a:  1.8195, b: -3.0786, c:  2.2214, loss:    0.0503
Iterations 6000         | a:  1.8195, b: -3.0786, c:  2.2214, loss:    0.0503
Iterations 8000         | a:  1.8195, b: -3.0786, c:  2.2214, loss:    0.0503""",
    0.01: """\
Iterations  100         | a:  0.7115, b:  0.3569, c:  0.5112, loss:    0.3005
Iterations 2000         | a:  1.1279, b: -1.1572, c:  1.2998, loss:    0.1267
Iterations 4000         | a:  1.4430, b: -2.0325, c:  1.7196, loss:    0.0730
Iterations 6000         | a:  1.6145, b: -2.5091, c:  1.9482, loss:    0.0570
Iterations 8000         | a:  1.7079, b: -2.7686, c:  2.0727, loss:    0.0523""",
}

CLOSED_FORM = "Closed-form solution    | a:  1.8195, b: -3.0787, c:  2.2214, loss:    0.0503"

UNCLEARED = """\
   1 |   1.562500 |   0.5000 |   0.5000 |  -3.7500 |  -2.5000
   2 |   0.191406 |   0.8750 |   0.7500 |  -5.0625 |  -3.3750
   3 |   0.434776 |   1.3813 |   1.0875 |  -3.0844 |  -2.0562
   4 |   1.762671 |   1.6897 |   1.2931 |   0.8986 |   0.5991
   5 |   1.283600 |   1.5998 |   1.2332 |   4.2975 |   2.8650
   6 |   0.040740 |   1.1701 |   0.9467 |   4.9030 |   3.2687
   7 |   0.740418 |   0.6798 |   0.6199 |   2.3216 |   1.5477
   8 |   1.859085 |   0.4476 |   0.4651 |  -1.7689 |  -1.1793
   9 |   0.960844 |   0.6245 |   0.5830 |  -4.7096 |  -3.1397
  10 |   0.001614 |   1.0955 |   0.8970 |  -4.5890 |  -3.0593"""

CLEARED = """\
   1 |   1.562500 |   0.5000 |   0.5000 |  -3.7500 |  -2.5000
   2 |   0.191406 |   0.8750 |   0.7500 |  -1.3125 |  -0.8750
   3 |   0.023447 |   1.0063 |   0.8375 |  -0.4594 |  -0.3062
   4 |   0.002872 |   1.0522 |   0.8681 |  -0.1608 |  -0.1072
   5 |   0.000352 |   1.0683 |   0.8788 |  -0.0563 |  -0.0375
   6 |   0.000043 |   1.0739 |   0.8826 |  -0.0197 |  -0.0131
   7 |   0.000005 |   1.0759 |   0.8839 |  -0.0069 |  -0.0046
   8 |   0.000001 |   1.0766 |   0.8844 |  -0.0024 |  -0.0016
   9 |   0.000000 |   1.0768 |   0.8845 |  -0.0008 |  -0.0006
  10 |   0.000000 |   1.0769 |   0.8846 |  -0.0003 |  -0.0002"""

HIMMELBLAU = {
    ((1.0, 1.0), None): """\
Step  100 | u = 2.8298, v = 2.0261, loss = 0.938195
Step  200 | u = 2.9880, v = 2.0220, loss = 0.008313
Step  300 | u = 2.9974, v = 2.0062, loss = 0.000588
Final: u = 2.9974, v = 2.0061, final loss = 0.000588""",
    ((-1.0, -1.0), None): """\
Step  100 | u = -3.1413, v = -2.1422, loss = 41.550198
Step  200 | u = -3.7448, v = -3.2243, loss = 0.161758
Step  300 | u = -3.7783, v = -3.2816, loss = 0.000130
Final: u = -3.7783, v = -3.2816, final loss = 0.000130""",
    ((-1.0, 1.0), 1e-4): """\
Step  100 | u = -2.4022, v = 2.9422, loss = 5.786583
Step  200 | u = -2.7859, v = 3.1270, loss = 0.012538
Stopping early at step 233: loss change = 0.000098 < loss_tol = 0.0001
Final: u = -2.7986, v = 3.1301, final loss = 0.001436""",
}

EXERCISE_1 = f"""\
Changing the learning rate (fixed num_iterations = 4000):
{LEARNING_RATES}

Changing the number of iterations (fixed learning_rate = 1e-1):
{ITERATIONS[0.1]}

Changing the number of iterations (fixed learning_rate = 1e-2):
{ITERATIONS[0.01]}

{CLOSED_FORM}"""

_HEAD = """\
Target function: loss = (a * x + b - y)**2 with x = 1.5, y = 2.5
Step |       Loss |        a |        b |   grad_a |   grad_b
------------------------------------------------------------"""

EXERCISE_2 = f"""\
Without gradient clearing:
{_HEAD}
{UNCLEARED}

With gradient clearing:
{_HEAD}
{CLEARED}"""

EXERCISE_3 = f"""\
Initialized at: u = 1.0, v = 1.0, learning rate = 0.0005
{HIMMELBLAU[(1.0, 1.0), None]}"""

EXERCISE_3_SECOND = f"""\
Initialized at: u = -1.0, v = -1.0, learning rate = 0.0005
{HIMMELBLAU[(-1.0, -1.0), None]}"""

EXERCISE_3_EARLY = f"""\
Initialized at: u = -1.0, v = 1.0, learning rate = 0.0005, loss_tol = 0.0001
{HIMMELBLAU[(-1.0, 1.0), 1e-4]}"""

EXERCISE_3_ALL = f"{EXERCISE_3}\n{EXERCISE_3_SECOND}\n{EXERCISE_3_EARLY}"

WORKED_EXAMPLES = {
    "by hand": """\
Iteration 1000 | Loss: 0.2023
Iteration 2000 | Loss: 0.1331
Iteration 3000 | Loss: 0.0954
Iteration 4000 | Loss: 0.0749
Learned parameters: a = 1.4275, b = -1.9894, c = 1.6990""",
    "by autograd": """\
Iteration 1000 | Loss: 0.1905
Iteration 2000 | Loss: 0.1267
Iteration 3000 | Loss: 0.0919
Iteration 4000 | Loss: 0.0730
Learned parameters: a = 1.4430, b = -2.0325, c = 1.7196""",
}
"""What the unit's two worked examples print: initial values by one call after seed 0, by three
after seed 1."""

CLOSED_FORM_EXAMPLE = """\
  a = 1.4275, b = -1.9894, c = 1.6990
  Loss: 0.0749
  a = 1.8195, b = -3.0787, c = 2.2214
  Loss: 0.0503"""
"""The numbers that the unit prints of descent by hand, and of the closed form."""

TOY_NEURON = """\
z: tensor([[6.]], grad_fn=<AddBackward0>)
loss: 9.0
w.grad: tensor([[12.],
        [18.]])
b.grad: tensor([[6.]])"""

TRACKING = """\
z: 14.0, requires_grad: True
gradient: tensor([2., 4., 6.])
z: 14.0, requires_grad: False
z: 14.0, requires_grad: False"""
