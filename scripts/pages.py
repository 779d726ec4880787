"""Tables in pages: what a script measured stands between two comments that name it."""


def put(path, name, lines):
    """The lines, between <!-- name --> and <!-- /name --> of the page."""
    begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
    with open(path) as f:
        page = f.read()
    with open(path, "w") as f:
        f.write(page[:page.index(begin) + len(begin)] + "\n".join(lines) + "\n" + page[page.index(end):])
