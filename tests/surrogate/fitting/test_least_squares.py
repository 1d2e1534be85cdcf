"""Levenberg–Marquardt with an arrow-shaped curvature, against dense linear algebra."""

import pytest
import torch

from surrogate.fitting.least_squares import Linearisation, Problem, Unknowns, minimise

N, M, K, L = 40, 3, 2, 4


def linear_problem(noise=0.01, count=N, local=L, prior=1e3):
    """r = A·s + B·l_m − y: K shared values s, L values l of each of M columns."""
    generator = torch.Generator().manual_seed(0)

    def draw(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    a, b, truth_s, truth_l = draw(count, M, K), draw(count, local, M), draw(K), draw(local, M)
    y = a @ truth_s + torch.einsum("nim,im->nm", b, truth_l) + noise * draw(count, M)

    def residual(at):
        return a @ at.shared + torch.einsum("nim,im->nm", b, at.local) - y

    def linearise(at):
        r = residual(at)
        gradient = Unknowns(torch.einsum("nm,nmk->k", r, a), torch.einsum("nm,nim->im", r, b))
        return Linearisation(r, gradient, a, b)

    zero = Unknowns(torch.zeros(K, dtype=torch.float64), torch.zeros(local, M, dtype=torch.float64))
    wide = Unknowns(torch.full_like(zero.shared, prior), torch.full_like(zero.local, prior))
    return Problem(residual, linearise, zero, wide), zero, (a, b, y), Unknowns(truth_s, truth_l)


def dense(a, b, y):
    """The same problem as one matrix [n·M, K + L·M], with its right side."""
    blocks = [a.reshape(-1, K)]
    for m in range(M):
        block = torch.zeros(len(y), M, b.shape[1], dtype=torch.float64)
        block[:, m] = b[:, :, m]
        blocks.append(block.reshape(len(y) * M, b.shape[1]))
    return torch.cat(blocks, dim=1), y.reshape(-1)


@pytest.mark.parametrize("local", [0, L])
def test_solves_a_linear_problem_like_dense_least_squares(local):
    problem, start, (a, b, y), truth = linear_problem(local=local)
    solution = minimise(problem, start)
    matrix, right = dense(a, b, y)
    expected = torch.linalg.lstsq(matrix, right[:, None]).solution[:, 0]
    torch.testing.assert_close(solution.unknowns.shared, expected[:K], atol=1e-6, rtol=0)
    torch.testing.assert_close(solution.unknowns.local.T.reshape(-1), expected[K:], atol=1e-6, rtol=0)
    torch.testing.assert_close(solution.unknowns.shared, truth.shared, atol=0.01, rtol=0)
    assert solution.sigma == pytest.approx(0.01, rel=0.3, abs=0)
    assert len(solution.history) >= 2
    assert all(later <= first for later in solution.history[1:] for first in solution.history[:1])


@pytest.mark.parametrize("local", [0, L])
def test_standard_errors_are_those_of_dense_least_squares(local):
    problem, start, (a, b, y), _ = linear_problem(local=local)
    solution = minimise(problem, start)
    matrix, _ = dense(a, b, y)
    errors = (torch.linalg.inv(matrix.T @ matrix).diagonal() * solution.sigma**2).sqrt()
    torch.testing.assert_close(solution.standard_error.shared, errors[:K], rtol=1e-4, atol=0)
    torch.testing.assert_close(solution.standard_error.local.T.reshape(-1), errors[K:], rtol=1e-4, atol=0)


def test_standard_errors_shrink_with_more_data():
    errors = []
    for count in (40, 160):
        problem, start, *_ = linear_problem(count=count)
        errors.append(minimise(problem, start).standard_error)
    assert float((errors[1].shared / errors[0].shared).mean()) == pytest.approx(0.5, abs=0.15)
    assert float((errors[1].local / errors[0].local).mean()) == pytest.approx(0.5, abs=0.15)


def test_without_data_the_prior_decides():
    problem, start, *_ = linear_problem()

    def blind(at):
        linear = problem.linearise(at)
        empty = Unknowns(torch.zeros(K, dtype=torch.float64), torch.zeros(L, M, dtype=torch.float64))
        nothing = torch.zeros_like
        return Linearisation(
            nothing(linear.residual), empty, nothing(linear.jacobian_shared), nothing(linear.jacobian_local)
        )

    mean = Unknowns(torch.full((K,), 3.0, dtype=torch.float64), torch.full((L, M), -2.0, dtype=torch.float64))
    alone = Problem(lambda at: torch.zeros(N, M, dtype=torch.float64), blind, mean, problem.prior_width)
    solution = minimise(alone, start)
    torch.testing.assert_close(solution.unknowns.shared, mean.shared, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(solution.standard_error.local, problem.prior_width.local)


def test_trial_points_that_do_not_converge_are_steps_too_far():
    problem, start, *_ = linear_problem()
    refused = []

    def residual(at):
        if float((at.shared - start.shared).norm()) > 0.5 and len(refused) < 3:
            refused.append(at)
            raise ArithmeticError("too far")
        return problem.residual(at)

    solution = minimise(
        Problem(residual, problem.linearise, problem.prior_mean, problem.prior_width), start, tolerance=1e-6
    )
    assert refused
    assert solution.sigma == pytest.approx(0.01, rel=0.3, abs=0)


def test_nothing_better_than_the_start_ends_there():
    problem, start, *_ = linear_problem()
    best = minimise(problem, start).unknowns

    def refuse(at):
        raise ArithmeticError("never")

    stuck = Problem(refuse, problem.linearise, problem.prior_mean, problem.prior_width)
    assert minimise(stuck, best).unknowns is best
