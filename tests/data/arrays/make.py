"""Makes the NPZ files of this folder; needs NumPy. Run `python make.py` here."""
import numpy as np

arrays = {
    "ids": np.arange(12, dtype=np.int64).reshape(3, 4),
    "mask": np.arange(12, dtype=np.float64).reshape(3, 2, 2) / 2,
    "labels": np.array([2, 0, 1], np.int32),
}
np.savez("two_inputs.npz", **arrays)
np.savez_compressed("two_inputs_deflated.npz", **arrays)
np.savez_compressed("lengths_differ.npz", a=np.zeros((3, 1), np.float32), b=np.zeros((2, 1), np.float32))
