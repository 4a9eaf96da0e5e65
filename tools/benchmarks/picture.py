"""Line charts as SVG files, drawn like those of `compress report`."""
import math
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 460, 330
LEFT, RIGHT, TOP, BOTTOM = 64, 14, 34, 48
COLOURS = ["#0072b2", "#d55e00", "#009e73", "#b5599a", "#9a7400", "#3d8fc4", "#7a4fc0", "#555"]
STYLE = ("svg{font-family:system-ui,'DejaVu Sans',sans-serif;background:#fff}text{font-size:11.5px;fill:#333}"
         ".heading{font-size:13.5px;font-weight:600;fill:#111}.grid{stroke:#e3e3e3}")


def ticks(low, high, count=5):
    raw = (high - low) / count
    power = 10 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw)
    return [i * step for i in range(math.ceil(low / step), math.floor(high / step) + 1)]


def lines(title, x_title, y_title, series, lowest=-math.inf):
    """`series`: a list of (x, y) with rising x by name. Points below `lowest` are left out."""
    series = {name: [point for point in points if point[1] >= lowest] for name, points in series.items()}
    xs, ys = zip(*[point for points in series.values() for point in points])
    (x_low, x_high), (y_low, y_high) = ((min(v) - 0.06 * (max(v) - min(v)), max(v) + 0.08 * (max(v) - min(v))) for v in (xs, ys))

    def across(x):
        return LEFT + (x - x_low) / (x_high - x_low) * (WIDTH - RIGHT - LEFT)

    def up(y):
        return HEIGHT - BOTTOM - (y - y_low) / (y_high - y_low) * (HEIGHT - BOTTOM - TOP)

    height = HEIGHT + 17 * -(-len(series) // 2) + 4
    svg = [f'<?xml version="1.0" encoding="UTF-8"?>\n<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}" '
           f'xmlns="http://www.w3.org/2000/svg"><style>{STYLE}</style>',
           f'<text class="heading" x="12" y="18">{escape(title)}</text>']
    for y in ticks(y_low, y_high):
        svg.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{up(y):.1f}" y2="{up(y):.1f}"/>'
                   f'<text x="{LEFT - 6}" y="{up(y) + 4:.1f}" text-anchor="end">{y:g}</text>')
    for x in ticks(x_low, x_high):
        svg.append(f'<line class="grid" x1="{across(x):.1f}" x2="{across(x):.1f}" y1="{HEIGHT - BOTTOM}" y2="{TOP}"/>'
                   f'<text x="{across(x):.1f}" y="{HEIGHT - BOTTOM + 17}" text-anchor="middle">{x:g}</text>')
    svg.append(f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 10}" text-anchor="middle">{escape(x_title)}</text>'
               f'<text transform="translate(15 {(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)" text-anchor="middle">{escape(y_title)}</text>')
    for i, (name, points) in enumerate(series.items()):
        colour, x, y = COLOURS[i % len(COLOURS)], 14 + i % 2 * WIDTH / 2, HEIGHT + 8 + i // 2 * 17
        path = "".join(f"{'L' if k else 'M'}{across(px):.1f} {up(py):.1f}" for k, (px, py) in enumerate(points))
        svg.append(f'<path fill="none" stroke="{colour}" stroke-width="1.8" d="{path}"/>')
        svg += [f'<circle cx="{across(px):.1f}" cy="{up(py):.1f}" r="3.2" fill="{colour}"><title>{escape(name)}, {px:.4g}: {py:.2f}'
                "</title></circle>" for px, py in points]
        svg.append(f'<circle cx="{x}" cy="{y - 4}" r="4" fill="{colour}"/><text x="{x + 9}" y="{y}">{escape(name)}</text>')
    return "\n".join(svg) + "\n</svg>\n"
