"""One look for all pictures: light, thin lines, readable in print."""
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402
import numpy as np  # noqa: E402

INK = "#22262e"
GREY = "#8a919c"
SERIES = ["#1f5fa8", "#d1603d", "#2b8a6e", "#8a5aa8", "#b8902f", "#4aa3c7", "#a33c5c", "#5c6470"]

plt.rcParams.update({
    "figure.dpi": 150, "savefig.dpi": 150, "figure.facecolor": "white",
    "font.size": 9.5, "font.family": "DejaVu Sans", "text.color": INK,
    "axes.edgecolor": GREY, "axes.labelcolor": INK, "axes.linewidth": 0.8,
    "axes.titlesize": 10.5, "axes.titlelocation": "left", "axes.titleweight": "bold", "axes.titlepad": 8,
    "axes.spines.top": False, "axes.spines.right": False, "axes.axisbelow": True,
    "axes.grid": True, "grid.color": "#e6e8ec", "grid.linewidth": 0.7,
    "axes.prop_cycle": matplotlib.cycler(color=SERIES),
    "xtick.color": INK, "ytick.color": INK, "xtick.direction": "out", "ytick.direction": "out",
    "xtick.labelsize": 8.5, "ytick.labelsize": 8.5, "legend.frameon": False, "legend.fontsize": 8.5,
    "lines.linewidth": 1.6, "lines.markersize": 4.5, "axes.formatter.use_mathtext": True,
    "figure.constrained_layout.w_pad": 0.08, "figure.constrained_layout.h_pad": 0.08,
    "axes.formatter.limits": (-3, 4),
})

PREFIXES = {-9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G"}


def label(name, unit=""):
    """A name as text with its unit: von_mises, Pa -> "von Mises (Pa)"."""
    text = name.replace("_", " ").replace("von mises", "von Mises")
    text = text[:1].upper() + text[1:]
    unit = pretty(unit)
    return f"{text} ({unit})" if unit else text


def pretty(unit):
    """Units as they are printed: W/(m2 K) -> W/(m² K); "1" and "" -> nothing."""
    if unit in ("", "1"):
        return ""
    for power, sign in (("2", "²"), ("3", "³"), ("4", "⁴")):
        for base in ("m", "s", "K"):
            unit = unit.replace(base + power, base + sign)
    return unit


def scaled(largest, unit):
    """A factor and the unit with its prefix, so that numbers are neither tiny nor huge: 3e8, Pa -> 1e-6, MPa."""
    if unit not in ("Pa", "m", "W", "J", "N", "s") or not np.isfinite(largest) or largest == 0:
        return 1.0, unit
    power = int(3 * np.floor(np.log10(largest) / 3))
    power = min(max(power, -9 if unit in ("m", "s") else 0), 9)
    if power == 0 or (unit == "s" and power > 0):
        return 1.0, unit
    return 10.0 ** -power, PREFIXES[power] + unit


def save(figure, path, small=False):
    """Writes the picture; `small` makes a PNG with a palette, a third of the size for shaded bodies."""
    if small and str(path).endswith(".png"):
        from PIL import Image

        figure.canvas.draw()
        image = Image.fromarray(np.asarray(figure.canvas.buffer_rgba())).convert("RGB")
        picture = image.quantize(palette=image.quantize(255))
        white = (np.asarray(image) == 255).all(axis=2)       # the page stays white, not dithered
        picture.putpalette((picture.getpalette() + [255] * 768)[: 3 * 255] + [255] * 3)
        picture.paste(255, mask=Image.fromarray(white))
        picture.save(path, optimize=True)
    else:
        figure.savefig(path)
    plt.close(figure)
