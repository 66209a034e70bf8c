"""How the numba kernels of this package are compiled, and two instructions of the processor that numba lacks."""

from functools import partial
from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

kernel = partial(njit, cache=True, nogil=True, _nrt=False)
"""For functions that make no arrays. `_nrt=False`: arrays that are passed on are not counted as references, which is
atomic and took 50 of 60 ns of the look-up of a word."""
inlined = partial(kernel, inline="always")


def _eight_bytes(typing: Any, data: types.Array, i: types.Integer) -> Any:
    """data[i : i + 8] as one number, wherever it lies; numba itself would read and shift eight single bytes."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        place = builder.bitcast(builder.gep(array.data, [arguments[1]]), ir.IntType(64).as_pointer())
        number = builder.load(place)
        number.align = 1
        return number

    return types.uint64(data, types.int64), generate


def _prefetch(typing: Any, array: types.Array, i: types.Integer) -> Any:
    """Fetch the cache line of row i of an array, without waiting for it."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = signature.args[0]
        made = context.make_array(kind)(context, builder, arguments[0])
        row = builder.mul(arguments[1], builder.extract_value(made.strides, 0))
        place = builder.gep(builder.bitcast(made.data, ir.IntType(8).as_pointer()), [row])
        number = ir.IntType(32)
        function = builder.module.declare_intrinsic(
            "llvm.prefetch",
            [place.type],
            ir.FunctionType(ir.VoidType(), [place.type, number, number, number]),
        )
        builder.call(function, [place, number(1), number(3), number(1)])
        return context.get_dummy_value()

    return types.void(array, types.int64), generate


eight_bytes: Any = intrinsic(_eight_bytes)
prefetch: Any = intrinsic(_prefetch)
