"""torch layers whose forward pass is the surrogate: differential column pairs on arrays, pulse-width inputs.

A layer holds an ordinary weight and bias in torch's own layout; all that depends on them (target currents, states, the
engine's expansion) is computed in the forward pass, so that nothing can go stale. What calibration finds is in buffers.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from surrogate.analog.mapping import LayerSettings
from surrogate.analog.pulses import pulse_codes, signed_codes
from surrogate.analog.tiling import Tiling
from surrogate.engine import TileEngine
from surrogate.errors import InputError
from surrogate.fast.engine import Accuracy
from surrogate.fast.windows import Windows
from surrogate.mapping import Inverse, inverse_curve, pair_currents, program
from surrogate.surrogate import Surrogate

Convolution = nn.Conv1d | nn.Conv2d

PROGRAMMED_CELLS = 2**16
"""Cells that are programmed at a time, which bounds memory."""


class Arrays:
    """What all layers on arrays of one kind share: the engine and the map from target currents to states."""

    def __init__(self, surrogate: Surrogate, settings: LayerSettings) -> None:
        surrogate.require_passed()
        rows, columns, domain = settings.rows, settings.columns, surrogate.domain
        if rows > domain.rows or columns > domain.columns:
            raise InputError(
                f"tile {rows}x{columns} leaves the surrogate's domain {domain.rows}x{domain.columns}: "
                "use smaller tiles or fit a larger array"
            )
        self.surrogate = surrogate
        self.inverse: Inverse = inverse_curve(surrogate, settings.currents, rows)
        self.tiles: TileEngine = surrogate.tile_engine(
            rows, self.inverse(_typical_currents(settings)), Accuracy(*settings.products) if settings.products else None
        )
        self.idle = self.inverse(torch.full((rows, 1), settings.currents.low, dtype=torch.float64))
        """[N, 1] states of cells at the minimum current"""


def _typical_currents(settings: LayerSettings) -> Tensor:
    """Target currents [N, 200] A of normally distributed weights clipped at three standard deviations."""
    quantile = torch.linspace(0.005, 0.995, 100, dtype=torch.float64)
    weight = (torch.special.ndtri(quantile) / 3).expand(settings.rows, -1)
    return pair_currents(weight, 1.0, settings.currents)


class AnalogLayer(nn.Module):
    """A linear map on arrays, of sliding windows of its input: :class:`AnalogLinear`, :class:`AnalogConv`.

    ``weight`` is clipped to ±``span``, inputs to ``input_range``; ``gain`` and ``offset`` calibrate the digital
    read-out. ``converter_range`` is the charge (current scale x time scale) at which a converter is full.
    ``cells`` are fixed states where the layer is deployed (see ``calibrate.deploy``), else None.
    """

    kind: ClassVar[str]
    span: Tensor
    input_range: Tensor
    gain: Tensor
    offset: Tensor
    converter_range: Tensor | None
    cells: Tensor | None

    def __init__(
        self, weight: Tensor, bias: Tensor | None, groups: int, arrays: Arrays, settings: LayerSettings
    ) -> None:
        super().__init__()
        weight = weight.detach()
        largest = weight.abs().amax() if settings.span == "layer" else weight.flatten(1).abs().amax(1)
        if not 0 < float(weight.abs().amax()) < float("inf"):
            raise InputError("weights: all zero or not finite: give a trained layer")
        outputs = weight.shape[0]
        self.arrays, self.settings = arrays, settings
        fan_in = weight[0].numel()
        self.tiling = Tiling(fan_in, outputs // groups, groups, settings.rows, settings.columns)
        self.weight = nn.Parameter(weight.clone())
        self.bias = None if bias is None else nn.Parameter(bias.detach().clone())
        self.register_buffer("span", largest.clamp_min(1e-3 * weight.abs().amax()))
        self.register_buffer("input_range", torch.ones((), dtype=weight.dtype))
        self.register_buffer("gain", torch.ones(outputs, dtype=weight.dtype))
        self.register_buffer("offset", torch.zeros(outputs, dtype=weight.dtype))
        full = float("inf") if settings.converter_bits else None
        self.register_buffer("converter_range", None if full is None else torch.tensor(full, dtype=weight.dtype))
        self.register_buffer("cells", None)

    # what a kind of layer is

    def digital(self) -> nn.Module:
        """The digital layer of the same weights, as they are clipped."""
        raise NotImplementedError

    def images(self, x: Tensor) -> Tensor:
        """Inputs as padded images [B, H, W, ch], channels innermost, that :attr:`windows` slide over."""
        raise NotImplementedError

    def arranged(self, values: Tensor, x: Tensor) -> Tensor:
        """``values`` [v, out] of all VMMs of the input ``x``, in the shape of the layer's output."""
        raise NotImplementedError

    def windows(self) -> Windows:
        """Which pixels of :meth:`images` drive the rows."""
        raise NotImplementedError

    def matrices(self, weight: Tensor) -> Tensor:
        """``weight`` as matrices [G, in, out], their rows in the order of the windows' pixels."""
        raise NotImplementedError

    # inputs

    def vmms(self, x: Tensor) -> int:
        """Array VMMs that the input ``x`` takes."""
        phases = 2 if self.settings.signed else 1
        return phases * self.windows().vmms(self.images(x)) * self.tiling.arrays

    def phases(self, x: Tensor) -> Tensor:
        """Pulse widths [P, B, H, W, ch] in 0..1 of inputs ``x``; the second of two phases is subtracted."""
        return signed_codes(self.images(x) / self.input_range, self.settings.bits, self.settings.signed)

    def durations(self, x: Tensor) -> Tensor:
        """Pulse widths [P, v, G, R, N] (in units of t_max) of every VMM; unused rows are idle."""
        groups, windows = self.tiling.groups, self.windows()
        pulses = [
            torch.stack([windows.pulses(part) for part in phase.chunk(groups, dim=-1)], dim=1)
            for phase in self.phases(x)
        ]
        return self.tiling.whole_rows(torch.stack(pulses))

    # cells

    def weight_span(self) -> Tensor:
        """:attr:`span` in a shape that goes with the weight's."""
        return self.span.reshape(-1, *[1] * (self.weight.dim() - 1))

    def weights(self) -> Tensor:
        """The clipped weights by arrays and used rows, [G, R, n, out], over the span."""
        matrices = self.matrices(self.weight / self.weight_span())
        return self.tiling.split_rows(matrices.transpose(1, 2)).permute(0, 2, 3, 1)

    def target_currents(self) -> Tensor:
        """Target one-hot currents [G, R, C, N, M] A of all cells, unused ones at the minimum."""
        t, low = self.tiling, self.settings.currents.low
        currents = pair_currents(self.weights(), 1.0, self.settings.currents)
        missing = (t.column_tiles * t.columns - currents.shape[-1], t.rows - t.used_rows)
        whole = nn.functional.pad(currents, (0, missing[0], 0, missing[1]), value=low)
        return t.split_columns(whole).transpose(-3, -2)

    def states(self) -> Tensor:
        """Stored states [G, R, C, N, M] of all cells."""
        if self.cells is not None:
            return self.cells
        t, used = self.tiling, self.used_states()
        idle = self.arrays.idle.to(used)
        return torch.cat([used, idle[t.used_rows :].expand(*used.shape[:3], -1, t.columns)], dim=-2)

    def used_states(self) -> Tensor:
        """Stored states [G, R, C, n, M] of the used rows."""
        if self.cells is not None:
            return self.cells[..., : self.tiling.used_rows, :]
        t = self.tiling
        state = self.arrays.inverse(pair_currents(self.weights(), 1.0, self.settings.currents))
        idle = self.arrays.idle.to(state)[: t.used_rows].expand(*state.shape[:-1], -1)
        unused = t.column_tiles * t.columns - state.shape[-1]
        filled = torch.cat([state, idle[..., :1].expand(*state.shape[:-1], unused)], dim=-1)
        return t.split_columns(filled).transpose(-3, -2)

    def programmed_states(self) -> Tensor:
        """States [G, R, C, N, M] after write–verify programming of every cell to its target current in a one-hot
        read."""
        with torch.no_grad():
            target = self.target_currents().flatten(0, 2)
            arrays, t = self.arrays, self.tiling
            some = target.split(max(1, PROGRAMMED_CELLS // (t.rows * t.columns)))
            found = torch.cat([program(arrays.surrogate, arrays.inverse, part) for part in some])
            return found.to(self.weight.dtype).unflatten(0, (t.groups, t.row_tiles, t.column_tiles))

    # charges and what they are read out as

    def column_charges(self, duration: Tensor, states: Tensor) -> Tensor:
        """Charges [P, v, G, R, C, M] (current scale x t_max) of every array's bit lines for ``duration``
        [P, v, G, R, N], its cells at ``states`` [G, R, C, N, M]."""
        flat = duration.flatten(0, 1).flatten(1, 2)
        charge = self.arrays.tiles.tile_charges(flat, states.flatten(0, 1))
        return charge.unflatten(1, duration.shape[2:4]).unflatten(0, duration.shape[:2])

    def read_out(self, charge: Tensor) -> Tensor:
        """Digital outputs [v, out] of ``charge`` [P, v, G, R, C, M] (current scale x t_max)."""
        shown = self._converted(charge)
        pair = (shown[..., 0::2] - shown[..., 1::2]).sum(3).flatten(3)[..., : self.tiling.fan_out]
        return self.scaled(self._subtracted(pair.flatten(2)))

    def scaled(self, pair: Tensor) -> Tensor:
        """Digital outputs [v, out] of what the column pairs show in sum, ``pair`` [v, out]."""
        swing = (self.settings.currents.high - self.settings.currents.low) / self.arrays.surrogate.current_scale
        out = self.gain * pair * (self.span * self.input_range / swing) + self.offset
        return out if self.bias is None else out + self.bias

    def _subtracted(self, phases: Tensor) -> Tensor:
        return phases[0] - phases[1] if self.settings.signed else phases[0]

    def _converted(self, charge: Tensor) -> Tensor:
        """``charge`` as the converter of each column gives it, gradients passed straight through inside its range."""
        full = self.converter_range
        if full is None or not bool(torch.isfinite(full)):
            return charge
        assert self.settings.converter_bits is not None
        return full * pulse_codes(charge / full, self.settings.converter_bits)

    def forward(self, x: Tensor) -> Tensor:
        """The layer's output for ``x``, both shaped as the digital layer's."""
        if self.converter_range is not None:
            return self.arranged(self.read_out(self.column_charges(self.durations(x), self.states())), x)
        groups, windows, tiles = self.tiling.groups, self.windows(), self.arrays.tiles
        phases = self.phases(x)
        images = phases.flatten(0, 1).chunk(groups, dim=-1)
        pairs = [
            tiles.pair_sums(image, windows, states, self.tiling.fan_out)
            for image, states in zip(images, self.states() if tiles.whole_arrays else self.used_states(), strict=True)
        ]
        return self.arranged(self.scaled(self._subtracted(torch.cat(pairs, dim=-1).unflatten(0, (len(phases), -1)))), x)

    def extra_repr(self) -> str:
        """The matrix and its arrays."""
        t = self.tiling
        return f"{t.fan_in}x{t.fan_out}, groups={t.groups}, {t.arrays} arrays of {t.rows}x{t.columns}"


class AnalogLinear(AnalogLayer):
    """``nn.Linear`` on arrays, for inputs [..., in]."""

    kind = "linear"

    def __init__(self, layer: nn.Linear, arrays: Arrays, settings: LayerSettings) -> None:
        super().__init__(layer.weight, layer.bias, 1, arrays, settings)

    def digital(self) -> nn.Linear:
        """See :class:`AnalogLayer`."""
        out, fan_in = self.weight.shape
        layer = nn.Linear(fan_in, out, bias=self.bias is not None, device="meta")
        return _given(layer, self)

    def images(self, x: Tensor) -> Tensor:
        """See :class:`AnalogLayer`."""
        if x.dim() < 1 or x.shape[-1] != self.weight.shape[1]:
            raise InputError(f"input {tuple(x.shape)}: this layer takes [..., {self.weight.shape[1]}]")
        return x.reshape(-1, 1, 1, x.shape[-1])

    def arranged(self, values: Tensor, x: Tensor) -> Tensor:
        """See :class:`AnalogLayer`."""
        return values.reshape(*x.shape[:-1], -1)

    def windows(self) -> Windows:
        """See :class:`AnalogLayer`."""
        return Windows((1, 1), (1, 1), (1, 1), self.tiling.row_tiles, self.tiling.used_rows)

    def matrices(self, weight: Tensor) -> Tensor:
        """See :class:`AnalogLayer`."""
        return weight.T[None]


class AnalogConv(AnalogLayer):
    """``nn.Conv1d`` or ``nn.Conv2d`` on arrays: each window of the input is one VMM, pixel after pixel on the rows,
    the channels of a pixel on neighbouring ones."""

    kind = "conv"

    def __init__(self, layer: Convolution, arrays: Arrays, settings: LayerSettings) -> None:
        super().__init__(layer.weight, layer.bias, layer.groups, arrays, settings)
        self.of_type: type[Convolution] = type(layer)
        self.in_channels, self.out_channels = layer.in_channels, layer.out_channels
        self.kernel_size, self.stride, self.dilation = layer.kernel_size, layer.stride, layer.dilation
        self.padding, self.padding_mode, self.groups = layer.padding, layer.padding_mode, layer.groups
        self.around = tuple(layer._reversed_padding_repeated_twice)

    def digital(self) -> Convolution:
        """See :class:`AnalogLayer`."""
        layer = self.of_type(
            self.in_channels, self.out_channels, self.kernel_size, self.stride, self.padding, self.dilation,  # type: ignore[arg-type]
            self.groups, self.bias is not None, self.padding_mode, device="meta",
        )  # fmt: skip
        return _given(layer, self)

    def images(self, x: Tensor) -> Tensor:
        """See :class:`AnalogLayer`."""
        sides = self.weight.dim() - 2
        if x.dim() != sides + 2 or x.shape[1] != self.in_channels:
            raise InputError(f"input {tuple(x.shape)}: takes [batch, {self.in_channels}, {sides} sides]")
        mode = "constant" if self.padding_mode == "zeros" else self.padding_mode
        filled = nn.functional.pad(x, self.around, mode=mode) if any(self.around) else x
        return (filled[:, :, None] if sides == 1 else filled).permute(0, 2, 3, 1)

    def arranged(self, values: Tensor, x: Tensor) -> Tensor:
        """See :class:`AnalogLayer`."""
        sides = [
            (length + sum(around) - dilation * (kernel - 1) - 1) // stride + 1
            for length, around, kernel, stride, dilation in zip(
                x.shape[2:], self._padding(), self.kernel_size, self.stride, self.dilation, strict=True
            )
        ]
        return values.reshape(x.shape[0], *sides, -1).movedim(-1, 1)

    def _padding(self) -> list[tuple[int, int]]:
        pairs = list(zip(self.around[0::2], self.around[1::2], strict=True))
        return pairs[::-1]

    def windows(self) -> Windows:
        """See :class:`AnalogLayer`."""

        def two(sizes: tuple[int, ...]) -> tuple[int, int]:
            return (1, sizes[0]) if len(sizes) == 1 else (sizes[0], sizes[1])

        t = self.tiling
        return Windows(two(self.kernel_size), two(self.stride), two(self.dilation), t.row_tiles, t.used_rows)

    def matrices(self, weight: Tensor) -> Tensor:
        """See :class:`AnalogLayer`."""
        return weight.movedim(1, -1).unflatten(0, (self.groups, -1)).flatten(2).transpose(1, 2)


def _given(layer, analog: AnalogLayer):  # type: ignore[no-untyped-def]
    """``layer`` with the clipped weight and the bias of ``analog``."""
    span, weight = analog.weight_span(), analog.weight.detach()
    layer.weight = nn.Parameter(torch.maximum(torch.minimum(weight, span), -span))
    if analog.bias is not None:
        layer.bias = nn.Parameter(analog.bias.detach().clone())
    return layer.train(analog.training)
