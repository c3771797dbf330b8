"""tessera-plot: one picture a command."""
import argparse
import re
import sys

import numpy as np

from . import __version__
from .files import FileError, Result


def _view(text):
    try:
        azimuth, elevation = (float(v) for v in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected AZIMUTH,ELEVATION in degrees, not {text!r}") from None
    return azimuth, elevation


def _limits(text):
    try:
        low, high = (float(v) for v in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected LOW,HIGH, not {text!r}") from None
    if not low < high:
        raise argparse.ArgumentTypeError(f"the lower limit {low:g} is not below the upper one {high:g}")
    return low, high


def _cut(text):
    """x=0.05, or nx,ny,nz=offset: what lies behind the plane stays."""
    match = re.fullmatch(r"(.+)=([^=]+)", text)
    try:
        left, offset = match[1], float(match[2])
        normal = np.eye(3)["xyz".index(left)] if left in ("x", "y", "z") else np.array(left.split(","), float)
        length = np.linalg.norm(normal)
        if normal.shape != (3,) or length == 0:
            raise ValueError
    except (TypeError, ValueError):
        raise argparse.ArgumentTypeError(f"expected x=0.05 or 1,0,1=0.05 (metres), not {text!r}") from None
    return normal / length, offset / length


def _intervals(text):
    try:
        count = int(text)
    except ValueError:
        count = 0
    if count < 2:
        raise argparse.ArgumentTypeError(f"expected a whole number from 2 on, not {text!r}")
    return count


def _positive(text):
    try:
        count = int(text)
    except ValueError:
        count = 0
    if count < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1 on, not {text!r}")
    return count


def _warp(text):
    name, _, scale = text.partition("=")
    try:
        return name, float(scale or 1)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected FIELD or FIELD=FACTOR, not {text!r}") from None


def _parser():
    parser = argparse.ArgumentParser(prog="tessera-plot", description="Pictures from Tessera's HDF5 files.")
    parser.add_argument("--version", action="version", version=f"tessera-plot {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name, text, many=True):
        sub = commands.add_parser(name, help=text, description=text[:1].upper() + text[1:] + ".")
        sub.add_argument("files", nargs="+" if many else 1, metavar="FILE.h5")
        sub.add_argument("-o", "--output", required=True, metavar="PICTURE", help="PNG, PDF or SVG, by its ending")
        sub.add_argument("--title", help="instead of the one made of the file's title and what is drawn")
        sub.add_argument("--small", action="store_true", help="a small PNG: a palette of 256 colours")
        return sub

    field = command("field", "a field: curve in 1D, map in 2D, shaded surface or cut in 3D", many=False)
    field.add_argument("name", metavar="FIELD", help="see `tessera info`; also `expert`, `rank` and `region`")
    field.add_argument("--step", type=int, help="step of a run, from 0; the last by default")
    field.add_argument("--sample", type=int, metavar="N", help="sample, prediction, or function of a reduced basis, from 0; "
                       "the last sample that is done and the first mode by default")
    field.add_argument("--component", help="number or name (x, yy, ...); a vector's length by default")
    field.add_argument("--colours", default="viridis", help="a colour map of matplotlib")
    field.add_argument("--limits", type=_limits, help="LOW,HIGH of the colours, in the unit of the file")
    field.add_argument("--mesh", action=argparse.BooleanOptionalAction,
                       help="draw the cells' edges; by default on cuts whose cells are large enough")
    field.add_argument("--contours", type=int, default=0, metavar="N", help="draw N contour lines (2D)")
    field.add_argument("--warp", type=_warp, metavar="FIELD=FACTOR", help="move the nodes by a displacement")
    field.add_argument("--cut", type=_cut, metavar="PLANE", help="cut the body: x=0.05, or a normal 1,0,1=0.05 (3D)")
    field.add_argument("--view", type=_view, default=(-60.0, 25.0), metavar="AZIMUTH,ELEVATION",
                       help="degrees, default -60,25 (write --view=-60,25)")
    field.add_argument("--width", type=float, default=6.4, help="of the picture in inches, default 6.4")

    profiles = command("profiles", "a field in 1D at several times of a run", many=False)
    profiles.add_argument("name", metavar="FIELD", help="see `tessera info`")
    profiles.add_argument("--count", type=int, default=7, metavar="N", help="number of times, default 7")
    profiles.add_argument("--component", type=int, default=0, help="its number, from 0")
    profiles.add_argument("--colours", default="viridis", help="a colour map of matplotlib")
    spectrum = command("spectrum", "kinetic-energy spectrum of a velocity on a periodic box", many=False)
    spectrum.add_argument("name", metavar="FIELD", help="the velocity, see `tessera info`")
    spectrum.add_argument("--count", type=int, default=1, metavar="N", help="number of times; only the last by default")
    spectrum.add_argument("--grid", type=_intervals, metavar="N",
                          help="interpolate onto N intervals a side (2D); the nodes of a box by default")
    spectrum.add_argument("--colours", default="viridis", help="a colour map of matplotlib")
    command("steps", "length, iterations and errors of the steps of a run in time")
    history = command("history", "quantities of interest against time")
    history.add_argument("--column", action="append", default=[],
                         help="only this quantity, or a column of the log such as `conserved`; may be repeated")
    qoi = command("qoi", "quantities of interest of a dataset against its parameters", many=False)
    qoi.add_argument("--quantity", action="append", default=[], help="only this one; may be repeated")
    qoi.add_argument("--parameter", action="append", default=[], help="only this one; may be repeated")
    sheet = command("samples", "samples on a grid: a row a sample, a column an input or output", many=False)
    sheet.add_argument("--count", type=_positive, default=4, metavar="N", help="number of samples, default 4")
    sheet.add_argument("--name", action="append", default=[], help="only this input or output; may be repeated")
    sheet.add_argument("--step", type=int, action="append", default=[], metavar="N",
                       help="step of outputs in time, from 0; the last by default; may be repeated")
    statistics = command("statistics", "mean, deviation and histograms of samples on a grid", many=False)
    statistics.add_argument("--name", action="append", default=[],
                            help="only this input, output or quantity of interest; may be repeated")
    command("singular", "singular values in a reduced model")
    command("modes", "error of a reduced model against its number of modes")
    basis = command("basis", "the first modes of a reduced model, a row a field", many=False)
    basis.add_argument("--field", action="append", default=[], help="only this one; may be repeated")
    basis.add_argument("--count", type=_positive, default=5, metavar="N", help="number of modes, default 5")
    basis.add_argument("--component", help="number or name; a vector's length by default")
    basis.add_argument("--colours", help="a colour map of matplotlib")
    basis.add_argument("--view", type=_view, default=(-60.0, 25.0), metavar="AZIMUTH,ELEVATION",
                       help="degrees, default -60,25 (write --view=-60,25)")
    command("estimate", "estimated against true error of predictions")
    uncertain = command("uncertainty", "distributions and Sobol indices of uncertain quantities", many=False)
    uncertain.add_argument("--quantity", action="append", default=[], help="only this one; may be repeated")
    command("violation", "balance of every expert before and after the repair")
    command("repair", "what levels of constraint mend: files of `tessera constrain` of one deck")
    command("residual", "convergence of the linear solver")
    command("timing", "where the time of a run went")
    scaling = command("scaling", "speed-up from run files of one deck on several numbers of ranks")
    scaling.add_argument("--phase", action="append", default=[], help="only this one; may be repeated")
    return parser


def _draw(arguments, results):
    from . import charts, evolution, samples, spectra, uncertainty
    from .fields import Picture, basis

    title = arguments.title
    if arguments.command == "field":
        a = arguments
        picture = Picture(step=a.step, component=a.component, colours=a.colours, limits=a.limits, title=title,
                          mesh=a.mesh, warp=a.warp, cut=a.cut, view=a.view, contours=a.contours, width=a.width, sample=a.sample)
        return picture.draw(results[0], a.name)
    if arguments.command == "basis":
        a = arguments
        return basis(results[0], a.field, title, a.count, a.component, a.colours, a.view)
    if arguments.command == "profiles":
        a = arguments
        return evolution.profiles(results[0], a.name, title, a.component, a.count, a.colours)
    if arguments.command == "spectrum":
        a = arguments
        return spectra.spectrum(results[0], a.name, title, a.count, a.grid, a.colours)
    if arguments.command == "steps":
        return evolution.steps(results, title)
    if arguments.command == "history":
        return evolution.history(results, title, arguments.column)
    if arguments.command == "qoi":
        return charts.quantities(results, title, arguments.quantity, arguments.parameter)
    if arguments.command == "samples":
        a = arguments
        return samples.sheet(results[0], title, a.count, a.name, a.step)
    if arguments.command == "statistics":
        figure = samples.statistics(results[0], title, arguments.name)
        print(samples.text(samples.table(results[0])))
        return figure
    if arguments.command == "uncertainty":
        return uncertainty.uncertainty(results, title, arguments.quantity)
    if arguments.command == "scaling":
        return charts.scaling(results, title, arguments.phase)
    chart = {"singular": charts.singular_values, "modes": charts.modes, "estimate": charts.estimates,
             "violation": charts.violations, "repair": charts.repairs, "residual": charts.residuals, "timing": charts.timing}
    return chart[arguments.command](results, title)


def main(arguments=None):
    """Entry point; returns the exit code (2: bad input)."""
    arguments = _parser().parse_args(arguments)
    try:
        from . import style

        results = [Result(path) for path in arguments.files]
        style.save(_draw(arguments, results), arguments.output, arguments.small)
    except (FileError, OSError, ValueError) as error:
        print(f"tessera-plot: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
