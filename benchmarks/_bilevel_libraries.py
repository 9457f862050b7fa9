"""The hypergradients of betty (betty-ml) and TorchOpt, if these are installed.

Neither is a dependency; this brings both beside the environment, with DIR on PYTHONPATH. betty says
that it wants a Python below 3.11, but runs on it.

    pip install --no-deps --ignore-requires-python --target DIR betty-ml torchopt optree graphviz
"""

import warnings
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

Measured = dict[str, Callable[[], object]]
PRODUCTS = 3  # with the Hessian, as our schemes' defaults
RATE = 1e-4  # of the Neumann series, as ours


def libraries(model: Any, combiner: Any, lower: Tensor, upper: Tensor) -> Measured:
    """Hypergradients at one lower and one upper batch, by name of library and scheme."""
    found: Measured = {}
    if find_spec("betty"):
        found |= _of_betty(model, combiner, lower, upper)
    if find_spec("torchopt"):
        found |= _of_torchopt(model, combiner, lower, upper)
    return found


def _of_betty(model: Any, combiner: Any, lower: Tensor, upper: Tensor) -> Measured:
    """Its functions for a problem of two levels; `darts` is its Lite, by differences."""
    from betty.configs import Config
    from betty.hypergradient import jvp_fn_mapping
    from betty.problems import ImplicitProblem

    class Lower(ImplicitProblem):  # type: ignore[misc]
        def training_step(self, batch: Tensor) -> Tensor:
            return combiner(torch.stack(list(self.module.losses(batch).values())))

    def run(scheme: str) -> object:
        settings = {
            "neumann_iterations": PRODUCTS,
            "neumann_alpha": RATE,
            "cg_iterations": PRODUCTS,
            "cg_alpha": 1.0,
        }
        inner = Lower("inner", config=Config(type=scheme, **settings), module=model)
        outer = ImplicitProblem("outer", config=Config(), module=combiner)
        inner.cur_batch = lower
        with sdpa_kernel(SDPBackend.MATH):
            v = torch.autograd.grad(
                model.losses(upper)["clean0"],
                list(model.parameters()),
                allow_unused=True,
                materialize_grads=True,
            )
            jvp_fn_mapping[scheme](v, inner, outer, True)  # adds to the gradients of phi
        found = [phi.grad for phi in combiner.parameters()]
        combiner.zero_grad(set_to_none=True)
        return found

    return {f"betty {scheme}": partial(run, scheme) for scheme in ("darts", "neumann", "cg")}


def _of_torchopt(model: Any, combiner: Any, lower: Tensor, upper: Tensor) -> Measured:
    """Its `custom_root` around a solver that is done, with each of its linear solvers."""
    from torch.func import functional_call, grad
    from torchopt.diff.implicit import custom_root
    from torchopt.linear_solve import solve_cg, solve_inv

    names, inner = [n for n, _ in model.named_parameters()], tuple(model.parameters())
    learned, phi = [n for n, _ in combiner.named_parameters()], tuple(combiner.parameters())

    class Named(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, batch: Tensor) -> dict[str, Tensor]:
            return self.model.losses(batch)

    held = Named()

    def losses(weights: tuple[Tensor, ...], batch: Tensor) -> dict[str, Tensor]:
        named = {f"model.{name}": w for name, w in zip(names, weights, strict=True)}
        return functional_call(held, named, (batch,))

    def melted(weights: tuple[Tensor, ...], of: tuple[Tensor, ...]) -> Tensor:
        values = torch.stack(list(losses(weights, lower).values()))
        return functional_call(combiner, dict(zip(learned, of, strict=True)), (values,))

    def run(solver: Any) -> object:
        solved = custom_root(grad(melted), argnums=1, solve=solver)(lambda weights, of: weights)
        with sdpa_kernel(SDPBackend.MATH), warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # it still says functorch
            judged = losses(solved(inner, phi), upper)["clean0"]
            return torch.autograd.grad(judged, phi, allow_unused=True)

    solvers = {
        "neumann": solve_inv(ns=True, maxiter=PRODUCTS, alpha=RATE),
        "cg": solve_cg(maxiter=PRODUCTS),
    }
    return {f"torchopt {name}": partial(run, solver) for name, solver in solvers.items()}
