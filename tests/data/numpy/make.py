"""Writes the NumPy files that the format tests read: python make.py (NumPy 2).

`fortran.npy`, `vector.npy`, `column.npy` and `empty.npy` hold what our writer must reproduce byte for byte; the others hold
the same 3 x 2 table in every dtype, order, byte order and format version that is read."""
import pathlib

import numpy as np
from numpy.lib import format as npy_format

here = pathlib.Path(__file__).parent
table = np.array([[1.0, 2.0], [3.0, 0.0], [5.0, 6.0]])

for name in ["f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"]:
    np.save(here / f"{name}.npy", table.astype(f"<{name}"))
np.save(here / "bool.npy", table != 0)
np.save(here / "big_endian.npy", table.astype(">f8"))
np.save(here / "big_endian_i4.npy", table.astype(">i4"))
np.save(here / "fortran_i2.npy", np.asfortranarray(table.astype("<i2")))
for version in [(1, 0), (2, 0), (3, 0)]:
    with open(here / f"version{version[0]}.npy", "wb") as f:
        npy_format.write_array(f, table, version=version)
np.savez(here / "two.npz", table=table, other=np.ones(4))
np.savez_compressed(here / "one.npz", table=table)

np.save(here / "fortran.npy", np.asfortranarray(np.arange(12.0).reshape(4, 3) / 7 - 1))
np.save(here / "vector.npy", np.arange(5.0) / 3)
np.save(here / "column.npy", np.asfortranarray(np.arange(4.0).reshape(4, 1)))
np.save(here / "row.npy", np.asfortranarray(np.arange(4.0).reshape(1, 4)))
np.save(here / "empty.npy", np.asfortranarray(np.zeros((4, 0))))
np.save(here / "cube.npy", np.asfortranarray(np.arange(24.0).reshape(2, 3, 4)))
np.save(here / "special.npy", np.asfortranarray([[0.1, -0.0], [1e-320, 1.7976931348623157e308]]))
np.save(here / "wide.npy", np.asfortranarray(np.zeros((1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 0))))
