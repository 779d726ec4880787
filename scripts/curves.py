"""Small charts in one SVG: what an operation costs beside more and more others of its kind, both axes logarithmic."""

import html
import math

WIDTH, HEIGHT, COLUMNS = 250, 170, 4     # of a chart, and charts in a row
LEFT, TOP, RIGHT, BOTTOM = 46, 34, 10, 24  # around the lines of one
STYLE = """<style>
text { font: 10px sans-serif; fill: #333 } .title { font-weight: bold } .frame { fill: none; stroke: #bbb }
polyline { fill: none; stroke-width: 2 } .ours { stroke: #1664c0; fill: #1664c0 } .theirs { stroke: #c05a16; fill: #c05a16 }
polyline.theirs { fill: none; stroke-dasharray: 5 3 } polyline.ours { fill: none }
</style>"""


def short(n):
    for limit, unit in ((10_000_000, "M"), (10_000, "K")):
        if n >= limit:
            return f"{n / (limit / 10):.0f}{unit}"
    return f"{n:,}"


def scale(low, high, start, length):
    """Where a value lies, by its logarithm."""
    span = math.log(high / low) or 1
    return lambda v: start + length * math.log(v / low) / span


def chart(title, lines):
    """lines: (class, [(count, cost)...])"""
    counts = [n for _, points in lines for n, _ in points]
    costs = [c for _, points in lines for _, c in points]
    low, high = min(costs) / 1.3, max(max(costs) * 1.3, min(costs) * 10)
    x = scale(min(counts), max(counts), LEFT, WIDTH - LEFT - RIGHT)
    y = scale(low, high, HEIGHT - BOTTOM, TOP + BOTTOM - HEIGHT)
    out = [f'<text class="title" x="4" y="13">{html.escape(title)}</text>',
           f'<rect class="frame" x="{LEFT}" y="{TOP}" width="{WIDTH - LEFT - RIGHT}" height="{HEIGHT - TOP - BOTTOM}"/>',
           *(f'<text x="{LEFT - 4}" y="{y(c) + 3:.0f}" text-anchor="end">{short(c)}</text>'
             for c in {min(costs), max(costs)}),
           *(f'<text x="{x(n):.0f}" y="{HEIGHT - 8}" text-anchor="{where}">{n:,}</text>'
             for n, where in ((min(counts), "start"), (max(counts), "end")))]
    for name, points in lines:
        at = [(x(n), y(c)) for n, c in points]
        out.append(f'<polyline class="{name}" points="{" ".join(f"{a:.1f},{b:.1f}" for a, b in at)}"/>')
        out += [f'<circle class="{name}" cx="{a:.1f}" cy="{b:.1f}" r="2.5"/>' for a, b in at]
    return out


def draw(charts):
    """charts: [(title, ours, theirs)], each a list of (count, cost); the text of the SVG."""
    rows = -(-len(charts) // COLUMNS)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{COLUMNS * WIDTH}" height="{rows * HEIGHT + 24}">', STYLE,
           '<rect width="100%" height="100%" fill="#fff"/>',
           f'<text x="4" y="{rows * HEIGHT + 16}">Instructions of one operation, by how many of its kind there are. '
           'Whole lines: Faultline; broken ones: Linux.</text>']
    for i, (title, ours, theirs) in enumerate(charts):
        out.append(f'<g transform="translate({i % COLUMNS * WIDTH} {i // COLUMNS * HEIGHT})">')
        out += chart(title, [("theirs", theirs), ("ours", ours)])
        out.append("</g>")
    return "\n".join(out + ["</svg>"]) + "\n"
