"""Sets of people for the scripts that measure: their faces, cut once, and files of some of them."""

import ast
import json
import os
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

OUT = Path("target/people")
PROGRAM = os.environ.get("LOOKALIKE", "target/release/lookalike")
# Arrays with a row for each photo that stay as they are in a file of some of them.
OF_PHOTOS = ["x", "group", "source", "landmarks", "masked"]


def run(*arguments):
    """The program's standard output."""
    done = subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, arguments))}\n{done.stderr}")
    return done.stdout


def evaluate(*arguments):
    """What `lookalike evaluate` finds."""
    return json.loads(run("evaluate", *arguments, "--json"))


def share(group):
    """A part of a document of `evaluate`, with its 95 % interval."""
    if not group:
        return "-"
    part = group.get("accuracy", group.get("share"))
    low, high = group["interval"]
    return f"{100 * part:.1f} % of {group['faces']} ({100 * low:.1f} to {100 * high:.1f})"


class Faces:
    """The faces of a set of LOOKALIKE_DATA/photos, found and cut when they are first asked for."""

    def __init__(self, name):
        source = Path(os.environ["LOOKALIKE_DATA"]) / "photos" / name
        path = OUT / f"{name}.npz"
        if not path.exists():
            OUT.mkdir(parents=True, exist_ok=True)
            run("crop", source, "-o", path, "--plain")
        with zipfile.ZipFile(path) as file:
            self.arrays = {entry[: -len(".npy")]: array(file.read(entry)) for entry in file.namelist()}
        self.names = self.texts("names")
        self.sources = self.texts("source")
        labels, groups = self.integers("labels"), self.integers("group")
        self.people = [[at for at, label in enumerate(labels) if label == person] for person in range(len(self.names))]
        self.groups = groups

    def texts(self, name):
        kind, shape, data = self.arrays[name]
        size = 4 * int(kind[2:])
        return [data[at * size : (at + 1) * size].decode("utf-32-le").rstrip("\0") for at in range(shape[0])]

    def integers(self, name):
        _, shape, data = self.arrays[name]
        return struct.unpack(f"<{shape[0]}q", data)

    def halves(self, person):
        """A person's photos in two parts: every second group of equal or nearly equal ones, and the others."""
        groups = list(dict.fromkeys(self.groups[photo] for photo in self.people[person]))
        place = lambda photo: groups.index(self.groups[photo]) % 2
        return [[photo for photo in self.people[person] if place(photo) == half] for half in (0, 1)]

    def write(self, path, photos_of):
        """Writes a file of some photos of some people, given by person; returns its path, or none for no photo at all."""
        photos_of = {person: photos for person, photos in photos_of.items() if photos}
        photos = [photo for photos in photos_of.values() for photo in photos]
        if not photos:
            return None
        labels = [label for label, photos in enumerate(photos_of.values()) for _ in photos]
        rows = {name: photos for name in OF_PHOTOS if name in self.arrays} | {"names": list(photos_of), "cut": [0]}
        path.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(path, "w") as file:
            for name, rows in rows.items():
                kind, shape, data = self.arrays[name]
                size = len(data) // shape[0]
                some = b"".join(data[row * size : (row + 1) * size] for row in rows)
                file.writestr(f"{name}.npy", npy(kind, (len(rows), *shape[1:]), some))
            file.writestr("labels.npy", npy("<i8", (len(labels),), struct.pack(f"<{len(labels)}q", *labels)))
            one_hot = [float(label == person) for label in labels for person in range(len(photos_of))]
            data = struct.pack(f"<{len(one_hot)}f", *one_hot)
            file.writestr("y.npy", npy("<f4", (len(labels), len(photos_of)), data))
        return path


def array(npy):
    """Kind, shape and bytes of a NumPy file of version 1."""
    (length,) = struct.unpack("<H", npy[8:10])
    header = ast.literal_eval(npy[10 : 10 + length].decode())
    return header["descr"], header["shape"], npy[10 + length :]


def npy(kind, shape, data):
    header = repr({"descr": kind, "fortran_order": False, "shape": shape}).encode()
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + data
