"""torch layers whose forward pass is the surrogate: differential column pairs on tiles, pulse-width inputs.

A layer holds an ordinary weight matrix and bias; everything that depends on them (target currents, states, expansion)
is computed in the forward pass, so nothing can go stale and ``state_dict`` holds all there is.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from surrogate.errors import InputError
from surrogate.mapping import CurrentRange, inverse_curve, pair_currents, program
from surrogate.surrogate import Surrogate


@dataclass(frozen=True)
class TileSettings:
    """How a layer sits on arrays: tile size, pulse-width resolution, current range."""

    rows: int
    columns: int
    bits: int
    currents: CurrentRange

    def __post_init__(self) -> None:
        if self.rows < 1 or self.columns < 2 or self.columns % 2:
            raise InputError(f"tile {self.rows}x{self.columns}: needs a row and an even number of columns")
        if self.bits < 1:
            raise InputError(f"bits {self.bits}: pulse widths need at least one")


def pulse_codes(x: Tensor, bits: int) -> Tensor:
    """``x`` in 0..1 rounded to ``bits`` bits (still in 0..1), gradients passed straight through inside the range."""
    top = 2**bits - 1
    clipped = x.clamp(0, 1)
    return clipped + (torch.round(clipped * top) / top - clipped).detach()


def typical_currents(settings: TileSettings) -> Tensor:
    """Target currents [N, 200] A of normally distributed weights clipped at three standard deviations."""
    quantile = torch.linspace(0.005, 0.995, 100, dtype=torch.float64)
    weight = (torch.special.ndtri(quantile) / 3).expand(settings.rows, -1)
    return pair_currents(weight, 1.0, settings.currents)


class AnalogLinear(nn.Module):
    """y = x·W + b on R×C tiles, with x in 0..1 as pulse widths of ``settings.bits`` bits.

    ``weight`` [in, out] is clipped to ±``span``; ``gain`` and ``offset`` [out] calibrate the digital read-out of each
    column pair. Unused cells are programmed to the minimum current.
    """

    span: Tensor
    gain: Tensor
    offset: Tensor

    def __init__(self, weight: Tensor, bias: Tensor, surrogate: Surrogate, settings: TileSettings) -> None:
        surrogate.require_passed()
        if settings.rows > surrogate.domain.rows or settings.columns > surrogate.domain.columns:
            raise InputError(
                f"tile {settings.rows}x{settings.columns} leaves the surrogate's domain "
                f"{surrogate.domain.rows}x{surrogate.domain.columns}: use smaller tiles or fit a larger array"
            )
        if not 0 < float(weight.detach().abs().max()) < float("inf"):
            raise InputError("weights: all zero or not finite: give a trained layer")
        super().__init__()
        self.surrogate, self.settings = surrogate, settings
        self.inverse = inverse_curve(surrogate, settings.currents, settings.rows)
        self.weight = nn.Parameter(weight.detach().clone())
        self.bias = nn.Parameter(bias.detach().clone())
        self.register_buffer("span", weight.detach().abs().max())
        self.register_buffer("gain", torch.ones_like(self.bias))
        self.register_buffer("offset", torch.zeros_like(self.bias))
        pairs = settings.columns // 2
        self.row_tiles = -(-weight.shape[0] // settings.rows)
        self.column_tiles = -(-weight.shape[1] // pairs)
        self.tiles = surrogate.tile_engine(settings.rows, self.inverse(typical_currents(settings)))

    def durations(self, x: Tensor) -> Tensor:
        """Pulse widths [b, R, N] (in units of t_max) of inputs [b, in] in 0..1; unused rows are idle."""
        codes = pulse_codes(x, self.settings.bits)
        padded = nn.functional.pad(codes, (0, self.row_tiles * self.settings.rows - x.shape[-1]))
        return padded.reshape(x.shape[0], self.row_tiles, self.settings.rows)

    def target_currents(self) -> Tensor:
        """Target one-hot currents [R, C, N, M] A of all cells, unused ones at the minimum."""
        s = self.settings
        extra_out = self.column_tiles * (s.columns // 2) - self.weight.shape[1]
        extra_in = self.row_tiles * s.rows - self.weight.shape[0]
        padded = nn.functional.pad(self.weight, (0, extra_out, 0, extra_in))
        currents = pair_currents(padded, self.span, s.currents)
        return currents.reshape(self.row_tiles, s.rows, self.column_tiles, s.columns).transpose(1, 2)

    def column_charges(self, duration: Tensor, states: Tensor) -> Tensor:
        """Charges [b, R, C, M] (current scale × t_max) of every tile's bit lines, its cells at ``states``."""
        return self.tiles.tile_charges(duration, states)

    def states(self) -> Tensor:
        """Stored states [R, C, N, M] of all cells."""
        return self.inverse(self.target_currents())

    def read_out(self, charge: Tensor) -> Tensor:
        """Digital outputs [b, out] of ``charge`` [b, R, C, M] (current scale × t_max)."""
        pair = charge[..., 0::2] - charge[..., 1::2]
        total = pair.sum(dim=1).flatten(1)[:, : self.weight.shape[1]]
        swing = (self.settings.currents.high - self.settings.currents.low) / self.surrogate.current_scale
        return self.gain * total * (self.span / swing) + self.offset + self.bias

    def forward(self, x: Tensor) -> Tensor:
        """Outputs [b, out] of inputs [b, in] in 0..1."""
        return self.read_out(self.column_charges(self.durations(x), self.states()))

    def programmed_states(self) -> Tensor:
        """States [R, C, N, M] after write–verify programming of every cell to its target current in a one-hot read."""
        with torch.no_grad():
            return program(self.surrogate, self.inverse, self.target_currents()).to(self.weight.dtype)


class QuantisedLinear(nn.Module):
    """The ideal quantised model (the control): the same pulse-width resolution and weight clipping, a perfect VMM."""

    span: Tensor

    def __init__(self, weight: Tensor, bias: Tensor, bits: int) -> None:
        super().__init__()
        self.bits = bits
        self.weight = nn.Parameter(weight.detach().clone())
        self.bias = nn.Parameter(bias.detach().clone())
        self.register_buffer("span", weight.detach().abs().max())

    def forward(self, x: Tensor) -> Tensor:
        """Outputs [b, out] of inputs [b, in] in 0..1."""
        return pulse_codes(x, self.bits) @ self.weight.clamp(-self.span, self.span) + self.bias
