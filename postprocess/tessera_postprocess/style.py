"""One look for all pictures: light, thin lines, readable in print."""
import io

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402
import numpy as np  # noqa: E402
from matplotlib.textpath import text_to_path  # noqa: E402
from matplotlib.transforms import Bbox  # noqa: E402

INK = "#22262e"
GREY = "#8a919c"
MARGIN = 0.08           # inches around what is drawn
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


def words(name):
    """A name as text: von_mises -> von Mises stress."""
    if name == "von_mises":
        return "von Mises stress"
    return name.replace("_", " ").replace("von mises", "von Mises")


def label(name, unit=""):
    """A name as text with its unit: von_mises, Pa -> "Von Mises (Pa)". A symbol such as u is no word."""
    text, unit = words(name), pretty(unit)
    if len(text.split(" ")[0]) > 1:
        text = text[:1].upper() + text[1:]
    return f"{text} ({unit})" if unit else text


def heading(results, text):
    """The title of a chart: that of the files, when they have the same, and what is drawn."""
    titles = {result.title for result in results}
    return f"{titles.pop()}: {text}" if len(titles) == 1 else text[:1].upper() + text[1:]


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


def wrap(text, width, font):
    """The text in lines that are no longer than `width` inches in that font; words too long for one are parted."""
    def inches(line):
        return text_to_path.get_text_width_height_descent(line, font, False)[0] / 72

    lines = []
    for paragraph in text.split("\n"):
        line = ""
        for word in paragraph.split(" "):
            longer = f"{line} {word}" if line else word
            if inches(longer) <= width:
                line = longer
                continue
            if line:
                lines.append(line)
            while inches(word) > width and len(word) > 1:
                count = max(n for n in range(1, len(word)) if n == 1 or inches(word[:n]) <= width)
                lines.append(word[:count])
                word = word[count:]
            line = word
        lines.append(line)
    return "\n".join(lines)


def fit(figure):
    """Wraps titles at the edge of the page, or where the next panel begins; a page with a layout grows by the lines."""
    width, height = figure.get_size_inches()
    panels = [axes for axes in figure.axes if axes.get_visible()]
    # A title that is much wider than the page would upset the layout that says where panels lie.
    whole = {axes: axes._left_title.get_text() for axes in panels}
    for axes in panels:
        _wrap(axes._left_title, whole[axes], width)
    if figure._suptitle is not None:
        height += _wrap(figure._suptitle, figure._suptitle.get_text(), 0.98 * width)
    layout = figure.get_layout_engine() is not None
    if layout:
        figure.set_size_inches(width, height)
    figure.draw_without_rendering()
    boxes = {axes: axes.get_tightbbox() for axes in panels}
    more = [0.0]
    for axes in panels:
        box, right = axes._left_title.get_window_extent(), width * figure.dpi
        for other, its in boxes.items():
            if other is not axes and its is not None and its.x0 > box.x0 + 1 and its.y0 < box.y1 and its.y1 > box.y0:
                right = min(right, its.x0)
        more.append(_wrap(axes._left_title, whole[axes], (right - box.x0) / figure.dpi - MARGIN))
    if layout:
        figure.set_size_inches(width, height + max(more))


def _wrap(artist, text, width):
    """Gives a title its text in lines; how much higher than the text as it was they are, in inches."""
    # Drawn text is a little wider than its outlines.
    artist.set_text(wrap(text, 0.97 * width, artist.get_fontproperties()))
    return (artist.get_text().count("\n") - text.count("\n")) * 1.2 * artist.get_fontsize() / 72


def page(figure):
    """The figure's page in inches, larger where something sticks out of it."""
    figure.draw_without_rendering()
    return Bbox.union([figure.get_tightbbox().padded(MARGIN), Bbox.from_bounds(0, 0, *figure.get_size_inches())])


def save(figure, path, small=False):
    """Writes the picture, nothing cut off; `small` makes a PNG with a palette, a third of the size for shaded bodies."""
    fit(figure)
    box = page(figure)
    if small and str(path).endswith(".png"):
        from PIL import Image

        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", bbox_inches=box)
        image = Image.open(buffer).convert("RGB")
        # Rare colours count as much as common ones: the ends of the colour bar, the arrows of the axes.
        picture = image.quantize(palette=image.quantize(255, method=Image.Quantize.MAXCOVERAGE))
        white = (np.asarray(image) == 255).all(axis=2)       # the page stays white, not dithered
        picture.putpalette((picture.getpalette() + [255] * 768)[: 3 * 255] + [255] * 3)
        picture.paste(255, mask=Image.fromarray(white))
        picture.save(path, optimize=True)
    else:
        figure.savefig(path, bbox_inches=box)
    plt.close(figure)
