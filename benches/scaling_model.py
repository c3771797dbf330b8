"""Scaling on paper: the time of a campaign on P ranks in G groups from measured speeds.

    cargo bench --bench scaling > scaling.jsonl             # measure (1 to 4 ranks)
    python benches/scaling_model.py scaling.jsonl PICTURE   # validate and extrapolate

Model of a sample with N unknowns on g ranks (3D, algebraic multigrid, i iterations):

    T(N, g) = c s(g) N / g                                      work, bound by memory
            + i (r a ceil(log2 g) + L (v a + 8 h(N/g) / b))     reductions, halos on L levels
            + m L (v a + 8 h(N/g) / b)                          setting up the levels

c  seconds per unknown on one rank (measured for each N: assembly, preconditioner, iterations)
s  how much a core slows when its neighbours work as well (measured: the largest sample, one on each rank)
a  latency, b bandwidth of messages (measured), r = 3 reductions an iteration
L  = 1 + log8(N / 1000) levels, v = 26 neighbours at most (g - 1 if fewer), h(n) = 6 n^(2/3) values of a halo
m  = 30 exchanges for each level when it is set up (graphs, interpolation, products)

A campaign of n samples: C = ceil(n / G) (T + w) + t0, with w the time to store a sample and t0 the time to start, both
fitted on one rank; and never less than n q, where q is the time of the shared counter for a request.
"""
import json
import math
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "postprocess"))
from tessera_postprocess.style import GREY, SERIES, plt, save  # noqa: E402

REDUCTIONS, NEIGHBOURS, SETUP = 3, 26, 30
# What is extrapolated does not depend on how, and beside what, the benchmark ran: elasticity of 206,763 unknowns on one
# rank of a quiet machine (docs/performance.md): preconditioner, solve and assembly in seconds, and iterations.
QUIET = (206_763, 1.64 + 1.11 + 0.1, 28)


def read(path):
    lines = [line for line in Path(path).read_text().splitlines() if line.startswith("{")]
    return [json.loads(line) for line in lines]


class Machine:
    """Speeds of one machine; `cores` share its memory, ranks beyond share the cores."""

    def __init__(self, latency, bandwidth, slowdown, request):
        self.latency, self.bandwidth, self.slowdown, self.request = latency, bandwidth, slowdown, request


class Sample:
    """Work of a sample: seconds on one rank, iterations, unknowns."""

    def __init__(self, unknowns, seconds, iterations):
        self.unknowns, self.seconds, self.iterations = unknowns, seconds, iterations

    def scaled(self, unknowns):
        """The same problem with another size: multigrid's work is proportional to it."""
        return Sample(unknowns, self.seconds * unknowns / self.unknowns, self.iterations)

    def time(self, group, machine, ranks):
        work = self.seconds * machine.slowdown(ranks) / group
        if group == 1:
            return work
        levels = 1 + max(0.0, math.log(self.unknowns / 1000, 8))
        halo = 6 * (self.unknowns / group) ** (2 / 3)
        exchange = levels * (min(NEIGHBOURS, group - 1) * machine.latency + 8 * halo / machine.bandwidth)
        reduction = REDUCTIONS * machine.latency * math.ceil(math.log2(group))
        return work + self.iterations * (reduction + exchange) + SETUP * exchange


def campaign(sample, machine, samples, ranks, group, store, start):
    groups = max(1, min(ranks // group, samples))
    work = math.ceil(samples / groups) * (sample.time(group, machine, ranks) + store)
    return max(work, samples * machine.request) + start


def seconds_of(row):
    return row["assembly"] + row["preconditioner"] + row["solve"]


def measured(data):
    """Machine and samples (by unknowns) from the benchmark's lines."""
    def one(what, ranks):
        return next(row for row in data if row["what"] == what and row["ranks"] == ranks)

    message = one("message", 2)
    alone = [row for row in data if row["what"] == "sample" and row["group"] == 1]
    largest = max(row["unknowns"] for row in alone)
    busy = {row["ranks"]: seconds_of(row) for row in alone if row["unknowns"] == largest}

    def slowdown(ranks):
        return busy[min(ranks, max(busy))] / busy[1]

    request = max(row["seconds"] for row in data if row["what"] == "counter")
    machine = Machine(message["latency"], message["bandwidth"], slowdown, request)
    samples = {}
    for row in data:
        if row["what"] == "sample" and row["ranks"] == 1:
            seconds = seconds_of(row)
            samples[int(row["unknowns"])] = Sample(row["unknowns"], seconds, row["iterations"])
    return machine, samples


def validate(data, machine, samples):
    """Model beside measurement, on all rank counts and groups; rows to plot."""
    rows = []
    overhead = {}
    for row in data:
        if row["what"] == "campaign" and row["ranks"] == 1:
            sample = samples[int(row["unknowns"])]
            # What a campaign on one rank takes beside its samples: starting, and storing each sample.
            overhead[int(row["unknowns"])] = max(0.0, row["seconds"] - row["samples"] * sample.seconds)
    print("unknowns  ranks  group   sample: measured    model  ratio   campaign: measured    model  ratio")
    for row in data:
        if row["what"] != "sample":
            continue
        n, ranks, group = int(row["unknowns"]), row["ranks"], int(row["group"])
        seconds = seconds_of(row)
        model = samples[n].time(group, machine, ranks)
        whole = next(r for r in data if r["what"] == "campaign" and r["ranks"] == ranks
                     and r["group"] == group and r["unknowns"] == n)
        store = overhead[n] / whole["samples"] / 2
        total = campaign(samples[n], machine, int(whole["samples"]), ranks, group,
                         store * machine.slowdown(ranks), overhead[n] / 2 * machine.slowdown(ranks))
        rows.append((n, ranks, group, seconds, model, whole["seconds"], total))
        print(f"{n:8d}  {ranks:5d}  {group:5d}  {1e3 * seconds:14.2f} ms {1e3 * model:8.2f}  {seconds / model:5.2f}"
              f"  {whole['seconds']:17.3f} s {total:8.3f}  {whole['seconds'] / total:5.2f}")
    return rows


def main():
    data = read(sys.argv[1])
    machine, samples = measured(data)
    print(f"latency {1e6 * machine.latency:.2f} us, bandwidth {machine.bandwidth / 1e9:.2f} GB/s, "
          f"counter {1e6 * machine.request:.2f} us a request")
    rows = validate(data, machine, samples)

    # A cluster: the cores measured here, whose memory bandwidth halves when a node is full, and a network of 2 us and
    # 10 GB/s a node of 64 cores; the counter answers a request in 2 us.
    cluster = Machine(2e-6, 10e9 / 64, lambda ranks: 1.0, 2e-6)
    base = Sample(QUIET[0], 2 * QUIET[1], QUIET[2])
    figure, (left, right) = plt.subplots(1, 2, figsize=(10.5, 4.2), layout="constrained")
    ranks = [2 ** k for k in range(18)]
    for colour, (size, count) in zip(SERIES, [(5e4, 100_000), (1e6, 10_000), (1e8, 1000)]):
        sample = base.scaled(size)
        fits = 2 ** max(0, math.ceil(math.log2(size / 1e6)))  # 4 GB a rank

        def fastest(p):
            groups = [g for g in (fits * 2 ** k for k in range(18)) if g <= p]
            return min(groups, key=lambda g: campaign(sample, cluster, count, p, g, 0.0, 0.0))

        points = [p for p in ranks if p >= fits]
        one = campaign(sample, cluster, count, fits, fits, 0.0, 0.0) * fits  # the fewest ranks that hold a sample
        name = f"{count:,} samples of {size:,.0f} unknowns"

        def efficiency(p, g):
            return one / (p * campaign(sample, cluster, count, p, g, 0.0, 0.0))

        left.plot(points, [efficiency(p, fastest(p)) for p in points], "o-", color=colour, label=name)
        left.plot(points, [efficiency(p, p) for p in points], "--", color=colour)
        right.plot(points, [fastest(p) for p in points], "o-", color=colour, label=name)
        for p in (128, 1024, 8192, 131_072):
            if p >= fits:
                g = fastest(p)
                print(f"{name}: {p} ranks, groups of {g}: {campaign(sample, cluster, count, p, g, 0, 0):.3g} s, "
                      f"efficiency {efficiency(p, g):.2f}; all ranks on each sample {efficiency(p, p):.2g}")
    left.plot([], [], "--", color=GREY, label="all ranks on each sample")
    left.set(xscale="log", xlabel="ranks", ylabel="parallel efficiency", title="Campaigns in groups (model)",
             ylim=(0, 1.05))
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    right.set(xscale="log", yscale="log", xlabel="ranks", ylabel="ranks a group", title="Best group size (model)")
    save(figure, sys.argv[2])
    largest = max(r[0] for r in rows)  # fitted with one rank a group
    ratios = [r[3] / r[4] for r in rows if r[2] > 1 or (r[1] > 1 and r[0] < largest)]
    totals = [r[5] / r[6] for r in rows if r[1] > 1]
    print(f"measured / model: samples {min(ratios):.2f} to {max(ratios):.2f}, "
          f"campaigns {min(totals):.2f} to {max(totals):.2f}")


if __name__ == "__main__":
    main()
