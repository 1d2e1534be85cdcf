"""torch layers whose forward pass is the surrogate: weights on arrays, pulse-width inputs.

A layer holds an ordinary weight and bias in torch's own layout; all that depends on them (target currents, states, the
engine's expansion) is computed in the forward pass, so that nothing can go stale. What calibration finds is in buffers.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Generator, Tensor, nn

from surrogate.analog import ways
from surrogate.analog.arrays import Arrays, Cells
from surrogate.analog.mapping import LayerSettings
from surrogate.analog.precision import exact, is_mixed
from surrogate.analog.programming import laid_out, programmed, target_currents
from surrogate.analog.pulses import codes_of, zero_code
from surrogate.analog.spans import initial_span, of_arrays
from surrogate.analog.tiling import Tiling
from surrogate.analog.weights.integers import kept
from surrogate.analog.wiring import Wiring, checked_order
from surrogate.errors import InputError
from surrogate.fast.windows import Windows

Convolution = nn.Conv1d | nn.Conv2d


class AnalogLayer(nn.Module):
    """A linear map on arrays, of sliding windows of its input: :class:`AnalogLinear`, :class:`AnalogConv`.

    ``weight`` is clipped to ±``span``, inputs to ``input_range``; ``gain`` and ``offset`` calibrate the digital
    read-out. ``converter_range`` is the charge (current scale x time scale) at which a converter is full.
    ``order`` [G, ch] is which channel of a pixel is on its next word line (None: as they are); ``line_spacing``, kept
    with the weights, is the settings' spacing (None: 1).
    ``cells`` are fixed states, ``currents`` A what a one-hot read shows of them, and ``chip`` the seed of what else a
    chip has, where the layer is deployed (see ``calibrate.deploy``), else None.
    """

    kind: ClassVar[str]
    span: Tensor
    input_range: Tensor
    gain: Tensor
    offset: Tensor
    converter_range: Tensor | None
    order: Tensor | None
    line_spacing: Tensor | None
    cells: Tensor | None
    currents: Tensor | None
    chip: Tensor | None

    def __init__(
        self, layer: nn.Linear | Convolution, groups: int, arrays: Arrays, settings: LayerSettings
    ) -> None:
        super().__init__()
        weight = layer.weight.detach()
        if not 0 < float(weight.abs().amax()) < float("inf"):
            raise InputError("weights: all zero or not finite: give a trained layer")
        outputs, encoding = weight.shape[0], arrays.encoding
        for effect in settings.effects:
            effect.check(settings.currents, arrays.surrogate)
        self.arrays, self.settings = arrays, settings
        self.tiling = Tiling(
            weight[0].numel() * settings.spacing, outputs // groups, groups, settings.rows, settings.columns,
            encoding.columns, 0 if encoding.shared_level is None else 1, settings.spacing,
        )  # fmt: skip
        self.register_buffer("order", None)
        self.register_buffer("line_spacing", torch.tensor(settings.spacing) if settings.spacing > 1 else None)
        self.weight, self.bias = layer.weight, layer.bias
        self._register_range("span", initial_span(settings, self.tiling, weight, self.by_rows(weight)))
        self._register_range("input_range", torch.ones((), dtype=weight.dtype))
        self.register_buffer("gain", torch.ones(outputs, dtype=weight.dtype))
        self.register_buffer("offset", torch.zeros(outputs, dtype=weight.dtype))
        full = float("inf") if settings.converter_bits else None
        self.register_buffer("converter_range", None if full is None else torch.tensor(full, dtype=weight.dtype))
        for name in ("cells", "currents", "chip"):
            self.register_buffer(name, None)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *others: Any) -> None:
        errors: list[str] = others[-1]
        order, spacing = state_dict.get(f"{prefix}order"), state_dict.get(f"{prefix}line_spacing")
        there, here = f"{prefix}cells" in state_dict, self.cells is not None
        if there != here and f"{prefix}weight" in state_dict:
            errors.append(f"{prefix}cells: programmed {'there' if there else 'here'} alone: deploy both or neither")
        if order is not None:
            try:
                self.order = checked_order(order.to(self.weight.device), self.tiling.groups, self.weight.shape[1])
            except InputError as error:
                errors.append(f"{prefix}{error}")
        if spacing is not None and int(spacing) != self.settings.spacing:
            errors.append(f"{prefix}spacing: {int(spacing)} there, {self.settings.spacing} here: convert with the same")
            state_dict[f"{prefix}line_spacing"] = self.line_spacing
        super()._load_from_state_dict(state_dict, prefix, *others)

    def _register_range(self, name: str, value: Tensor) -> None:
        if self.settings.weights.learned:
            self.register_parameter(name, nn.Parameter(value))
        else:
            self.register_buffer(name, value)

    # what a kind of layer is

    def digital(self) -> nn.Module:
        """The digital layer of the same weights, as they are kept."""
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

    def of_matrices(self, matrix: Tensor) -> Tensor:
        """The weight whose :meth:`matrices` are ``matrix``."""
        raise NotImplementedError

    # word lines

    @property
    def wiring(self) -> Wiring:
        """Which word lines the inputs drive."""
        return Wiring(self.order, self.settings.spacing)

    def set_order(self, order: Tensor) -> None:
        """Let the channels of each pixel lie on its word lines in the ``order`` [G, ch]; ranges of arrays begin anew.
        Raises :class:`InputError` where it is none of all channels, and where the layer is deployed."""
        if self.cells is not None:
            raise InputError("its cells are programmed: order its rows before")
        self.order = checked_order(order.to(self.weight.device), self.tiling.groups, self.weight.shape[1])
        if self.settings.span == "tile":
            weight = self.weight.detach()
            with torch.no_grad():
                self.span.copy_(initial_span(self.settings, self.tiling, weight, self.by_rows(weight)))

    # inputs

    @property
    def phases_per_input(self) -> int:
        """VMMs P that every window takes of each of its arrays."""
        return 2 if self.settings.signed and self.settings.signed_as == "phases" else 1

    def vmms(self, x: Tensor) -> int:
        """Array VMMs that the input ``x`` takes."""
        return self.phases_per_input * self.windows().vmms(self.images(x)) * self.tiling.arrays

    def phases(self, images: Tensor) -> Tensor:
        """Pulse widths [P, B, H, W, ch·spacing] in 0..1 of ``images`` [B, H, W, ch] on the word lines of each pixel;
        the second of two phases is subtracted."""
        return self.wiring.inputs(codes_of(images, self.input_range, self.settings))

    def widths(self, images: Tensor) -> Tensor:
        """Pulse widths [P, v, G, R, n] (in units of t_max) of every VMM of ``images`` on the used rows."""
        windows, groups = self.windows(), self.tiling.groups
        return torch.stack([
            torch.stack([windows.pulses(part) for part in phase.chunk(groups, dim=-1)], dim=1)
            for phase in self.phases(images)
        ])  # fmt: skip

    def durations(self, x: Tensor) -> Tensor:
        """Pulse widths [P, v, G, R, N] (in units of t_max) of every VMM of inputs ``x``; unused rows are idle."""
        return self.tiling.whole_rows(self.widths(self.images(x)))

    # cells

    def by_rows(self, weight: Tensor) -> Tensor:
        """``weight`` by arrays and used rows, [G, R, n, out]."""
        rows = self.wiring.rows(self.matrices(weight))
        return self.tiling.split_rows(rows.transpose(1, 2)).permute(0, 2, 3, 1)

    def by_layer(self, values: Tensor) -> Tensor:
        """The weight of values [G, R, n, out] by arrays and used rows."""
        return self.of_matrices(self.wiring.of_rows(values.flatten(1, 2)[:, : self.tiling.fan_in]))

    def weight_span(self) -> Tensor:
        """:attr:`span` in a shape that goes with the weight's."""
        if self.settings.span != "tile":
            return self.span.reshape(-1, *[1] * (self.weight.dim() - 1))
        t = self.tiling
        return self.by_layer(of_arrays(self.span, t).expand(-1, -1, t.used_rows, -1))

    def weights(self) -> Tensor:
        """The weights by arrays and used rows, [G, R, n, out], over the span."""
        if self.settings.span == "tile":
            return self.by_rows(self.weight) / of_arrays(self.span, self.tiling)
        return self.by_rows(self.weight / self.weight_span())

    def kept_weight(self) -> Tensor:
        """The weight as it counts: clipped to the span and, where its bits are given, rounded."""
        span = self.weight_span()
        if self.settings.weights.bits is None:
            return torch.maximum(torch.minimum(self.weight, span), -span)
        return span * kept((self.weight / span).clamp(-1, 1), self.settings.weights.bits)

    def wanted_currents(self) -> Tensor:
        """Target one-hot currents [G, R, C, n, u] A of the used cells."""
        return target_currents(self.weights(), self.tiling, self.arrays.encoding, self.settings.currents)

    def target_currents(self) -> Tensor:
        """Target one-hot currents [G, R, C, N, M] A of all cells, unused ones at the minimum."""
        t, low = self.tiling, self.settings.currents.low
        missing = (0, t.columns - t.used_columns, 0, t.rows - t.used_rows)
        return nn.functional.pad(self.wanted_currents(), missing, value=low)

    def programmed(self, generator: Generator | None = None) -> Cells:
        """The cells that count: the fixed ones where the layer is deployed, else those of the weights, programmed with
        whatever the settings' effects do to them."""
        if self.cells is not None and self.currents is not None:
            rows = slice(None) if self.arrays.tiles.whole_arrays else slice(self.tiling.used_rows)
            return Cells(self.cells[..., rows, :], self.currents)
        return programmed(self.weights(), self.arrays, self.settings, self.tiling, generator)

    def states(self) -> Tensor:
        """Stored states [G, R, C, N, M] of all cells: the fixed ones, or what the weights ask for."""
        if self.cells is not None:
            return self.cells
        return laid_out(self.arrays.inverse(self.wanted_currents()), self.arrays, self.tiling, True)

    # charges and what they are read out as

    def column_charges(self, duration: Tensor, states: Tensor) -> Tensor:
        """Charges [P, v, G, R, C, M] (current scale x t_max) of every array's bit lines for ``duration``
        [P, v, G, R, N], its cells at ``states`` [G, R, C, N, M]; both of the used rows alone where arrays need not know
        the others."""
        flat = duration.flatten(0, 1).flatten(1, 2)
        charge = self.arrays.tiles.tile_charges(flat, states.flatten(0, 1))
        return charge.unflatten(1, duration.shape[2:4]).unflatten(0, duration.shape[:2])

    def read_out(self, charge: Tensor, width: Tensor, generator: Generator | None = None) -> Tensor:
        """Digital outputs [v, out] of ``charge`` [P, v, G, R, C, M] (current scale x t_max) of pulses that were told to
        last ``width`` [P, v, G, R, N or n]."""
        return self.scaled(self.summed(self.converted(charge, generator), width.sum(-1)))

    def summed(self, shown: Tensor, width: Tensor) -> Tensor:
        """What the columns of all arrays ``shown`` [..., G, R, C, M] come to at sums of widths ``width`` [..., G, R],
        [..., G·out]; in units of the swing, and of the span where that is one for all of a column's arrays."""
        t = self.tiling
        found = t.of_outputs(self.arrays.read_back.outputs(shown, width, t.outputs))
        if self.settings.span == "tile":
            found = found * of_arrays(self.span, t)[:, :, 0]
        return found.sum(-2).flatten(-2)

    def scaled(self, sums: Tensor) -> Tensor:
        """Digital outputs [v, out] of sums [P, v, out] of all phases' columns (:meth:`summed`)."""
        swing = (self.settings.currents.high - self.settings.currents.low) / self.arrays.surrogate.current_scale
        span = 1.0 if self.settings.span == "tile" else self.span
        shift = self.offset if self.bias is None else self.offset + self.bias
        return torch.addcmul(shift, self._subtracted(sums), self.gain * (span * self.input_range / swing))

    def _subtracted(self, sums: Tensor) -> Tensor:
        if not self.settings.signed:
            return sums[0]
        if self.settings.signed_as == "phases":
            return sums[0] - sums[1]
        zero, top = zero_code(self.settings.bits)
        return (sums[0] - zero * ways.sums_of_weights(self)) / top

    def converted(self, charge: Tensor, generator: Generator | None = None) -> Tensor:
        """``charge`` as converters show it, gradients passed straight through inside their range."""
        full, converter, bits = self.converter_range, self.settings.converter, self.settings.converter_bits
        if full is None or bits is None:
            return charge
        shown = converter.given(charge)
        if bool(torch.isfinite(full)):
            shown = full * converter.codes(ways.disturbed_codes(shown / full, self.settings, generator), bits)
        return converter.columns(shown)

    def forward(self, input: Tensor) -> Tensor:
        """The layer's output for ``input``, both shaped as the digital layer's; under ``torch.autocast``, too, in the
        precision of the weight. Raises :class:`InputError` for float16, which does not hold the cells' currents."""
        if self.weight.dtype == torch.float16:
            raise InputError("weights: float16 does not hold currents of cells: train with precision: bfloat16")
        x = input.to(self.weight.dtype) if is_mixed(input.device) else input
        with exact(input.device):
            return self.arranged(self.scaled(ways.sums(self, self.images(x), self.programmed())), x)

    def extra_repr(self) -> str:
        """The matrix and its arrays."""
        t = self.tiling
        return f"{t.fan_in // t.spacing}x{t.fan_out}, groups={t.groups}, {t.arrays} arrays of {t.rows}x{t.columns}"


class AnalogLinear(AnalogLayer):
    """``nn.Linear`` on arrays, for inputs [..., in]."""

    kind = "linear"

    def __init__(self, layer: nn.Linear, arrays: Arrays, settings: LayerSettings) -> None:
        super().__init__(layer, 1, arrays, settings)
        self.in_features, self.out_features = layer.in_features, layer.out_features

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
        return values.reshape(*x.shape[:-1], values.shape[-1])

    def windows(self) -> Windows:
        """See :class:`AnalogLayer`."""
        return Windows((1, 1), (1, 1), (1, 1), self.tiling.row_tiles, self.tiling.used_rows)

    def matrices(self, weight: Tensor) -> Tensor:
        """See :class:`AnalogLayer`."""
        return weight.T[None]

    def of_matrices(self, matrix: Tensor) -> Tensor:
        """See :class:`AnalogLayer`."""
        return matrix[0].T


class AnalogConv(AnalogLayer):
    """``nn.Conv1d`` or ``nn.Conv2d`` on arrays: each window of the input is one VMM, pixel after pixel on the rows,
    the channels of a pixel on neighbouring ones."""

    kind = "conv"

    def __init__(self, layer: Convolution, arrays: Arrays, settings: LayerSettings) -> None:
        super().__init__(layer, layer.groups, arrays, settings)
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
        if x.dim() not in (sides + 1, sides + 2) or x.shape[-1 - sides] != self.in_channels:
            raise InputError(f"input {tuple(x.shape)}: takes [batch, {self.in_channels}, {sides} sides]")
        x = x if x.dim() == sides + 2 else x[None]
        mode = "constant" if self.padding_mode == "zeros" else self.padding_mode
        filled = nn.functional.pad(x, self.around, mode=mode) if any(self.around) else x
        for length, kernel, dilation in zip(filled.shape[2:], self.kernel_size, self.dilation, strict=True):
            if length < dilation * (kernel - 1) + 1:
                raise InputError(f"input {tuple(x.shape)}: smaller than the kernel {tuple(self.kernel_size)}")
        return (filled[:, :, None] if sides == 1 else filled).permute(0, 2, 3, 1)

    def arranged(self, values: Tensor, x: Tensor) -> Tensor:
        """See :class:`AnalogLayer`."""
        sides = [
            (length + sum(around) - dilation * (kernel - 1) - 1) // stride + 1
            for length, around, kernel, stride, dilation in zip(
                x.shape[2 - self.weight.dim() :], self._padding(), self.kernel_size, self.stride, self.dilation,
                strict=True,
            )
        ]
        batch = x.shape[: 1 - self.weight.dim()]
        return values.reshape(*batch, *sides, values.shape[-1]).movedim(-1, 1 - self.weight.dim())

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
        return weight.movedim(1, -1).unflatten(0, (self.tiling.groups, -1)).flatten(2).transpose(1, 2)

    def of_matrices(self, matrix: Tensor) -> Tensor:
        """See :class:`AnalogLayer`."""
        flat = matrix.transpose(1, 2).flatten(0, 1)
        return flat.unflatten(1, (*self.weight.shape[2:], self.weight.shape[1])).movedim(-1, 1)


def _given(layer, analog: AnalogLayer):  # type: ignore[no-untyped-def]
    """``layer`` with the weight of ``analog`` as it is kept, and its bias."""
    layer.weight = nn.Parameter(analog.kept_weight().detach(), analog.weight.requires_grad)
    if analog.bias is not None:
        layer.bias = nn.Parameter(analog.bias.detach().clone(), analog.bias.requires_grad)
    return layer.train(analog.training)
