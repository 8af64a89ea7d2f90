"""A step as a CUDA kernel that does many steps of each network of an ensemble in one launch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from scratchnet.backends.compile.arrays import NotCompiled
from scratchnet.backends.compile.cuda_source import CLUSTERS, Kernel, write_kernel
from scratchnet.backends.compile.cuda_twins import Twins, owner_on_device
from scratchnet.backends.compile.signature import Signature, keep
from scratchnet.backends.compile.step import Changing, indexed_heights, refuse_outside_rows
from scratchnet.backends.cuda_kernels import COMPILER_OPTIONS
from scratchnet.backends.interface import Array, Call


@dataclass
class Function:
    """What the steps of one signature have in common."""

    program: Kernel
    """Without its arrays, which each step has of its own."""
    numbers: list[int]
    """Those arrays, by their numbers in the signature."""
    run: Any
    is_compared: bool = False
    """Whether somebody has compared a step of this signature with a replay."""


_kept: dict[Any, Function] = {}


class KernelStep:
    """A step that was recorded on the current device, as a kernel.

    Made from the calls, the outcome's array, the number of networks that train side by side, and
    the precision of products, fp32 or tf32.
    Raises `NotCompiled` where a call has no lowering, or a network is too large for as many blocks
    as the device can let train one.
    """

    def __init__(
        self,
        xp: Any,
        calls: Sequence[Call],
        outcome: Array,
        networks: int = 1,
        precision: str = "fp32",
    ) -> None:
        self._xp, self._networks = xp, networks
        twins = Twins(calls, outcome, xp)
        signature = Signature(twins.calls, twins.outcome)
        device = xp.cuda.Device()
        most_shared = device.attributes["MaxSharedMemoryPerBlockOptin"]
        key = signature.key, device.id, most_shared, precision
        function = _kept.get(key)
        if function is None:
            can_cluster = int(device.compute_capability) >= 90
            clusters = CLUSTERS["sm_90" if can_cluster else "sm_80"]
            program = write_kernel(twins.calls, twins.outcome, most_shared, clusters, precision)
            numbers = [signature.number(array) for array in program.arrays]
            program = replace(program, arrays=[], phases=[], between=[], loops=[])
            function = Function(program, numbers, _loaded(xp, program))
            keep(_kept, key, function)
        self.function = function
        self.program = self.function.program
        self._arrays = [twins.on_device(signature.owners[i]) for i in self.function.numbers]
        self._calls = list(calls)  # keeps every array alive
        self._outcome = outcome
        self._places = {id(array): i for i, array in enumerate(self._arrays)}
        heights = indexed_heights(twins.calls)
        self._heights = {
            id(array): heights[id(twin)]
            for array, twin in ((a, twins.of(a)) for a in self._arrays)
            if id(twin) in heights
        }
        self._far = xp.empty(networks * self.program.far_bytes, np.uint8)

    def run(self, steps: int, changing: Changing = (), threads: int = 1) -> Any:
        """Do so many steps by one launch; returns the outcome of each, (steps, *outcome's shape).

        `changing` gives the arrays that the step reads and that differ from step to step. A block
        of threads does a network, or a cluster of them, whatever `threads` says.
        Raises `NotCompiled` where the device refuses the launch.
        """
        xp = self._xp
        outcomes = xp.empty((steps, *self._outcome.shape), self._outcome.dtype)
        if not steps:
            return xp.asnumpy(outcomes)
        # All blocks read what they share from a copy, since one writes it back when it ends.
        read = [
            xp.array(array) if is_shared else array
            for array, is_shared in zip(
                self._arrays, self.program.is_shared_by_networks, strict=True
            )
        ]
        addresses = np.array([int(each.data.ptr) for each in read], np.int64)
        targets = np.array([int(each.data.ptr) for each in self._arrays], np.int64)
        distances = np.zeros(len(read), np.int64)
        alive = []
        for array, values in changing:
            place = self._places.get(id(owner_on_device(array)))
            if place is None:
                continue
            stacked = self._stacked(array, values, steps)
            alive.append(stacked)
            offset = int(array.data.ptr) - int(addresses[place])
            addresses[place] = int(stacked.data.ptr) - offset
            distances[place] = stacked.strides[0]
        table = xp.asarray(np.stack([addresses, distances, targets]))
        try:
            self.function.run(
                (self._networks * self.program.cluster,),
                (self.program.threads,),
                (table, outcomes, self._far, np.int64(steps)),
                shared_mem=self.program.shared_bytes,
            )
        except xp.cuda.driver.CUDADriverError as error:
            # As where a part of a GPU has no place for all blocks of a cluster at once.
            raise NotCompiled(f"the device refuses to launch its kernel: {error}") from None
        for array, values in changing:
            array[...] = xp.asarray(values[steps - 1])
        self._outcome[...] = outcomes[-1]
        return xp.asnumpy(outcomes)

    def _stacked(self, array: Array, values: Any, steps: int) -> Array:
        """`values` as (steps, *array.shape); the kernel trusts indices, so they are checked."""
        stacked = self._xp.ascontiguousarray(self._xp.asarray(values), array.dtype)
        height = self._heights.get(id(owner_on_device(array)))
        if height is not None and stacked.size:
            refuse_outside_rows(int(stacked.min()), int(stacked.max()), height)
        return stacked.reshape(steps, *array.shape)


def _loaded(xp: Any, program: Kernel) -> Any:
    """The program's function on the GPU, allowed the shared memory that it needs."""
    module = xp.RawModule(code=program.source, options=COMPILER_OPTIONS)
    function = module.get_function("run")
    function.max_dynamic_shared_size_bytes = program.shared_bytes
    return function
