"""The curves as SVG: a column each curve, instructions above and processor time below."""

import math
from xml.sax.saxutils import escape

COLUMNS, PANEL, GAP, LEFT, TOP, BAND = 3, (240, 120), (56, 34), 60, 78, 344
ROWS = [("instructions", "instructions a request", "#2f6f9f"), ("micros", "µs a request, kernel included", "#b5542c")]
STYLE = """
text { font: 12px system-ui, sans-serif; fill: #444 }
.title { font-size: 15px; font-weight: 600; fill: #222 }
.name { font-weight: 600; fill: #222 }
.value { font-size: 11px; font-weight: 600 }
.grid { stroke: #e4e4e4 }
"""


def short(number):
    """1,234 in few letters."""
    for limit, unit in ((1e6, "M"), (1e3, "k")):
        if number >= limit:
            return f"{number / limit:.3g}{unit}"
    return f"{number:.3g}"


def binary(number):
    for shift, unit in ((20, " MiB"), (10, " KiB")):
        if number >= 1 << shift:
            return f"{number >> shift}{unit}"
    return str(number)


def text(x, y, words, kind="", anchor="middle", fill=None):
    color = f' style="fill: {fill}"' if fill else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}"{color}>{escape(words)}</text>'


def ticks(low, high):
    """Powers of ten around the values."""
    return range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)


def panel(x, y, curve, key, color, label, decades):
    """One curve: the points at equal distances, the vertical axis logarithmic."""
    width, height = PANEL
    step = width / len(curve)

    def place(nth, value):
        share = (math.log10(value) - decades[0]) / (decades[-1] - decades[0])
        return x + step * (nth + 0.5), y + height * (1 - share)

    parts = []
    for decade in decades:
        _, at = place(0, 10.0**decade)
        parts.append(f'<line x1="{x}" x2="{x + width}" y1="{at:.1f}" y2="{at:.1f}" class="grid"/>')
        parts.append(text(x - 6, at + 4, short(10.0**decade), anchor="end"))
    points = [place(nth, each[key]) for nth, each in enumerate(curve)]
    path = " ".join(f"{at:.1f},{up:.1f}" for at, up in points)
    parts.append(f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="2"/>')
    for nth, ((at, up), each) in enumerate(zip(points, curve)):
        # A value stands where its line does not go: to the left of one that rises steeply, else above.
        steep = nth + 1 < len(points) and up - points[nth + 1][1] > step / 2
        parts.append(f'<circle cx="{at:.1f}" cy="{up:.1f}" r="3.5" fill="{color}"/>')
        parts.append(text(at - 12 * steep, up - 9, short(each[key]), "value", fill=color))
        parts.append(text(at, y + height + 16, label(each["value"])))
    return parts


def draw(curves):
    """In bands of three curves, each a row of instructions and a row of processor time."""
    bands = math.ceil(len(curves) / COLUMNS)
    width = LEFT + COLUMNS * (PANEL[0] + GAP[0])
    height = TOP + bands * BAND
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">',
        f"<style>{STYLE}</style>",
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
        text(LEFT - 40, 26, "What a request costs, and how that grows", "title", "start"),
    ]
    for row, (key, words, color) in enumerate(ROWS):
        values = [each[key] for curve in curves.values() for each in curve]
        decades = ticks(min(values), max(values))
        parts.append(f'<circle cx="{LEFT + 350 + 196 * row}" cy="22" r="4" fill="{color}"/>')
        parts.append(text(LEFT + 360 + 196 * row, 26, words, "name", "start", color))
        for nth, (name, curve) in enumerate(curves.items()):
            band, column = divmod(nth, COLUMNS)
            x = LEFT + column * (PANEL[0] + GAP[0])
            y = TOP + band * BAND + row * (PANEL[1] + GAP[1])
            label = binary if name.startswith("bytes") else lambda value: f"{value:,}"
            parts += panel(x, y, curve, key, color, label, decades)
            if row == 0:
                parts.append(text(x + PANEL[0] / 2, y - 16, name, "name"))
    return "\n".join([*parts, "</svg>"]) + "\n"
