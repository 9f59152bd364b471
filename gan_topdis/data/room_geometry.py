"""The room scene traced in linear parts: what each coloured surface, and white light, adds to each pixel.

Colour and geometry separate: a picture is floor * F + wall * W + object * O + S, where F, W, O and S are
maps of one number per pixel that depend on the size and shape of the object and on the camera alone.

The scene: z up, floor z = 0; two pairs of walls at distance 4 with normals at 45 degrees to the axes, so
that a corner is in view of every camera; the object on the floor at the origin.
"""

from __future__ import annotations

from collections.abc import Callable
from math import cos, radians, sin, sqrt, tan

import numpy as np
from jaxtyping import Float

CAMERA_DISTANCE = 3.5
CAMERA_HEIGHT = 1.8
LOOKS_AT = (0.0, 0.0, 0.5)
FIELD_OF_VIEW = 40.0
"""Degrees, both ways."""
WALL_DISTANCE = 4.0
LIGHT = np.array((-0.5, -0.35, 0.8)) / sqrt(0.5**2 + 0.35**2 + 0.8**2)
AMBIENT, DIFFUSE = 0.55, 0.45
WALL_SHADE = 0.9
CONTACT_SHADOW = 0.45
HIGHLIGHT, HIGHLIGHT_POWER = 0.35, 24
SHAPES = ("cube", "cylinder", "sphere", "capsule")
# Relative to the size s of the object
SPHERE_RADIUS, CYLINDER_RADIUS, CAPSULE_RADIUS, CAPSULE_HEIGHT = 0.6, 0.5, 0.38, 1.3

Hit = tuple[Float[np.ndarray, " rays"], Float[np.ndarray, "rays 3"]]
"""Distance along each ray, infinite where it misses, and the outward normal."""


def coefficient_maps(
    size: float, shape: int, azimuth: float, resolution: int, supersampling: int
) -> Float[np.ndarray, "4 resolution resolution"]:
    """F, W, O and S of one geometry, each ray's share averaged over supersampling^2 rays a pixel.

    Args:
        size: of the object, s.
        shape: number in `SHAPES`.
        azimuth: of the camera, in degrees.
        resolution, supersampling: pixels, and rays along each side of a pixel.
    """
    origin, rays = _camera(radians(azimuth), resolution * supersampling)
    distance, normal = _OBJECTS[shape](origin, rays, size)
    on_object = np.isfinite(distance)
    parts = np.zeros((4, len(rays)))
    to_floor = np.where(rays[:, 2] < 0, -origin[2] / np.minimum(rays[:, 2], -1e-12), np.inf)  # (rays,)
    to_wall, wall_normal = _walls(origin, rays)
    on_floor = ~on_object & (to_floor < to_wall)
    on_wall = ~on_object & ~on_floor
    spot = origin[:2] + to_floor[on_floor, None] * rays[on_floor, :2]
    radius = np.hypot(spot[:, 0], spot[:, 1])
    shadow = 1 - CONTACT_SHADOW * np.exp(-((radius / (0.75 * size)) ** 4))
    parts[0, on_floor] = shadow * _shade(np.array([(0.0, 0.0, 1.0)]))
    parts[1, on_wall] = WALL_SHADE * _shade(wall_normal[on_wall])
    parts[2, on_object] = _shade(normal[on_object])
    halfway = LIGHT - rays[on_object]
    halfway /= np.linalg.norm(halfway, axis=1, keepdims=True)
    glance = (normal[on_object] * halfway).sum(axis=1).clip(0)
    parts[3, on_object] = HIGHLIGHT * glance**HIGHLIGHT_POWER
    fine = parts.reshape(4, resolution, supersampling, resolution, supersampling)
    return fine.mean(axis=(2, 4))


def _shade(normal: Float[np.ndarray, "rays 3"]) -> Float[np.ndarray, " rays"]:
    return AMBIENT + DIFFUSE * (normal @ LIGHT).clip(0)


def _camera(azimuth: float, side: int) -> tuple[Float[np.ndarray, "3"], Float[np.ndarray, "rays 3"]]:
    """Place of the camera and unit rays through a grid of side x side, row by row from the upper left."""
    origin = np.array((CAMERA_DISTANCE * sin(azimuth), -CAMERA_DISTANCE * cos(azimuth), CAMERA_HEIGHT))
    forward = np.array(LOOKS_AT) - origin
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, (0.0, 0.0, 1.0))
    right /= np.linalg.norm(right)
    up = np.cross(right, forward)
    steps = ((np.arange(side) + 0.5) / side * 2 - 1) * tan(radians(FIELD_OF_VIEW / 2))
    rays = forward + steps[None, :, None] * right - steps[:, None, None] * up  # (side, side, 3)
    rays = rays.reshape(-1, 3)
    return origin, rays / np.linalg.norm(rays, axis=1, keepdims=True)


def _walls(origin: Float[np.ndarray, "3"], rays: Float[np.ndarray, "rays 3"]) -> Hit:
    """The room as seen from inside: the nearest wall, its normal into the room."""
    outward = np.array([(a, b, 0.0) for a in (-1, 1) for b in (-1, 1)]) / sqrt(2)  # (4, 3)
    speed = rays @ outward.T  # (rays, 4)
    room = WALL_DISTANCE - outward @ origin  # (4,) at least 0.5: the camera is inside
    distance = np.where(speed > 0, room / np.maximum(speed, 1e-12), np.inf)
    nearest = distance.argmin(axis=1)
    return distance.min(axis=1), -outward[nearest]


def _cube(origin: Float[np.ndarray, "3"], rays: Float[np.ndarray, "rays 3"], size: float) -> Hit:
    """Faces along the axes, by the slabs between opposite faces."""
    low, high = np.array((-size / 2, -size / 2, 0.0)), np.array((size / 2, size / 2, size))
    speed = np.where(np.abs(rays) < 1e-12, 1e-12, rays)
    ends = np.stack([(low - origin) / speed, (high - origin) / speed])  # (2, rays, 3)
    enter, leave = ends.min(axis=0), ends.max(axis=0)
    face = enter.argmax(axis=1)
    distance = enter.max(axis=1)
    normal = np.zeros_like(rays)
    each = np.arange(len(rays))
    normal[each, face] = -np.sign(speed[each, face])
    return np.where((distance < leave.min(axis=1)) & (distance > 0), distance, np.inf), normal


def _ball(
    origin: Float[np.ndarray, "3"],
    rays: Float[np.ndarray, "rays 3"],
    centre: tuple[float, float, float],
    radius: float,
) -> Hit:
    from_centre = origin - np.array(centre)
    half = rays @ from_centre  # (rays,)
    discriminant = half**2 - (from_centre @ from_centre - radius**2)
    distance = np.where(discriminant > 0, -half - np.sqrt(discriminant.clip(0)), np.inf)
    return _with_normals(distance, lambda points: (points - np.array(centre)) / radius, origin, rays)


def _tube(
    origin: Float[np.ndarray, "3"], rays: Float[np.ndarray, "rays 3"], radius: float, low: float, high: float
) -> Hit:
    """The mantle of an upright cylinder around the z axis, between two heights."""
    squared = (rays[:, :2] ** 2).sum(axis=1).clip(1e-12)
    half = rays[:, :2] @ origin[:2]
    discriminant = half**2 - squared * (origin[:2] @ origin[:2] - radius**2)
    distance = np.where(discriminant > 0, (-half - np.sqrt(discriminant.clip(0))) / squared, np.inf)
    height = origin[2] + np.where(np.isfinite(distance), distance, 0) * rays[:, 2]
    distance = np.where((low <= height) & (height <= high), distance, np.inf)
    return _with_normals(distance, lambda points: points * (1 / radius, 1 / radius, 0), origin, rays)


def _lid(
    origin: Float[np.ndarray, "3"], rays: Float[np.ndarray, "rays 3"], radius: float, height: float
) -> Hit:
    """A horizontal disc seen from above."""
    distance = np.where(rays[:, 2] < 0, (height - origin[2]) / np.minimum(rays[:, 2], -1e-12), np.inf)
    reach = np.where(np.isfinite(distance), distance, 0)
    spot = origin[:2] + reach[:, None] * rays[:, :2]
    inside = np.isfinite(distance) & ((spot**2).sum(axis=1) < radius**2)
    return np.where(inside, distance, np.inf), np.broadcast_to(np.array((0.0, 0.0, 1.0)), rays.shape)


def _with_normals(
    distance: Float[np.ndarray, " rays"],
    normals: Callable[[np.ndarray], np.ndarray],
    origin: Float[np.ndarray, "3"],
    rays: Float[np.ndarray, "rays 3"],
) -> Hit:
    """Distances with the normals at the points that rays reach, any where they reach none."""
    reach = np.where(np.isfinite(distance), distance, 0)
    return distance, normals(origin + reach[:, None] * rays)


def _nearest(*hits: Hit) -> Hit:
    distance = np.stack([hit[0] for hit in hits])  # (parts, rays)
    normal = np.stack([hit[1] for hit in hits])
    first = distance.argmin(axis=0)
    each = np.arange(distance.shape[1])
    return distance[first, each], normal[first, each]


def _cylinder(origin: Float[np.ndarray, "3"], rays: Float[np.ndarray, "rays 3"], size: float) -> Hit:
    radius = CYLINDER_RADIUS * size
    return _nearest(_tube(origin, rays, radius, 0.0, size), _lid(origin, rays, radius, size))


def _sphere(origin: Float[np.ndarray, "3"], rays: Float[np.ndarray, "rays 3"], size: float) -> Hit:
    radius = SPHERE_RADIUS * size
    return _ball(origin, rays, (0.0, 0.0, radius), radius)


def _capsule(origin: Float[np.ndarray, "3"], rays: Float[np.ndarray, "rays 3"], size: float) -> Hit:
    radius, height = CAPSULE_RADIUS * size, CAPSULE_HEIGHT * size
    return _nearest(
        _tube(origin, rays, radius, radius, height - radius),
        _ball(origin, rays, (0.0, 0.0, radius), radius),
        _ball(origin, rays, (0.0, 0.0, height - radius), radius),
    )


_OBJECTS = (_cube, _cylinder, _sphere, _capsule)
