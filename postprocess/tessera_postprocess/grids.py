"""Data sets on regular grids (`tessera export --grid`) as arrays of inputs and outputs, for learning."""
import copy
import operator
import os

import h5py
import numpy as np

from .files import AXES, FileError, GridFile

try:
    import torch
    from torch.utils.data import Dataset as _Base
except ImportError:
    torch, _Base = None, object


class GridDataset(_Base):
    """Pairs (input, output) of the finished samples in a file of `tessera export --grid`.

    An input has the shape [channel, x, y, z], an output [channel, x, y, z], or [channel, step, x, y, z] for problems in
    time (y, z, and step only where they are). Samples are read when they are asked for. With PyTorch at hand this is a
    `torch.utils.data.Dataset` of tensors, otherwise a sequence of numpy arrays.

    inputs      names of inputs, parameters, coordinates ("x") or "mask", a channel each; all inputs if left out, or all
                parameters that vary when there are none
    outputs     names of fields, a channel a component; all if left out
    step        one step (no axis of steps then), or a slice or list of them
    normalise   whether to subtract the mean and divide by the standard deviation that stand in the file
    outside     value of points outside the mesh
    pairs       "tuple" for (input, output), "dict" for {"x": input, "y": output} as the trainer of `neuraloperator` wants
    tensors     False for numpy arrays in any case
    """

    def __init__(self, path, inputs=None, outputs=None, *, step=None, normalise=False, outside=0.0, dtype="float32",
                 pairs="tuple", tensors=True):
        if pairs not in ("tuple", "dict"):
            raise ValueError(f"pairs is \"tuple\" or \"dict\", not {pairs!r}")
        self.path, self.step, self.normalise, self.outside = os.fspath(path), step, normalise, outside
        self.dtype, self.pairs, self.tensors = np.dtype(dtype), pairs, tensors and torch is not None
        self._open = (None, None)
        with GridFile(path) as file:
            self.samples = np.flatnonzero(file.done())          # numbers of the samples in the file
            self.axes, self.mask = file.axes(), file.mask()
            # [step], or [sample, step] with not a number behind the last of each sample.
            self.time = file.dataset("/time") if file.in_time() else None
            if step is not None:
                self._check_step()
            names, _, values = file.parameters()
            self._parameters = dict(zip(names, values.T))
            there, fields = file.members("/inputs"), file.members("/outputs")
            varied = [name for name in names if np.ptp(self._parameters[name]) > 0]
            self.inputs = list(there or varied) if inputs is None else _list(inputs)
            self.outputs = list(fields) if outputs is None else _list(outputs)
            coordinates = AXES[: len(self.axes)]
            for name, known in [(n, [*there, *names, *coordinates, "mask"]) for n in self.inputs] + \
                               [(n, fields) for n in self.outputs]:
                if name not in known:
                    raise FileError(f"{self.path}: there is no {name} (there: {', '.join(known)})")
            self._fields = set(there)
            scales = [self._input_scale(file, name) for name in self.inputs]
            self.input_mean, self.input_std = _channels(scales)
            self.input_channels = list(self.inputs)
            scales, self.output_channels = [], []
            for name in self.outputs:
                found = file.statistics(f"/outputs/{name}")
                scales += list(zip(found["mean"], found["std"]))
                self.output_channels += [f"{name}_{c}" if c else name for c in file.components(name)]
            self.output_mean, self.output_std = _channels(scales)

    def _check_step(self):
        if self.time is None:
            raise FileError(f"{self.path}: its problem does not evolve in time, so there are no steps")
        np.arange(self.time.shape[-1])[self.step]                    # raises IndexError

    def _input_scale(self, file, name):
        if name in self._fields:
            found = file.statistics(f"/inputs/{name}")
            return found["mean"][0], found["std"][0]
        if name in self._parameters:
            values = self._parameters[name][self.samples]
            return (values.mean(), values.std()) if len(values) else (0.0, 1.0)
        if name == "mask":
            return 0.0, 1.0
        axis = self.axes[AXES.index(name)]
        return axis.mean(), axis.std()

    # ---- reading

    @property
    def _h5(self):
        # Every process has a handle of its own: the workers of a DataLoader are forked.
        process, file = self._open
        if process != os.getpid():
            file = h5py.File(self.path, "r")
            self._open = (os.getpid(), file)
        return file

    def __getstate__(self):
        return {**self.__dict__, "_open": (None, None)}

    def __len__(self):
        return len(self.samples)

    def _input(self, sample):
        shape = [len(axis) for axis in self.axes]
        channels = np.empty([len(self.inputs), *shape])
        for channel, name in zip(channels, self.inputs):
            if name in self._fields:
                channel[...] = self._h5[f"/inputs/{name}"][sample]
            elif name in self._parameters:
                channel[...] = self._parameters[name][sample]
            elif name == "mask":
                channel[...] = self.mask
            else:
                axis = AXES.index(name)
                channel[...] = self.axes[axis].reshape([-1 if i == axis else 1 for i in range(len(shape))])
        return channels

    def _output(self, sample):
        channels = []
        for name in self.outputs:
            dataset = self._h5[f"/outputs/{name}"]
            values = dataset[sample] if self.step is None else dataset[sample, self.step]
            channels.append(np.moveaxis(values, -1, 0))
        return np.concatenate(channels) if channels else np.empty([0, *self.mask.shape])

    def _finish(self, values, mean, std):
        if self.normalise:
            values = (values - _along(mean, values)) / _along(std, values)
        values = np.where(self.mask, values, self.outside).astype(self.dtype)
        return torch.from_numpy(values) if self.tensors else values

    def _one(self, place):
        sample = self.samples[place]
        x = self._finish(self._input(sample), self.input_mean, self.input_std)
        y = self._finish(self._output(sample), self.output_mean, self.output_std)
        return x, y

    def __getitem__(self, place):
        """One pair, or a batch of a slice or a list."""
        if isinstance(place, (slice, list, np.ndarray)):
            chosen = np.arange(len(self))[place]
            pairs = [self._one(i) for i in chosen]
            if not pairs:
                raise IndexError("no samples are chosen")
            stack = torch.stack if self.tensors else np.stack
            x, y = (stack(list(parts)) for parts in zip(*pairs))
        else:
            place = operator.index(place)
            if not -len(self) <= place < len(self):
                raise IndexError(f"{len(self)} samples, so there is no number {place}")
            x, y = self._one(place)
        return {"x": x, "y": y} if self.pairs == "dict" else (x, y)

    # ---- helpers

    def arrays(self):
        """All inputs [sample, channel, ...] and outputs, in memory."""
        batch = self[:]
        return (batch["x"], batch["y"]) if self.pairs == "dict" else batch

    def decode(self, outputs):
        """Normalised outputs, [channel, ...] or [sample, channel, ...], in the units of the file."""
        if not self.normalise:
            return outputs
        # Channels come before the grid, and before the steps unless one was chosen.
        steps = self.time is not None and (self.step is None or np.ndim(np.arange(self.time.shape[-1])[self.step]) > 0)
        behind = len(self.axes) + int(steps)
        mean, std = (v.reshape([-1] + [1] * behind) for v in (self.output_mean, self.output_std))
        if torch is not None and isinstance(outputs, torch.Tensor):
            mean, std = (torch.as_tensor(v, dtype=outputs.dtype, device=outputs.device) for v in (mean, std))
        return outputs * std + mean

    def split(self, *fractions, seed=0):
        """The samples in shuffled disjoint parts: `train, test = data.split(0.8)`. What the fractions leave is the last
        part. The same seed gives the same parts."""
        if not fractions or any(f <= 0 for f in fractions) or sum(fractions) > 1 + 1e-12:
            raise ValueError(f"fractions are positive and add up to 1 at most: {fractions}")
        order = np.random.default_rng(seed).permutation(self.samples)
        ends = np.round(np.cumsum(fractions) * len(order)).astype(int)
        pieces = np.split(order, ends)
        if abs(sum(fractions) - 1) < 1e-12:
            pieces.pop()
        parts = []
        for piece in pieces:
            part = copy.copy(self)
            part.samples, part._open = piece, (None, None)
            parts.append(part)
        return parts

    def __repr__(self):
        x, y = ", ".join(self.input_channels), ", ".join(self.output_channels)
        grid = " x ".join(str(len(axis)) for axis in self.axes)
        return f"GridDataset({len(self)} samples on {grid}: {x} -> {y})"


def _list(names):
    return [names] if isinstance(names, str) else list(names)


def _channels(scales):
    mean, std = (np.array([s[i] for s in scales], float) for i in (0, 1))
    return mean, np.where(std > 0, std, 1.0)


def _along(values, like):
    return values.reshape([-1] + [1] * (like.ndim - 1))
