"""Makes `terminal.svg`: a real run of the commands below on a terminal, drawn.

`python3 docs/terminal.py SANDBOX PYTHON`: the command as it was built, and an interpreter with matplotlib.
"""

import fcntl
import html
import os
import pty
import re
import select
import struct
import subprocess
import sys
import tempfile
import termios
import unicodedata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
COLUMNS, ROWS = 92, 200

PROGRAM = """\
import matplotlib.pyplot as plt
import numpy as np

x = np.linspace(0, 10, 30)
plt.figure(figsize=(8, 4))
plt.plot(x, np.sin(x), linewidth=4)
plt.title('Line Chart')
plt.show()
"""

COMMANDS = [
    "sandbox exec 'echo from $(uname); exit 3'; echo \"exit code $?\"",
    "sandbox session create work",
    "sandbox session exec work 'cd /usr; X=6'",
    "id=$(sandbox session exec -d work 'for i in 1 2 3; do echo $PWD $((X*i)); sleep .2; done')",
    "sandbox session logs -f work $id",
    "printf 'x = 6\\nx * 7' | sandbox repl",
    "sandbox run --python PYTHON chart.py",
]

# Of the usual sixteen colors, on a dark ground.
PALETTE = "#1e1e2e #f38ba8 #a6e3a1 #f9e2af #89b4fa #cba6f7 #94e2d5 #cdd6f4".split()
GROUND, INK = "#1e1e2e", "#cdd6f4"
WIDTH, HEIGHT, EDGE = 8.4, 17, 14


def run(command, environment, directory):
    """What a command shows on a terminal of its own."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    child = subprocess.Popen(["bash", "-c", command], stdin=slave, stdout=slave, stderr=slave, env=environment, cwd=directory)
    os.close(slave)
    shown = b""
    while True:
        ready, _, _ = select.select([master], [], [], 0.05)
        if ready:
            try:
                shown += os.read(master, 65536)
                continue
            except OSError:
                break
        if child.poll() is not None:
            break
    child.wait()
    os.close(master)
    return shown.decode()


def color(numbers):
    """The color of a `38;..` or `48;..`, and what of the numbers is left."""
    if numbers[0] == 2:
        return "#%02x%02x%02x" % tuple(numbers[1:4]), numbers[4:]
    index = numbers[1]
    if index < 16:
        return PALETTE[index % 8], numbers[2:]
    if index >= 232:
        return "#%02x%02x%02x" % ((8 + (index - 232) * 10,) * 3), numbers[2:]
    levels = [0, 95, 135, 175, 215, 255]
    index -= 16
    return "#%02x%02x%02x" % (levels[index // 36], levels[index // 6 % 6], levels[index % 6]), numbers[2:]


def cells(text):
    """Lines of (character, ink, ground)."""
    lines, ink, ground, at = [[]], INK, None, 0
    for part in re.split(r"(\x1b\[[0-9;?]*[A-Za-z]|\r|\n)", text):
        if part == "\n":
            lines.append([])
            at = 0
        elif part == "\r":
            at = 0
        elif part in ("\x1b[K", "\x1b[0K", "\x1b[2K"):
            del lines[-1][at if part != "\x1b[2K" else 0 :]
        elif part.startswith("\x1b[") and part.endswith("m"):
            numbers = [int(number or 0) for number in part[2:-1].split(";")]
            while numbers:
                number, *numbers = numbers
                if number == 0:
                    ink, ground = INK, None
                elif number == 39:
                    ink = INK
                elif number == 49:
                    ground = None
                elif number == 38:
                    ink, numbers = color(numbers)
                elif number == 48:
                    ground, numbers = color(numbers)
                elif 30 <= number <= 37:
                    ink = PALETTE[number - 30]
        elif not part.startswith("\x1b"):
            for character in part:
                if unicodedata.category(character) != "Cc":
                    lines[-1][at : at + 1] = [(character, ink, ground)]
                    at += 1
    return lines


def brief(lines):
    """The list of a chart's fields, cut short."""
    texts = ["".join(cell[0] for cell in line) for line in lines]
    saved = next((row for row, text in enumerate(texts) if "saved as" in text), 0)
    if saved < 6:
        return lines
    return [*lines[:3], [(character, INK, None) for character in "  ..."], *lines[saved:]]


def runs(line, key):
    """Neighbors that are alike, as (column, characters, what they have)."""
    begin = 0
    for end in range(1, len(line) + 1):
        if end == len(line) or key(line[end]) != key(line[begin]):
            yield begin, "".join(cell[0] for cell in line[begin:end]), key(line[begin])
            begin = end


def rectangle(column, y, count, height, fill):
    return f'<rect x="{EDGE + column * WIDTH:.1f}" y="{y:.1f}" width="{count * WIDTH + 0.3:.1f}" height="{height:.1f}" fill="{fill}"/>'


def draw(lines):
    width = COLUMNS * WIDTH + 2 * EDGE
    height = len(lines) * HEIGHT + 2 * EDGE
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" font-family="monospace" font-size="14">',
        f'<rect width="100%" height="100%" rx="8" fill="{GROUND}"/>',
    ]
    for row, line in enumerate(lines):
        top = EDGE + row * HEIGHT
        # A half block is two colors, one above the other.
        upper = [(c, ink if c == "▀" else ground if c == "▄" else ground, None) for c, ink, ground in line]
        lower = [(c, ground if c == "▀" else ink if c == "▄" else ground, None) for c, ink, ground in line]
        for y, half in [(top, upper), (top + HEIGHT / 2, lower)]:
            for column, text, fill in runs(half, lambda cell: cell[1]):
                if fill and fill != GROUND:
                    parts.append(rectangle(column, y, len(text), HEIGHT / 2 + 0.3, fill))
        for column, text, ink in runs(line, lambda cell: cell[1] if cell[0] not in "▀▄" else None):
            if ink and text.strip():
                x = EDGE + column * WIDTH
                length = len(text) * WIDTH
                parts.append(
                    f'<text x="{x:.1f}" y="{top + 13}" fill="{ink}" textLength="{length:.1f}" xml:space="preserve">{html.escape(text)}</text>'
                )
    return "\n".join([*parts, "</svg>", ""])


def main():
    binary, python = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).absolute()
    with tempfile.TemporaryDirectory() as directory:
        (Path(directory) / "chart.py").write_text(PROGRAM)
        (Path(directory) / "bin").mkdir()
        (Path(directory) / "bin/sandbox").symlink_to(binary)
        environment = {
            "PATH": f"{directory}/bin:/usr/bin:/bin",
            "HOME": directory,
            "XDG_RUNTIME_DIR": directory,
            "TERM": "xterm-256color",
            "COLORTERM": "truecolor",
            "LANG": "C.UTF-8",
        }
        lines, variables = [], ""
        for command in COMMANDS:
            lines.append([(character, PALETTE[2], None) for character in "$ "] + [(c, INK, None) for c in command.replace(" --python PYTHON", "")])
            # Each has a terminal of its own, so what it sets is carried on.
            carried = f"{variables} {command.replace('PYTHON', str(python))}; declare -p id > .id 2>/dev/null"
            shown = run(carried, environment, directory)
            variables = "[ -e .id ] && . ./.id;"
            lines.extend(brief(cells(shown.rstrip("\r\n"))) if shown.strip() else [])
        run("sandbox stop", environment, directory)
    (ROOT / "docs/terminal.svg").write_text(draw(lines))


if __name__ == "__main__":
    main()
