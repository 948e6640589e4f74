"""Videos of a shape that spins, pulses, bounces or shakes in front of moving clutter.

    python examples/moving_shapes.py OUT --seed 0

OUT gets `videos/ID.mp4`, `tags.csv` with the tags of whole videos, and `truth.json` with the times
of all actions, in ActivityNet's format. Between its actions the shape drifts, and untagged shapes
fly through the image in every video. One seed gives the same files each time.
"""

import argparse
import csv
import json
import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TypeAlias

import av
import cv2
import numpy as np
from numpy.typing import NDArray

Image: TypeAlias = NDArray[np.uint8]

WIDTH, HEIGHT, RATE_FPS = 384, 216, 25
ACTIONS = ("spin", "pulse", "bounce", "shake")
TRAINING_VIDEOS, VALIDATION_VIDEOS = 32, 10
MIN_VIDEO_S, MAX_VIDEO_S, PARADE_S = 20, 30, 56
MIN_ACTION_S, MAX_ACTION_S = 3.5, 6
EASE_S = 0.3
"""Time in which an action begins, and in which it ends."""
SPRITE = 120
"""Width and height of the picture of a shape, in pixels."""


@dataclass(frozen=True, slots=True)
class Instance:
    """One action of the shape."""

    label: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Plan:
    """Contents of one video."""

    id: str
    subset: str
    duration_s: int
    instances: tuple[Instance, ...]
    seed: int


@dataclass(frozen=True, slots=True)
class Pose:
    """Position of the shape beside its path in pixels, its size and its angle in degrees."""

    x: float = 0
    y: float = 0
    size: float = 1
    angle: float = 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--training", type=int, default=TRAINING_VIDEOS)
    parser.add_argument("--validation", type=int, default=VALIDATION_VIDEOS)
    options = parser.parse_args()
    plans = planned(options.seed, training=options.training, validation=options.validation)
    write_videos(options.out, plans)


def planned(
    seed: int, *, training: int = TRAINING_VIDEOS, validation: int = VALIDATION_VIDEOS
) -> list[Plan]:
    """Returns the contents of all videos."""
    rng = np.random.default_rng(seed)
    subsets = ["training"] * training + ["validation"] * (validation - 1)
    plans = [
        planned_video(f"shapes_{number:02d}", subset, number, rng)
        for number, subset in enumerate(subsets, start=1)
    ]
    return [*plans, planned_parade(f"shapes_{training + validation:02d}", rng)]


def planned_video(id_: str, subset: str, number: int, rng: np.random.Generator) -> Plan:
    """Returns a video of two or three actions of one or two classes; every ninth has none."""
    duration_s = int(rng.integers(MIN_VIDEO_S, MAX_VIDEO_S))
    first, other = ACTIONS[number % len(ACTIONS)], str(rng.choice(ACTIONS))
    count = 0 if number % 9 == 0 else int(rng.integers(2, 4))
    labels = [first if index == 0 or rng.random() < 0.5 else other for index in range(count)]
    instances = placed(labels, duration_s, rng)
    return Plan(id_, subset, duration_s, instances, int(rng.integers(2**31)))


def planned_parade(id_: str, rng: np.random.Generator) -> Plan:
    """Returns a validation video in which every action occurs twice."""
    labels = [str(label) for label in rng.permutation(ACTIONS * 2)]
    instances = placed(labels, PARADE_S, rng)
    return Plan(id_, "validation", PARADE_S, instances, int(rng.integers(2**31)))


def placed(
    labels: Sequence[str], duration_s: int, rng: np.random.Generator
) -> tuple[Instance, ...]:
    """Returns actions of these classes one after the other, each in an equal part of the video."""
    bounds_s = np.linspace(0.5, duration_s - 0.5, len(labels) + 1)
    instances = []
    for label, (first_s, last_s) in zip(labels, pairwise(bounds_s), strict=True):
        length_s = rng.uniform(MIN_ACTION_S, MAX_ACTION_S)
        start_s = rng.uniform(first_s, last_s - length_s)
        instances.append(Instance(label, round(start_s, 2), round(start_s + length_s, 2)))
    return tuple(instances)


def write_videos(folder: Path, plans: Sequence[Plan]) -> None:
    """Writes videos, tags and truth to a folder; a video that is there already stays."""
    (folder / "videos").mkdir(parents=True, exist_ok=True)
    paths = [folder / "videos" / f"{plan.id}.mp4" for plan in plans]
    with ProcessPoolExecutor(initializer=cv2.setNumThreads, initargs=(1,)) as pool:
        for number, _ in enumerate(pool.map(write_video, paths, plans), start=1):
            print(f"\rrendered {number} of {len(plans)} videos", end="", flush=True)
    print(f"; they are in {folder / 'videos'}")
    with (folder / "tags.csv").open("w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["video", "label", "subset"])
        for plan in plans:
            labels = sorted({instance.label for instance in plan.instances}) or [""]
            rows.writerows([f"{plan.id}.mp4", label, plan.subset] for label in labels)
    truth = {"database": {plan.id: truth_of(plan) for plan in plans}}
    (folder / "truth.json").write_text(json.dumps(truth, indent=1) + "\n")


def truth_of(plan: Plan) -> dict[str, object]:
    """Returns the entry of a video in ActivityNet's format."""
    annotations = [
        {"label": one.label, "segment": [one.start_s, one.end_s]} for one in plan.instances
    ]
    return {"subset": plan.subset, "duration": plan.duration_s, "annotations": annotations}


def write_video(path: Path, plan: Plan) -> None:
    """Writes a video as H.264 that browsers play, unless it is there."""
    if path.exists():
        return
    part = path.with_suffix(".part")
    with av.open(str(part), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        options = {"preset": "veryfast", "crf": "25", "threads": "1", "g": str(2 * RATE_FPS)}
        stream = container.add_stream("libx264", rate=RATE_FPS, options=options)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for image in images(plan):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    part.replace(path)


def images(plan: Plan) -> Iterator[Image]:
    """Yields the frames of a video, uint8 (HEIGHT, WIDTH, 3) in RGB."""
    rng = np.random.default_rng(plan.seed)
    backdrop, clutter = drawn_backdrop(rng), [Clutter.random(rng) for _ in range(7)]
    shape = drawn_shape(rng)
    path = Drift.random(rng, margin=0.75 * SPRITE)
    for frame in range(plan.duration_s * RATE_FPS):
        time_s = frame / RATE_FPS
        image = scrolled(backdrop, time_s)
        for one in clutter:
            one.draw(image, time_s)
        x, y = path.at(time_s)
        pose = pose_at(plan.instances, time_s)
        draw_shape(image, shape, x + pose.x, y + pose.y, pose.size, pose.angle)
        yield image


def pose_at(instances: Sequence[Instance], time_s: float) -> Pose:
    """Returns the pose that the action at this time gives the shape."""
    for one in instances:
        if one.start_s <= time_s < one.end_s:
            since_s, left_s = time_s - one.start_s, one.end_s - time_s
            strength = min(1, since_s / EASE_S, left_s / EASE_S)
            return acting(one.label, since_s, strength)
    return Pose()


def acting(label: str, since_s: float, strength: float) -> Pose:
    """Returns the pose of an action some seconds after its start; strength 0 is no action."""
    turn = 2 * math.pi * since_s
    match label:
        case "spin":
            return Pose(angle=360 * 0.6 * since_s)
        case "pulse":
            return Pose(size=1 + 0.4 * strength * math.sin(1.1 * turn))
        case "bounce":
            return Pose(y=-50 * strength * abs(math.sin(0.7 * turn)))
        case _:
            return Pose(x=24 * strength * math.sin(1.2 * turn))


@dataclass(frozen=True, slots=True)
class Drift:
    """A slow path that stays within the image."""

    margin: float
    periods_s: tuple[float, float]
    phases: tuple[float, float]

    @classmethod
    def random(cls, rng: np.random.Generator, *, margin: float) -> "Drift":
        """Returns a path at least half of `margin` away from the borders."""
        return cls(margin, tuple(rng.uniform(11, 19, 2)), tuple(rng.uniform(0, 2 * math.pi, 2)))

    def at(self, time_s: float) -> tuple[float, float]:
        """Returns x and y in pixels."""
        shares = (
            (1 + math.sin(2 * math.pi * time_s / period_s + phase)) / 2
            for period_s, phase in zip(self.periods_s, self.phases, strict=True)
        )
        x, y = (
            self.margin + share * (size - 2 * self.margin)
            for share, size in zip(shares, (WIDTH, HEIGHT), strict=True)
        )
        return x, y


@dataclass(frozen=True, slots=True)
class Clutter:
    """A plain disc or square that crosses the image again and again."""

    start: tuple[float, float]
    speed: tuple[float, float]
    radius: float
    sides: int
    color: tuple[int, int, int]

    @classmethod
    def random(cls, rng: np.random.Generator) -> "Clutter":
        """Returns a piece of 8 to 22 pixels that moves 15 to 70 pixels a second."""
        direction, speed = rng.uniform(0, 2 * math.pi), rng.uniform(15, 70)
        shade = rng.integers(90, 190, 3)
        return cls(
            (rng.uniform(0, WIDTH), rng.uniform(0, HEIGHT)),
            (speed * math.cos(direction), speed * math.sin(direction)),
            rng.uniform(8, 22),
            int(rng.choice([4, 24])),
            tuple(int(value) for value in shade),
        )

    def draw(self, image: Image, time_s: float) -> None:
        """Draws the piece where it is at that time."""
        x, y = (
            (start + speed * time_s + 40) % (size + 80) - 40
            for start, speed, size in zip(self.start, self.speed, (WIDTH, HEIGHT), strict=True)
        )
        corners = polygon(self.sides, self.radius, x, y)
        cv2.fillPoly(image, [corners], self.color, cv2.LINE_AA, SUBPIXEL_BITS)


SUBPIXEL_BITS = 4


def polygon(
    sides: int, radius: float, x: float, y: float, *, star: bool = False
) -> NDArray[np.int32]:
    """Returns the corners of a regular polygon, or of a star, (corners, 2), in 1/16 pixel."""
    count = 2 * sides if star else sides
    angle_N = np.arange(count) * 2 * np.pi / count - np.pi / 2
    radius_N = radius * np.where(np.arange(count) % 2, 0.5, 1.0) if star else radius
    corners = np.stack([x + radius_N * np.cos(angle_N), y + radius_N * np.sin(angle_N)], axis=-1)
    return np.rint(corners * 2**SUBPIXEL_BITS).astype(np.int32)


def drawn_backdrop(rng: np.random.Generator) -> Image:
    """Returns a soft pattern in one tint, larger than the image."""
    coarse = rng.uniform(0, 1, (14, 22, 1)).astype(np.float32)
    pattern = cv2.resize(coarse, (WIDTH + 80, HEIGHT + 80), interpolation=cv2.INTER_CUBIC)
    tint = rng.uniform(25, 95, 3)
    return np.clip(tint + 45 * pattern[..., None], 0, 255).astype(np.uint8)


def scrolled(backdrop: Image, time_s: float) -> Image:
    """Returns the part of the backdrop that is in the image at that time."""
    x = 40 + 38 * math.sin(time_s / 5)
    y = 40 + 38 * math.cos(time_s / 7)
    centre = (x + (WIDTH - 1) / 2, y + (HEIGHT - 1) / 2)
    return cv2.getRectSubPix(backdrop, (WIDTH, HEIGHT), centre)


def drawn_shape(rng: np.random.Generator) -> Image:
    """Returns a shape with a pattern, (SPRITE, SPRITE, 4) in RGB and opacity."""
    middle, radius = SPRITE / 2, 0.4 * SPRITE
    star = bool(rng.integers(2))
    corners = polygon(int(rng.integers(4, 7)), radius, middle, middle, star=star)
    hue = int(rng.integers(180))
    shades = np.array([[(hue, 190, 250), ((hue + 90) % 180, 160, 120)]], np.uint8)
    color, other = (tuple(map(int, one)) for one in cv2.cvtColor(shades, cv2.COLOR_HSV2RGB)[0])
    shape = np.zeros((SPRITE, SPRITE, 4), np.uint8)
    shape[..., :3] = color
    for x, y in rng.uniform(0.2 * SPRITE, 0.8 * SPRITE, (12, 2)):
        cv2.circle(shape, (int(x), int(y)), int(rng.integers(4, 9)), (*other, 0), -1, cv2.LINE_AA)
    opacity = np.zeros((SPRITE, SPRITE), np.uint8)
    cv2.fillPoly(opacity, [corners], 255, cv2.LINE_AA, SUBPIXEL_BITS)
    shape[..., 3] = opacity
    return shape


def draw_shape(image: Image, shape: Image, x: float, y: float, size: float, angle: float) -> None:
    """Lays the shape over the image, its middle at x and y."""
    half = int(SPRITE * 0.75)
    left, top = int(x) - half, int(y) - half
    turned = cv2.getRotationMatrix2D(((SPRITE - 1) / 2,) * 2, angle, size)
    turned[:, 2] += x - left - (SPRITE - 1) / 2, y - top - (SPRITE - 1) / 2
    moved = cv2.warpAffine(shape, turned, (2 * half, 2 * half))
    rows = slice(max(0, top), min(HEIGHT, top + 2 * half))
    columns = slice(max(0, left), min(WIDTH, left + 2 * half))
    part = moved[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
    opacity = part[..., 3:] / np.float32(255)
    under = image[rows, columns]
    image[rows, columns] = np.rint(under + opacity * (part[..., :3] - under.astype(np.float32)))


if __name__ == "__main__":
    main()
